"""The labelling of batches in the background: one thread, small transactions, resumed wherever the last one stopped."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import tee
from typing import Any, Final

import numpy as np
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from hangtag.domain.errors import HangtagError, NotStoredError
from hangtag.imaging.budget import DecodeLimits
from hangtag.inference.model import Model
from hangtag.inference.predicting import DecodeSettings, predict_photos
from hangtag.inference.predictions import Predictions
from hangtag.store.folder import PhotoFolder
from hangtag.store.labels import Labeller
from hangtag.store.refresh import refresh_products, update_state
from hangtag.store.store import Change, Store
from hangtag.store.tables import BatchRow, EmbeddingRow, ModelRow, PhotoRow, PredictionRow

BATCH_PHOTOS: Final = 16
"""One batch of the engine: a request that comes meanwhile waits no longer than that."""

COMMIT_S: Final = 0.2
"""How long answers are gathered before they are stored."""

_FETCHED_PHOTOS: Final = 500
_SECONDS_AFTER_A_FAULT: Final = 5.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WaitingPhoto:
    """A photo that waits for an answer, as the decoder reads it."""

    number: int
    product: int
    name: str
    sha256: str
    folder: PhotoFolder

    def read(self, limits: DecodeLimits) -> bytes:
        """Return its bytes; raises `PhotoError` with the reason why they cannot be had."""
        return self.folder.read(self.sha256, limits)


class LabellingWorker:
    """Labels the batches of a store in a thread of its own. `load(id)` loads a model in that thread."""

    def __init__(self, store: Store, load: Callable[[str], Model]) -> None:
        self._store = store
        self._load = load
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="labelling", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Signal that there are new photos."""
        self._wake.set()

    def stop(self) -> None:
        """Store the answers so far and end the thread. The rest is labelled after the next start."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def label_all(self) -> None:
        """Label all that waits, in the caller's thread."""
        while (batch := self._next_batch()) is not None:
            self._label_batch(*batch)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                batch = self._next_batch()
                if batch is not None:
                    self._label_batch(*batch)
                elif not self._stopping.is_set():
                    self._wake.wait()
            except Exception:  # noqa: BLE001 - no error of one batch may stop the others
                # The database itself failed, most likely because the disk is full. It is tried again.
                _log.exception("batches are waiting because the database cannot be used")
                self._stopping.wait(_SECONDS_AFTER_A_FAULT)

    def _next_batch(self) -> tuple[int, int] | None:
        """Return the number and model of the batch to label next: the one that was touched last is being looked at."""
        statement = (
            select(BatchRow.number, BatchRow.model)
            .where(BatchRow.state == "labelling")
            .order_by(BatchRow.archived, BatchRow.updated.desc())
        )
        with self._store.engine.connect() as connection:
            found = connection.execute(statement).first()
        return None if found is None else (found.number, found.model)

    def _label_batch(self, batch: int, model: int) -> None:
        try:
            self._label(batch, model)
        except NotStoredError:
            _log.info("a batch was deleted while it was labelled")
        except HangtagError as error:
            self._fail(batch, error.problem)
        except (OSError, SQLAlchemyError):
            raise
        except Exception:  # noqa: BLE001 - as above
            _log.exception("labelling a batch failed unexpectedly")
            self._fail(batch, "something went wrong in the service; its log has the details")

    def _label(self, batch: int, model: int) -> None:
        with self._store.engine.connect() as connection:
            stored = connection.execute(
                select(ModelRow.id, ModelRow.sha256).where(ModelRow.number == model)
            ).one()
            labeller = self._store.labeller(connection, model)
        loaded = self._load(stored.id)
        if loaded.sha256 != stored.sha256:
            problem = (
                f"the model {stored.id!r} has changed since; choose it again to label all with the new one"
            )
            self._fail(batch, problem)
            return
        taken, given = tee(self._iter_waiting(batch))
        settings = DecodeSettings(threads=1, batch_size=BATCH_PHOTOS, limits=self._store.limits)
        gathered: list[tuple[list[WaitingPhoto], Predictions]] = []
        since = time.monotonic()
        with closing(predict_photos(given, [loaded], settings)) as batches:
            for (found,) in batches:
                gathered.append(([next(taken) for _ in range(len(found))], found))
                if time.monotonic() - since >= COMMIT_S or self._stopping.is_set():
                    if not self._store_answers(batch, model, gathered, labeller) or self._stopping.is_set():
                        return
                    gathered, since = [], time.monotonic()
        self._store_answers(batch, model, gathered, labeller)

    def _iter_waiting(self, batch: int) -> Iterator[WaitingPhoto]:
        """Yield the photos that wait, a few at a time; those that come meanwhile are at the end."""
        after = (-1, -1)
        columns = (PhotoRow.number, PhotoRow.product, PhotoRow.name, PhotoRow.sha256, PhotoRow.position)
        while True:
            later = (PhotoRow.position > after[0]) | (
                (PhotoRow.position == after[0]) & (PhotoRow.number > after[1])
            )
            statement = (
                select(*columns)
                .where(PhotoRow.todo, PhotoRow.batch == batch, later)
                .order_by(PhotoRow.position, PhotoRow.number)
                .limit(_FETCHED_PHOTOS)
            )
            with self._store.engine.connect() as connection:
                photos = connection.execute(statement).all()
            if not photos:
                return
            after = (photos[-1].position, photos[-1].number)
            for photo in photos:
                yield WaitingPhoto(*photo[:4], self._store.folder)

    def _store_answers(
        self,
        batch: int,
        model: int,
        gathered: list[tuple[list[WaitingPhoto], Predictions]],
        labeller: Labeller,
    ) -> bool:
        """Store answers. Return False, and store nothing, if the batch has another model by now."""
        with self._store.changing(batch) as change:
            present = change.connection.execute(
                select(BatchRow.model).where(BatchRow.number == batch)
            ).scalar_one()
            if present != model:
                return False
            touched: set[int] = set()
            for photos, found in gathered:
                touched |= _insert_answers(change, model, photos, (labeller, found))
            refresh_products(self._store, change, touched)
            update_state(change.connection, batch)
        return True

    def _fail(self, batch: int, message: str) -> None:
        with self._store.changing(batch) as change:
            change.connection.execute(
                update(BatchRow).where(BatchRow.number == batch).values(state="failed", message=message)
            )


