"""Which service labels which batch, and what a process was working on when it died.

Several services can share a PostgreSQL database. Each labels the batches that it has claimed, and a batch whose claim
is not renewed for a while goes to another service. A SQLite file has one service, so any other claim is from a process
that has ended.

A claim that was not released means that the process died. After one death, photos are labelled one by one and recorded
before they are touched, so the second death shows which photo caused it. The third sets that photo aside.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    Connection,
    DateTime,
    ForeignKey,
    Integer,
    Interval,
    String,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from hangtag.store.database import Base, UtcTime, writing
from hangtag.store.store import Store, now
from hangtag.store.tables import BatchRow, Number, PhotoRow

LEASE_S: Final = 30.0
"""How long a claim is valid without being renewed."""

MOST_DEATHS: Final = 3
SEVERAL: Final = 0
"""The value of `in_hand` while many photos are labelled at once. A photo's number is never this."""

_HAS_WORK: Final = exists().where(PhotoRow.todo, PhotoRow.batch == BatchRow.number)
"""Whether there is a photo to label: a batch may also wait for photos that are being fetched."""


class ClaimRow(Base):
    """The claim of a process on a batch. `in_hand` is a photo's number, `SEVERAL`, or None while the model loads.

    `deaths` counts the deaths at which `in_hand` was `suspect`.
    """

    __tablename__ = "claims"

    batch: Mapped[int] = mapped_column(ForeignKey("batches.number", ondelete="CASCADE"), primary_key=True)
    holder: Mapped[str] = mapped_column(String(32))
    expires: Mapped[datetime] = mapped_column(UtcTime)
    in_hand: Mapped[int | None] = mapped_column(Number)
    suspect: Mapped[int | None] = mapped_column(Number)
    deaths: Mapped[int] = mapped_column(Integer)


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch claimed by this process: its number, its model's number, and what was in hand at how many deaths."""

    batch: int
    model: int
    suspect: int | None = None
    deaths: int = 0

    @property
    def is_careful(self) -> bool:
        """Whether photos should be labelled one by one."""
        return self.deaths > 0

    @property
    def is_poison(self) -> bool:
        """Whether the suspect should be set aside: a photo, or the whole batch if no photo was in hand."""
        return self.deaths >= MOST_DEATHS


class Claims:
    """The claims of one process on the batches of a store."""

    def __init__(self, store: Store, lease_s: float = LEASE_S) -> None:
        self._engine = store.engine
        self._holder = secrets.token_hex(8)
        self._lease = timedelta(seconds=lease_s)
        self.is_shared = store.engine.dialect.name != "sqlite"

    def take(self) -> Claim | None:
        """Claim the batch to label next and return it; None if there is none. The one changed last comes first."""
        waiting = (
            select(BatchRow.number, BatchRow.model)
            .outerjoin(ClaimRow, ClaimRow.batch == BatchRow.number)
            .where(BatchRow.state == "labelling", _HAS_WORK, self._is_free())
            .order_by(BatchRow.archived, BatchRow.updated.desc())
            .limit(1)
        )
        with self._engine.connect() as connection:  # most calls find nothing and need no lock
            if connection.execute(waiting).first() is None:
                return None
        with writing(self._engine) as connection:
            found = connection.execute(waiting.with_for_update(of=BatchRow, skip_locked=True)).first()
            return None if found is None else self._claim(connection, found.number, found.model)

    def note(self, batch: int, in_hand: int | None) -> None:
        """Record what is in hand from now on, before it is touched."""
        with writing(self._engine) as connection:
            self._update(connection, batch, in_hand=in_hand)

    def renew(self, connection: Connection, batch: int) -> bool:
        """Extend the claim on a batch within a transaction. Returns False if another process has claimed it."""
        return self._update(connection, batch) > 0

    def renew_all(self) -> None:
        """Extend all claims of this process."""
        with writing(self._engine) as connection:
            own = ClaimRow.holder == self._holder
            connection.execute(update(ClaimRow).where(own).values(expires=self._moment(self._lease)))

    def clear(self, batch: int) -> None:
        """Forget the deaths of a batch: the suspect is labelled, or set aside."""
        with writing(self._engine) as connection:
            self._update(connection, batch, deaths=0, suspect=None, in_hand=SEVERAL)

    def release(self, batch: int) -> None:
        """Release a batch."""
        with writing(self._engine) as connection:
            own = (ClaimRow.batch == batch) & (ClaimRow.holder == self._holder)
            connection.execute(delete(ClaimRow).where(own))

    def _is_free(self) -> Any:  # noqa: ANN401 - a condition
        if not self.is_shared:
            return true()
        expired = ClaimRow.expires < self._moment(timedelta())
        return or_(ClaimRow.batch.is_(None), ClaimRow.holder == self._holder, expired)

    def _claim(self, connection: Connection, batch: int, model: int) -> Claim | None:
        columns = (*ClaimRow.__table__.columns, self._is_free().label("is_free"))
        found = connection.execute(select(*columns).where(ClaimRow.batch == batch)).first()
        values: dict[str, Any] = {
            "holder": self._holder,
            "expires": self._moment(self._lease),
            "in_hand": None,
        }
        if found is None:
            connection.execute(insert(ClaimRow).values(batch=batch, suspect=None, deaths=0, **values))
            return Claim(batch, model)
        if not found.is_free:  # another process was faster
            return None
        suspect, deaths = found.suspect, found.deaths
        if found.holder != self._holder:
            # The suspect may now be narrowed down from several photos to one. Any other difference is a new suspect.
            is_known = suspect == SEVERAL and found.in_hand is not None
            deaths = deaths + 1 if suspect == found.in_hand or is_known else 1
            suspect = found.in_hand
        values |= {"suspect": suspect, "deaths": deaths}
        connection.execute(update(ClaimRow).where(ClaimRow.batch == batch).values(**values))
        return Claim(batch, model, suspect, deaths)

    def _update(self, connection: Connection, batch: int, **values: int | None) -> int:
        own = (ClaimRow.batch == batch) & (ClaimRow.holder == self._holder)
        values_and_lease = {"expires": self._moment(self._lease), **values}
        return connection.execute(update(ClaimRow).where(own).values(**values_and_lease)).rowcount

    def _moment(self, later: timedelta) -> Any:  # noqa: ANN401 - an expression or a value
        """Return a time relative to now by the database's clock, which all services share."""
        if not self.is_shared:
            return now() + later
        return func.clock_timestamp(type_=DateTime(timezone=True)) + literal(later, Interval)
