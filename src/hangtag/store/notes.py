"""Comments on products, and saved views of a page."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import delete, func, insert, select, update

from hangtag.domain.errors import NotStoredError
from hangtag.store.database import writing
from hangtag.store.refresh import refresh_products
from hangtag.store.store import Store, now
from hangtag.store.tables import CommentRow, ProductRow, ViewRow

HANGTAG: Final = "hangtag"
"""The author of hangtag's own comments."""


class Notes:
    """Reads and writes comments and saved views."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def comments(self, batch_id: str, product: int) -> list[dict[str, Any]]:
        """Return the comments on a product, the oldest first."""
        with self._store.engine.connect() as connection:
            batch = self._store.find_batch(connection, batch_id)
            statement = (
                select(*CommentRow.__table__.columns)
                .join(ProductRow, ProductRow.number == CommentRow.product)
                .where(CommentRow.product == product, ProductRow.batch == batch.number)
                .order_by(CommentRow.number)
            )
            rows = connection.execute(statement).all()
        return [{"id": str(row.number), "who": row.who, "when": row.at, "text": row.text} for row in rows]

    def add_comment(self, batch_id: str, product: int, who: str | None, text: str) -> list[dict[str, Any]]:
        """Add a comment to a product, and return all of them. Raises `NotStoredError`."""
        with self._store.engine.connect() as connection:
            batch = self._store.find_batch(connection, batch_id)
        with self._store.changing(batch.number) as change:
            counted = select(func.count()).where(CommentRow.product == product).scalar_subquery()
            found = change.connection.execute(
                update(ProductRow)
                .where(ProductRow.number == product, ProductRow.batch == batch.number)
                .values(
                    comments=counted + 1,
                    version=ProductRow.version + 1,
                    revision=change.revision,
                    updated=now(),
                )
            )
            if not found.rowcount:
                raise NotStoredError("the batch has no such product")
            values = {"product": product, "who": who, "at": now(), "text": text}
            change.connection.execute(insert(CommentRow).values(**values))
        return self.comments(batch_id, product)

    def add_findings(self, batch_id: str, findings: Mapping[str, Sequence[tuple[str, str | None]]]) -> None:
        """Add findings as comments by hangtag to products, by key: the text, and the attribute that may be wrong."""
        with self._store.engine.connect() as connection:
            batch = self._store.find_batch(connection, batch_id)
        with self._store.changing(batch.number) as change:
            products = change.connection.execute(
                select(ProductRow.number, ProductRow.key).where(
                    ProductRow.batch == batch.number, ~ProductRow.removed
                )
            )
            found = {row.number: findings[row.key] for row in products if row.key in findings}
            for product, own in found.items():
                suspected = next((attribute for _, attribute in own if attribute), None)
                change.connection.execute(
                    update(ProductRow)
                    .where(ProductRow.number == product)
                    .values(comments=ProductRow.comments + len(own), suspected=suspected)
                )
            rows = [
                {"product": product, "who": HANGTAG, "at": now(), "text": text}
                for product, own in found.items()
                for text, _ in own
            ]
            if rows:
                change.connection.execute(insert(CommentRow), rows)
                refresh_products(self._store, change, found)

    def views(self, batch_id: str | None) -> list[dict[str, str]]:
        """Return the saved views of a batch, or those that every batch has."""
        with self._store.engine.connect() as connection:
            number = None if batch_id is None else self._store.find_batch(connection, batch_id).number
            own = ViewRow.batch.is_(None) if number is None else ViewRow.batch == number
            statement = select(ViewRow.name, ViewRow.query).where(own).order_by(ViewRow.position)
            return [{"name": name, "query": query} for name, query in connection.execute(statement)]

    def set_views(self, batch_id: str | None, views: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
        """Replace the saved views (name, query) of a batch, or those that every batch has."""
        with self._store.engine.connect() as connection:
            number = None if batch_id is None else self._store.find_batch(connection, batch_id).number
        own = ViewRow.batch.is_(None) if number is None else ViewRow.batch == number
        rows = [
            {"batch": number, "position": position, "name": name, "query": query}
            for position, (name, query) in enumerate(views)
        ]
        with writing(self._store.engine) as connection:
            connection.execute(delete(ViewRow).where(own))
            if rows:
                connection.execute(insert(ViewRow), rows)
        return self.views(batch_id)
