"""The store as a whole: its database and photos, and what its parts share."""

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy import Row as DatabaseRow

from hangtag.bundle.card import Card
from hangtag.bundle.card_json import parse_card, render_card
from hangtag.bundle.heads import HeadShift
from hangtag.domain.errors import BundleError, NotStoredError
from hangtag.imaging.addresses import PUBLIC_ONLY, AddressRules
from hangtag.imaging.budget import DecodeLimits
from hangtag.store.database import writing
from hangtag.store.faults import Reserve
from hangtag.store.folder import PhotoFolder
from hangtag.store.keeping import Quotas
from hangtag.store.labels import FindThresholds, Labeller
from hangtag.store.shop_tables import ShopClassRow
from hangtag.store.tables import AnswerRow, BatchRow, ModelRow
from hangtag.store.vocabulary import Vocabulary

Item = TypeVar("Item")

_ANSWERS_ARE_KEPT: Final = timedelta(days=7)
_MOST_IN_A_STATEMENT: Final = 500


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A version of a model that labels a batch."""

    id: str
    name: str
    version: str
    sha256: str
    card: Card


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """Which addresses in sheets may be fetched, and how; the settings of a `Fetcher`.

    `max_photos` is how many photos a batch may have.
    """

    rules: AddressRules = PUBLIC_ONLY
    max_photos: int = 100_000
    connections: int = 8
    timeout_s: float = 30.0
    attempts: int = 3
    redirects: int = 5
    backoff_s: float = 0.5


class ReadsShifts(Protocol):
    """Returns the shifts of a shop model relative to its base (`derived.ShiftReader`)."""

    def read(self, connection: Connection, model: int, columns: Sequence[str]) -> Mapping[str, HeadShift]:
        """Return the shifts by column, given the number of the model and its columns."""


class _NoShifts:
    """For a store without shop models."""

    def read(self, connection: Connection, model: int, columns: Sequence[str]) -> Mapping[str, HeadShift]:  # noqa: ARG002
        raise BundleError("this store has no shop models")


class Store:
    """The database and the photos. Thread-safe.

    `thresholds` returns by card and column the confidence below which a label is doubtful. `on_change` is called with
    a batch's number after every committed change.
    """

    def __init__(
        self, engine: Engine, folder: PhotoFolder, limits: DecodeLimits, thresholds: FindThresholds
    ) -> None:
        self.engine = engine
        self.folder = folder
        self.reserve = Reserve(folder.root / "reserve")
        self.limits = limits
        self.quotas = Quotas()
        self.fetching: FetchPolicy | None = None
        """None: photos at addresses in a sheet are not fetched."""
        self.on_change: Callable[[int], None] = lambda _batch: None
        self.shifts: ReadsShifts = _NoShifts()
        self.photos_per_s: dict[int, float] = {}
        """The labelling speed of the batches that this process is labelling."""
        self._thresholds = thresholds
        self._labellers: dict[int, Labeller] = {}
        self._bases: dict[int, int] = {}
        self._lock = threading.Lock()

    def labeller(self, connection: Connection, model: int) -> Labeller:
        """Return the labeller of a model, by its number."""
        with self._lock:
            known = self._labellers.get(model)
        if known is None:
            card = parse_card(
                connection.execute(select(ModelRow.card).where(ModelRow.number == model)).scalar_one()
            )
            known = Labeller(card, self._thresholds(card))
            with self._lock:
                self._labellers[model] = known
        return known

    def vocabulary(self, connection: Connection, model: int) -> Vocabulary:
        """Return the classes that people may set if a model labels: those that it knows, and the shop's own."""
        known = self.labeller(connection, model).vocabulary
        own = read_own_classes(connection)
        return known.extended(own) if own else known

    @contextmanager
    def changing(self, batch: int, *others: int) -> Iterator["Change"]:
        """Begin a transaction that changes a batch, and possibly others. Readers are notified after the commit.

        The batches' rows are locked first, in order, so that revisions are committed in order and there are no
        deadlocks. Raises `NotStoredError` for a batch that was deleted.
        """
        revisions: dict[int, int] = {}
        with writing(self.engine) as connection:
            for number in sorted({batch, *others}):
                revision = connection.execute(
                    update(BatchRow)
                    .where(BatchRow.number == number)
                    .values(revision=BatchRow.revision + 1, updated=now())
                    .returning(BatchRow.revision)
                ).scalar_one_or_none()
                if revision is None:
                    raise NotStoredError("the batch was deleted")
                revisions[number] = revision
            yield Change(connection, batch, revisions[batch], revisions)
        for number in revisions:
            self.on_change(number)

    def find_batch(self, connection: Connection, batch_id: str) -> DatabaseRow[Any]:
        """Return a batch's row by its id. Raises `NotStoredError`."""
        found = connection.execute(select(*BatchRow.__table__.columns).where(BatchRow.id == batch_id)).first()
        if found is None:
            raise NotStoredError(f"there is no batch {batch_id!r}", fix="GET /api/v1/batches lists them.")
        return found

    def base_of(self, connection: Connection, model: int) -> int:
        """Return the number of the base of a shop model; for any other model, its own number."""
        with self._lock:
            known = self._bases.get(model)
        if known is None:
            base = connection.execute(select(ModelRow.base).where(ModelRow.number == model)).scalar_one()
            known = model if base is None else int(base)
            with self._lock:
                self._bases[model] = known
        return known

    def keep_model(self, connection: Connection, model: StoredModel, base: int | None = None) -> int:
        """Return the number of a model version, storing it if it is new. `base` is what it was adapted from."""
        found = connection.execute(
            select(ModelRow.number).where(ModelRow.sha256 == model.sha256)
        ).scalar_one_or_none()
        if found is not None:
            return int(found)
        values = {
            "sha256": model.sha256,
            "id": model.id,
            "name": model.name,
            "version": model.version,
            "base": base,
            "card": render_card(model.card),
        }
        return int(
            connection.execute(insert(ModelRow).values(**values).returning(ModelRow.number)).scalar_one()
        )


