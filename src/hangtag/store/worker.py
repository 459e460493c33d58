"""Labelling batches in the background: one thread, small transactions, resumed where the last one stopped.

Photos that kill the process repeatedly are set aside (`claims`).
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice, tee
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from hangtag.domain.errors import HangtagError, NotStoredError, StoreError
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DecodeLimits
from hangtag.inference.model import Model
from hangtag.inference.predicting import DecodeSettings, predict_photos
from hangtag.inference.predictions import Predictions
from hangtag.store.claims import LEASE_S, SEVERAL, Claim, Claims
from hangtag.store.derived import derive_answers
from hangtag.store.faults import FaultError, find_fault
from hangtag.store.folder import PhotoFolder
from hangtag.store.labels import Labeller
from hangtag.store.near_duplicates import NearDuplicates
from hangtag.store.refresh import refresh_products, update_state
from hangtag.store.store import Change, Store
from hangtag.store.tables import BatchRow, EmbeddingRow, ModelRow, PhotoRow, PredictionRow

BATCH_PHOTOS: Final = 16
"""One batch of the engine, so that a request never waits longer than that."""

COMMIT_S: Final = 0.2
"""How long predictions are collected before they are stored."""

_FETCHED_PHOTOS: Final = 500
_SECONDS_AFTER_A_FAULT: Final = 5.0
_CAREFUL_PHOTOS: Final = 256
"""How many photos may have been in hand, or labelled but not yet stored, when a process died."""

_LOOK_S: Final = 2.0
"""How often a shared database is checked for batches that were added, or abandoned, by another service."""
_NEWEST_COUNTS: Final = 0.3
_LOST: Final = frozenset({Reason.NOT_FOUND, Reason.UNREADABLE})
_MOUNT_IT: Final = "Make the data folder readable again, then resume the labelling of the batch."
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WaitingPhoto:
    """A photo that waits to be labelled, as the decoder reads it."""

    number: int
    product: int
    name: str
    sha256: str
    folder: PhotoFolder
    stopping: threading.Event

    def read(self, limits: DecodeLimits) -> bytes:
        """Return its bytes. Raises `PhotoError` with the reason if they cannot be read."""
        if self.stopping.is_set():
            raise _StoppedError
        return self.folder.read(self.sha256, limits)


class _StoppedError(Exception):
    """The service is stopping and begins no further photo, as some take seconds."""


@dataclass(frozen=True, slots=True)
class _Task:
    """A batch that is being labelled: its claim, its model, and its labeller.

    `base` is the number of the model that runs: the batch's model, or the base that it was adapted from.
    """

    claim: Claim
    model: Model
    base: int
    labeller: Labeller


class LabellingWorker:
    """Labels the batches of a store on its own thread. `load(id)` loads a model on that thread."""

    def __init__(self, store: Store, load: Callable[[str], Model], lease_s: float = LEASE_S) -> None:
        self._store = store
        self._load = load
        self._lease_s = lease_s
        self._claims = Claims(store, lease_s)
        self._near_duplicates = NearDuplicates()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="labelling", daemon=True)
        self._renewing = threading.Thread(target=self._renew, name="claims", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()
        if self._claims.is_shared:
            self._renewing.start()

    def wake(self) -> None:
        """Signal that there are new photos."""
        self._wake.set()

    def begin_stop(self) -> None:
        """Begin no further photo. The one in progress is labelled after the next start."""
        self._stopping.set()
        self._wake.set()

    def stop(self) -> None:
        """Store the predictions so far and end the thread. The rest is labelled after the next start."""
        self.begin_stop()
        if self._thread.is_alive():
            self._thread.join()

    def label_all(self) -> None:
        """Label all waiting photos on the caller's thread."""
        while (claim := self._claims.take()) is not None:
            self._label_batch(claim)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                claim = self._claims.take()
                if claim is not None:
                    self._label_batch(claim)
                elif not self._stopping.is_set():
                    self._wake.wait(_LOOK_S if self._claims.is_shared else None)
            except Exception as error:  # noqa: BLE001 - no error of one batch may stop the others
                # The database failed, most likely because the disk is full. The batch is tried again.
                fault = find_fault(error)
                _log.error("batches are waiting: %s", fault or "an unexpected error", exc_info=fault is None)
                self._stopping.wait(_SECONDS_AFTER_A_FAULT)

    def _renew(self) -> None:
        """Extend the claims of this process, however long a photo or the loading of a model takes."""
        while not self._stopping.wait(self._lease_s / 4):
            with suppress(SQLAlchemyError, HangtagError):  # the labelling itself will report the fault
                self._claims.renew_all()

    def _label_batch(self, claim: Claim) -> None:
        try:
            self._label(claim)
        except NotStoredError:
            _log.info("a batch was deleted while it was labelled")
        except FaultError:
            raise
        except HangtagError as error:
            self._fail(claim.batch, error.problem)
        except (OSError, SQLAlchemyError):
            raise
        except Exception:  # noqa: BLE001 - as above
            _log.exception("labelling a batch failed unexpectedly")
            self._fail(claim.batch, "something went wrong in the service; its log has the details")
        self._claims.release(claim.batch)

    def _label(self, claim: Claim) -> None:
        if claim.is_poison and not self._set_aside(claim):
            return
        batch, model = claim.batch, claim.model
        with self._store.engine.connect() as connection:
            base = self._store.base_of(
                connection, model
            )  # a shop model's outputs are derived from the base's
            stored = connection.execute(
                select(ModelRow.id, ModelRow.sha256).where(ModelRow.number == base)
            ).one()
            labeller = self._store.labeller(connection, base)
        loaded = self._load(stored.id)
        if loaded.sha256 != stored.sha256:
            problem = (
                f"the model {stored.id!r} has changed since; choose it again to label all with the new one"
            )
            self._fail(batch, problem)
            return
        task = _Task(claim, loaded, base, labeller)
        if claim.is_careful:
            if not self._label_one_by_one(task):
                return
            self._claims.clear(batch)
        else:
            self._claims.note(batch, SEVERAL)
        self._label_many(task)

    def _label_many(self, task: _Task) -> None:
        taken, given = tee(self._iter_waiting(task.claim.batch))
        settings = DecodeSettings(
            threads=1, batch_size=BATCH_PHOTOS, limits=self._store.limits, appearances=True
        )
        gathered: list[tuple[list[WaitingPhoto], Predictions]] = []
        since = time.monotonic()
        with suppress(_StoppedError), closing(predict_photos(given, [task.model], settings)) as batches:
            for (found,) in batches:
                if self._stopping.is_set():  # a stopped decoder says nothing about the photo
                    break
                self._check_folder(found)
                gathered.append(([next(taken) for _ in range(len(found))], found))
                passed = time.monotonic() - since
                if passed >= COMMIT_S:
                    self._note_pace(task.claim.batch, sum(len(photos) for photos, _ in gathered), passed)
                    if not self._store_answers(task, gathered):
                        return
                    gathered, since = [], time.monotonic()
        self._store_answers(task, gathered)
        self._store.photos_per_s.pop(task.claim.batch, None)

    def _label_one_by_one(self, task: _Task) -> bool:
        """Label photos after a death, each recorded before it is touched. Return whether to label normally again.

        That is so once the suspect is labelled, or all photos that may have been in hand are.
        """
        claim = task.claim
        settings = DecodeSettings(threads=1, batch_size=1, limits=self._store.limits, appearances=True)
        for photo in islice(self._iter_waiting(claim.batch), _CAREFUL_PHOTOS):
            self._claims.note(claim.batch, photo.number)
            if self._stopping.is_set():
                return False
            ((found,),) = predict_photos([photo], [task.model], settings)
            self._check_folder(found)
            if self._stopping.is_set() or not self._store_answers(task, [([photo], found)]):
                return False
            if photo.number == claim.suspect:
                break
        return True

    def _set_aside(self, claim: Claim) -> bool:
        """Set aside the suspect that killed the process too often. Returns False if that is the batch itself."""
        _log.error("a batch has crashed the service %d times; its current photos are set aside", claim.deaths)
        if not claim.suspect:
            times = f"the service crashed {claim.deaths} times when it started to label this batch"
            self._fail(claim.batch, f"{times}, so labelling was stopped; choose its model again to retry")
            return False
        detail = (
            f"the service crashed {claim.deaths} times while it read this photo, so the photo was skipped"
        )
        with self._store.changing(claim.batch) as change:
            photo = (PhotoRow.number == claim.suspect) & (PhotoRow.batch == claim.batch)
            product = change.connection.execute(
                update(PhotoRow)
                .where(photo)
                .values(todo=False, reason=Reason.TOO_EXPENSIVE.value, detail=detail)
                .returning(PhotoRow.product)
            ).scalar_one_or_none()
            if product is not None:
                refresh_products(self._store, change, {product})
                update_state(change.connection, claim.batch)
        return True

    def _iter_waiting(self, batch: int) -> Iterator[WaitingPhoto]:
        """Yield the waiting photos, a few at a time. Photos that are added meanwhile come last."""
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
                yield WaitingPhoto(*photo[:4], self._store.folder, self._stopping)

    def _check_folder(self, found: Predictions) -> None:
        """Raise `StoreError` if photos are missing because the whole folder is, for which they are not to blame."""
        is_lost = any(reason in _LOST for reason in found.reasons)
        if is_lost and not self._store.folder.is_readable():
            raise StoreError(
                "the folder of the photos cannot be read", where=self._store.folder.photos, fix=_MOUNT_IT
            )

    def _note_pace(self, batch: int, photos: int, seconds: float) -> None:
        """Update the labelling speed of a batch, as a moving average that favours recent seconds."""
        now = photos / max(seconds, 1e-3)
        known = self._store.photos_per_s.get(batch, now)
        self._store.photos_per_s[batch] = known + _NEWEST_COUNTS * (now - known)

    def _store_answers(self, task: _Task, gathered: list[tuple[list[WaitingPhoto], Predictions]]) -> bool:
        """Store predictions. Returns False, storing nothing, if the batch was stopped or its model changed."""
        batch, base = task.claim.batch, task.base
        with self._store.changing(batch) as change:
            present = change.connection.execute(
                select(BatchRow.model, BatchRow.state).where(BatchRow.number == batch)
            ).one()
            is_others = self._store.base_of(change.connection, present.model) != base
            if is_others or present.state == "stopped" or not self._claims.renew(change.connection, batch):
                return False
            touched: set[int] = set()
            for photos, found in gathered:
                touched |= _insert_answers(change, base, photos, (task.labeller, found))
                derive_answers(
                    self._store, change.connection, present.model, [photo.number for photo in photos]
                )
            self._near_duplicates.keep(change, _appearances_of(gathered))
            refresh_products(self._store, change, touched)
            update_state(change.connection, batch)
        return True

    def _fail(self, batch: int, message: str) -> None:
        with self._store.changing(batch) as change:
            change.connection.execute(
                update(BatchRow).where(BatchRow.number == batch).values(state="failed", message=message)
            )


def _appearances_of(
    gathered: list[tuple[list[WaitingPhoto], Predictions]],
) -> dict[int, npt.NDArray[np.uint8]]:
    """Return the near-duplicate features of the photos that could be decoded, by number."""
    return {
        photo.number: found.appearance[place]
        for photos, found in gathered
        if found.appearance is not None
        for place, photo in enumerate(photos)
        if found.reasons[place] is None
    }


def _insert_answers(
    change: Change, model: int, photos: list[WaitingPhoto], answers: tuple[Labeller, Predictions]
) -> set[int]:
    """Store the predictions for photos that still exist. Return the products that they show."""
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
