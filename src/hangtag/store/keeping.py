"""Storage quotas, for the whole store and for each person's batches."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, select

from hangtag.domain.errors import StoreError
from hangtag.store.tables import BatchRow, PhotoRow, ProductRow


class QuotaError(StoreError):
    """A quota is used up."""

    code = "quota"


@dataclass(frozen=True, slots=True)
class Usage:
    """What is stored. A photo in two batches counts twice."""

    photo_bytes: int = 0
    products: int = 0


@dataclass(frozen=True, slots=True)
class Quotas:
    """The storage limits, in total and per person; None for no limit."""

    photo_bytes: int | None = None
    products: int | None = None
    photo_bytes_per_person: int | None = None
    products_per_person: int | None = None

    def check(self, connection: Connection, person: str | None, adding: Usage | None = None) -> None:
        """Raise `QuotaError` if a limit is exceeded after this transaction's additions, or would be with `adding`."""
        more = adding or Usage()
        own = BatchRow.created_by.is_(None) if person is None else BatchRow.created_by == person
        for condition, limits, whose in (
            ([], (self.photo_bytes, self.products), "this service"),
            (
                [own],
                (self.photo_bytes_per_person, self.products_per_person),
                person or "people without a name",
            ),
        ):
            if limits == (None, None):
                continue
            used = measure_usage(connection, *condition)
            most_bytes, most_products = limits
            if most_bytes is not None and used.photo_bytes + more.photo_bytes > most_bytes:
                raise _used_up(f"{most_bytes / 1e9:,.1f} GB of photos", whose)
            if most_products is not None and used.products + more.products > most_products:
                raise _used_up(f"{most_products:,} products", whose)


def measure_usage(connection: Connection, *conditions: ColumnElement[bool]) -> Usage:
    """Return the usage of the batches whose rows meet the conditions."""
    size = select(func.coalesce(func.sum(PhotoRow.size_bytes), 0))
    count = select(func.count()).select_from(ProductRow).where(~ProductRow.removed)
    if conditions:
        size = size.join(BatchRow, BatchRow.number == PhotoRow.batch).where(*conditions)
        count = count.join(BatchRow, BatchRow.number == ProductRow.batch).where(*conditions)
    return Usage(int(connection.execute(size).scalar_one()), connection.execute(count).scalar_one())


def find_unchanged(connection: Connection, before: datetime) -> list[str]:
    """Return the ids of the batches that nobody has changed since a moment, longest unchanged first."""
    unchanged = select(BatchRow.id).where(BatchRow.updated < before).order_by(BatchRow.updated)
    return list(connection.execute(unchanged).scalars())


def _used_up(what: str, whose: str) -> QuotaError:
    return QuotaError(
        f"there is room for {what} of {whose}, and this would be more",
        fix="Delete batches that are no longer needed, or ask an administrator for more space.",
    )
