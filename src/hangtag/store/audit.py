"""The audit log: who did what, to what, from where, and whether it was allowed. Entries are only ever added."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, delete, func, insert, select

from hangtag.store.account_tables import AuditRow
from hangtag.store.database import writing


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Something that someone did.

    `who` is None if they did not sign in; `via` is password, session, token and its name, proxy or command. `what` is
    an operation of the API or of the command line. `target` is the person or thing that was affected.
    """

    what: str
    who: str | None = None
    via: str = "session"
    target: str | None = None
    address: str = ""
    allowed: bool = True


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An event with its number and time."""

    number: int
    at: datetime
    event: AuditEvent


class AuditLog:
    """Adds to the log and reads it. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, event: AuditEvent) -> None:
        """Add an event."""
        values = {
            "at": datetime.now(UTC),
            "who": event.who,
            "via": event.via[:200],
            "what": event.what,
            "target": event.target,
            "address": event.address[:64],
            "allowed": event.allowed,
        }
        with writing(self._engine) as connection:
            connection.execute(insert(AuditRow).values(**values))

    def entries(
        self, *, who: str | None = None, what: str | None = None, before: int | None = None, limit: int = 100
    ) -> tuple[list[AuditEntry], int]:
        """Return entries, the newest first, and their total: of a person or an operation, before an entry's number."""
        conditions = [AuditRow.who == who] if who else []
        conditions += [AuditRow.what == what] if what else []
        page = select(*AuditRow.__table__.columns).where(*conditions).order_by(AuditRow.number.desc())
        page = page if before is None else page.where(AuditRow.number < before)
        with self._engine.connect() as connection:
            rows = connection.execute(page.limit(limit)).all()
            total = connection.execute(
                select(func.count()).select_from(AuditRow).where(*conditions)
            ).scalar_one()
        return [AuditEntry(row.number, row.at, _event(row._mapping)) for row in rows], total  # noqa: SLF001 - its API

    def purge(self, kept: timedelta) -> None:
        """Remove entries that are older than this."""
        with writing(self._engine) as connection:
            connection.execute(delete(AuditRow).where(AuditRow.at < datetime.now(UTC) - kept))


def _event(row: object) -> AuditEvent:
    names = ("what", "who", "via", "target", "address", "allowed")
    return AuditEvent(**{name: row[name] for name in names})  # type: ignore[index]  # a mapping of the row's columns