@dataclass(frozen=True, slots=True)
class Change:
    """A transaction on one batch, its new revision, and those of other batches that it changes."""

    connection: Connection
    batch: int
    revision: int
    revisions: Mapping[int, int]

    def of(self, batch: int) -> "Change":
        """Return the same transaction as a change of another of its batches."""
        return Change(self.connection, batch, self.revisions[batch], self.revisions)


def read_own_classes(connection: Connection) -> Sequence[DatabaseRow[str, str, list[str]]]:
    """Return the attribute, name and parents of the classes that the shop created, in order."""
    columns = (ShopClassRow.attribute, ShopClassRow.name, ShopClassRow.parents)
    return connection.execute(select(*columns).order_by(ShopClassRow.number)).all()


def find_answer(connection: Connection, key: str | None) -> dict[str, Any] | None:
    """Return the earlier response to a request with this `Idempotency-Key`; None for a new one."""
    if key is None:
        return None
    return connection.execute(select(AnswerRow.response).where(AnswerRow.key == key)).scalar_one_or_none()


def keep_answer(connection: Connection, key: str | None, response: Mapping[str, Any]) -> None:
    """Store the response to a request with an `Idempotency-Key`, in the same transaction as its changes."""
    if key is not None:
        connection.execute(delete(AnswerRow).where(AnswerRow.at < now() - _ANSWERS_ARE_KEPT))
        connection.execute(insert(AnswerRow).values(key=key, at=now(), response=dict(response)))


def now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


def new_id() -> str:
    """Return a short id that nobody can guess."""
    return secrets.token_hex(6)


def iter_parts(items: Sequence[Item], size: int = _MOST_IN_A_STATEMENT) -> Iterator[Sequence[Item]]:
    """Iterate a list in parts that fit into one statement."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
