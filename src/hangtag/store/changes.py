"""Changes of a batch since a cursor, for systems that keep a copy of its products."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

from sqlalchemy import Connection, and_, or_, select
from sqlalchemy import Row as DatabaseRow

from hangtag.domain.errors import InvalidField, InvalidFieldsError
from hangtag.store.products import Products
from hangtag.store.tables import ProductRow

_CURSOR: Final = re.compile(r"(\d{1,18})-(\d{1,18})-(\d{1,18})", re.ASCII)


class Cursor(NamedTuple):
    """A reader's position: the last rebuild of the batch that it knows, and the last product, by its revision."""

    rebuilt: int
    revision: int
    product: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a cursor from an earlier response. Raises `InvalidFieldsError`."""
        match = _CURSOR.fullmatch(text)
        if match is None:
            raise InvalidFieldsError(InvalidField("cursor", "send the cursor of an earlier answer"))
        return cls(*map(int, match.groups()))

    def __str__(self) -> str:
        return "-".join(map(str, self))


@dataclass(frozen=True, slots=True)
class Changes:
    """Products that changed, in the order of their last changes, and those that were deleted.

    `is_reset`: these are the first of all products, and the reader's copy is out of date, for example because products
    were merged. `has_more`: there are more after the cursor right now.
    """

    products: list[dict[str, Any]]
    removed: list[str]
    cursor: Cursor
    is_reset: bool
    has_more: bool


def read_changes(products: Products, batch_id: str, cursor: Cursor | None, limit: int) -> Changes:
    """Return the changes of a batch since a cursor; without one, all products. Raises `NotStoredError`."""
    with products.store.engine.connect() as connection:
        batch = products.store.find_batch(connection, batch_id)
        is_reset = cursor is None or cursor.rebuilt != batch.rebuilt or cursor.revision > batch.revision
        since = Cursor(batch.rebuilt, 0, 0) if cursor is None or is_reset else cursor
        rows = read_changed(connection, batch.number, since, limit + 1)
        has_more = len(rows) > limit
        rows = rows[:limit]
        described = products.describe(connection, batch, [row.number for row in rows if not row.removed])
    last = Cursor(batch.rebuilt, rows[-1].revision, rows[-1].number) if rows else since
    removed = [str(row.number) for row in rows if row.removed]
    return Changes(described, removed, last, is_reset, has_more)


def read_changed(
    connection: Connection, batch: int, since: Cursor, limit: int
) -> Sequence[DatabaseRow[int, int, bool]]:
    """Return the number, revision and `removed` of a batch's products that changed since a cursor, in order."""
    later = or_(
        ProductRow.revision > since.revision,
        and_(ProductRow.revision == since.revision, ProductRow.number > since.product),
    )
    statement = (
        select(ProductRow.number, ProductRow.revision, ProductRow.removed)
        .where(ProductRow.batch == batch, ProductRow.revision >= since.revision, later)
        .order_by(ProductRow.revision, ProductRow.number)
        .limit(limit)
    )
    return connection.execute(statement).all()
