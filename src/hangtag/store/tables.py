"""The tables of the store.

Decisions are stored next to predictions, never instead of them. Some columns of `products` are derived from other
tables (`state`, `needs`, `predicted`...), so that they can be listed, counted and filtered quickly. They are written
only by `refresh.refresh_products`.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from hangtag.store.database import Base, UtcTime

Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite auto-increments only INTEGER columns
Json = JSON(none_as_null=True)


class ModelRow(Base):
    """A version of a model that labelled something. Its card is stored as JSON, so its file is not needed later.

    `base` is the number of the model from which it was adapted in this store; its outputs follow from its base's.
    """

    __tablename__ = "models"

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    id: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    version: Mapped[str] = mapped_column(Text)
    base: Mapped[int | None] = mapped_column(Number)
    card: Mapped[str] = mapped_column(Text, deferred=True)


class BatchRow(Base):
    """A batch. `number` counts up; `id` is its id in the API.

    `revision` increases with every change to the batch, and each product has the revision of its last change, so a
    client can ask for all changes since a revision. `rebuilt` is the last one in which products were removed. `sheet`
    describes the uploaded table (`sheet_files.StoredSheet`), `grouping` how photos are grouped into products.
    """

    __tablename__ = "batches"

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    name: Mapped[str] = mapped_column(Text)
    model: Mapped[int] = mapped_column(ForeignKey("models.number"))
    state: Mapped[str] = mapped_column(String(16), index=True)
    message: Mapped[str | None] = mapped_column(Text)
    created: Mapped[datetime] = mapped_column(UtcTime)
    updated: Mapped[datetime] = mapped_column(UtcTime, index=True)
    created_by: Mapped[str | None] = mapped_column(Text)
    assigned_to: Mapped[str | None] = mapped_column(Text)
    archived: Mapped[bool] = mapped_column(Boolean)
    revision: Mapped[int] = mapped_column(Number)
    rebuilt: Mapped[int] = mapped_column(Number)
    sheet: Mapped[dict[str, Any] | None] = mapped_column(Json)
    grouping: Mapped[dict[str, Any]] = mapped_column(Json)


class SheetRow(Base):
    """A row of a batch's table: its line number in the file, and its cells as text. Columns have kinds for typing."""

    __tablename__ = "sheet_rows"

    batch: Mapped[int] = mapped_column(ForeignKey("batches.number", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    line: Mapped[int] = mapped_column(Integer)
    cells: Mapped[list[str]] = mapped_column(Json)


class ProductRow(Base):
    """A product: one label for one or several photos.

    `key` is its SKU, `row` the position of its row in the batch's table, `known` the labels in that row. `predicted` is
    the model's prediction (`labels.Predicted`), `said` the labels that people set or confirmed, by attribute.
    `overruled` is a person's decision whether it is a product (False) or not (True). A `removed` product was deleted
    and can come back. `duplicate` says that all its photos came before, in this batch or another one, `near_duplicate`
    that all of them did or show the same picture as an earlier one.
    """

    __tablename__ = "products"
    __table_args__ = (
        Index("products_by_revision", "batch", "revision"),
        Index("products_by_position", "batch", "position"),
    )

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    batch: Mapped[int] = mapped_column(ForeignKey("batches.number", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(Integer)
    key: Mapped[str | None] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    row: Mapped[int | None] = mapped_column(Integer)
    known: Mapped[dict[str, str] | None] = mapped_column(Json)
    predicted: Mapped[dict[str, Any] | None] = mapped_column(Json)
    said: Mapped[dict[str, Any]] = mapped_column(Json)
    checked: Mapped[bool] = mapped_column(Boolean)
    overruled: Mapped[bool | None] = mapped_column(Boolean)
    marks: Mapped[dict[str, bool]] = mapped_column(Json)
    assigned_to: Mapped[str | None] = mapped_column(Text)
    removed: Mapped[bool] = mapped_column(Boolean)
    duplicate: Mapped[bool] = mapped_column(Boolean, server_default=false())
    near_duplicate: Mapped[bool] = mapped_column(Boolean, server_default=false())
    suspected: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    needs: Mapped[str | None] = mapped_column(Text)
    why: Mapped[str | None] = mapped_column(String(32))
    labels: Mapped[dict[str, Any]] = mapped_column(Json)
    confidence: Mapped[float | None] = mapped_column(Double)
    search: Mapped[str] = mapped_column(Text)
    comments: Mapped[int] = mapped_column(Integer)
    version: Mapped[int] = mapped_column(Integer)
    revision: Mapped[int] = mapped_column(Number)
    updated: Mapped[datetime] = mapped_column(UtcTime)
    updated_by: Mapped[str | None] = mapped_column(Text)


class PhotoRow(Base):
    """A photo of a product. Its content is in the data folder under its SHA-256; without one, it has no content.

    `todo`: the batch's model has not labelled it yet. `reason` and `detail` say why it cannot be labelled. `by_hand`
    pins it to its product when photos are regrouped. For a photo with an `address`, `fetch_from` is the earliest time
    to fetch it; None if there is nothing to fetch.
    """

    __tablename__ = "photos"
    __table_args__ = (
        Index("photos_by_batch", "batch", "position"),
        Index("photos_to_do", "todo", "batch", "position"),
        Index(
            "photos_to_fetch",
            "batch",
            "fetch_from",
            sqlite_where=text("fetch_from IS NOT NULL"),
            postgresql_where=text("fetch_from IS NOT NULL"),
        ),
    )

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    batch: Mapped[int] = mapped_column(ForeignKey("batches.number", ondelete="CASCADE"))
    product: Mapped[int] = mapped_column(ForeignKey("products.number", ondelete="CASCADE"), index=True)
    position: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size_bytes: Mapped[int] = mapped_column(Number)
    width: Mapped[int | None] = mapped_column(Integer)
    height: Mapped[int | None] = mapped_column(Integer)
    view: Mapped[str | None] = mapped_column(String(16))
    by_hand: Mapped[bool] = mapped_column(Boolean)
    todo: Mapped[bool] = mapped_column(Boolean)
    reason: Mapped[str | None] = mapped_column(String(32))
    detail: Mapped[str | None] = mapped_column(Text)
    duplicate_of: Mapped[int | None] = mapped_column(Number)
    near_duplicate_of: Mapped[int | None] = mapped_column(Number)
    address: Mapped[str | None] = mapped_column(Text)
    fetch_from: Mapped[datetime | None] = mapped_column(UtcTime)


class PredictionRow(Base):
    """The outputs of a model version for a photo: the logits of all heads, float32, in the order of its card."""

    __tablename__ = "predictions"

    photo: Mapped[int] = mapped_column(ForeignKey("photos.number", ondelete="CASCADE"), primary_key=True)
    model: Mapped[int] = mapped_column(ForeignKey("models.number"), primary_key=True)
    logits: Mapped[bytes] = mapped_column(LargeBinary)
    ood_score: Mapped[float | None] = mapped_column(Double)
    flags: Mapped[int] = mapped_column(Integer)


class EmbeddingRow(Base):
    """The embedding that a model version gives a photo, as float16."""

    __tablename__ = "embeddings"

    photo: Mapped[int] = mapped_column(ForeignKey("photos.number", ondelete="CASCADE"), primary_key=True)
    model: Mapped[int] = mapped_column(ForeignKey("models.number"), primary_key=True)
    vector: Mapped[bytes] = mapped_column(LargeBinary)


class AppearanceRow(Base):
    """The near-duplicate features of a photo: the `code` and the `thumbnail` of `imaging.fingerprint`.

    A `number` is never reused, so that new rows have larger numbers than all that were read before.
    """

    __tablename__ = "appearances"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    photo: Mapped[int] = mapped_column(ForeignKey("photos.number", ondelete="CASCADE"), unique=True)
    code: Mapped[bytes] = mapped_column(LargeBinary)
    thumbnail: Mapped[bytes] = mapped_column(LargeBinary)


class DecisionRow(Base):
    """One decision of a person on one or more products. `target` is the decision that it undoes or redoes."""

    __tablename__ = "decisions"
    __table_args__ = (Index("decisions_by_batch", "batch", "number"),)

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    batch: Mapped[int] = mapped_column(ForeignKey("batches.number", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(16))
    who: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcTime)
    target: Mapped[int | None] = mapped_column(Number)
    products: Mapped[int] = mapped_column(Integer)


class ChangeRow(Base):
    """The change of one product by a decision: the fields that a person decides on, before and after."""

    __tablename__ = "decision_changes"
    __table_args__ = (Index("decision_changes_by_product", "product"),)

    decision: Mapped[int] = mapped_column(
        ForeignKey("decisions.number", ondelete="CASCADE"), primary_key=True
    )
    product: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    before: Mapped[dict[str, Any]] = mapped_column(Json)
    after: Mapped[dict[str, Any]] = mapped_column(Json)


class CommentRow(Base):
    """A comment on a product."""

    __tablename__ = "comments"

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    product: Mapped[int] = mapped_column(ForeignKey("products.number", ondelete="CASCADE"), index=True)
    who: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcTime)
    text: Mapped[str] = mapped_column(Text)


class ViewRow(Base):
    """A saved view: a name for a query of the page. Views without a batch appear in all of them."""

    __tablename__ = "views"

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    batch: Mapped[int | None] = mapped_column(ForeignKey("batches.number", ondelete="CASCADE"), index=True)
    position: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(Text)
    query: Mapped[str] = mapped_column(Text)


class AnswerRow(Base):
    """The response to a request with an `Idempotency-Key`, which a repeated request gets again."""

    __tablename__ = "answers"

    key: Mapped[str] = mapped_column(String(300), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    response: Mapped[dict[str, Any]] = mapped_column(Json)