def _insert_answers(
    change: Change, model: int, photos: list[WaitingPhoto], answers: tuple[Labeller, Predictions]
) -> set[int]:
    """Store the answers to photos that are still there, and return the products that they show."""
    labeller, found = answers
    numbers = [photo.number for photo in photos]
    waiting = select(PhotoRow.number, PhotoRow.product).where(
        PhotoRow.number.in_(numbers), PhotoRow.batch == change.batch, PhotoRow.todo
    )
    present: dict[int, int] = {row[0]: row[1] for row in change.connection.execute(waiting)}
    packed = labeller.pack(found)
    predictions: list[dict[str, Any]] = []
    embeddings: list[dict[str, Any]] = []
    outcomes: list[dict[str, Any]] = []
    for position, number in enumerate(numbers):
        if number not in present:
            continue
        reason, answer = found.reasons[position], packed[position]
        detail = None if reason is None else found.details[position]
        outcomes.append(
            {"b_number": number, "reason": None if reason is None else reason.value, "detail": detail}
        )
        if answer is not None:
            predictions.append({"photo": number, "model": model, **answer})
            if found.embedding is not None:
                vector = found.embedding[position].astype(np.float16).tobytes()
                embeddings.append({"photo": number, "model": model, "vector": vector})
    if predictions:
        change.connection.execute(insert(PredictionRow), predictions)
    if embeddings:
        change.connection.execute(insert(EmbeddingRow), embeddings)
    if outcomes:
        table = PhotoRow.__table__
        change.connection.execute(
            update(table)
            .where(table.c.number == bindparam("b_number"))
            .values(todo=False, reason=bindparam("reason"), detail=bindparam("detail")),
            outcomes,
        )
    return set(present.values())
