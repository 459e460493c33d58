"""The tables for exports: saved templates and mappings, and webhooks with their queued messages."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hangtag.store.database import Base, UtcTime
from hangtag.store.tables import Json, Number


class DocumentRow(Base):
    """A saved template or mapping. `key` is its name without case: names of one kind never differ only in case."""

    __tablename__ = "shop_documents"
    __table_args__ = (UniqueConstraint("kind", "key", name="shop_documents_by_name"),)

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    key: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(200))
    document: Mapped[dict[str, Any]] = mapped_column(Json)
    version: Mapped[int] = mapped_column(Integer)
    updated: Mapped[datetime] = mapped_column(UtcTime)
    updated_by: Mapped[str | None] = mapped_column(Text)


class WebhookRow(Base):
    """An address that is notified of changes. The secret is stored in plain text, as every message is signed with it.

    `disabled` is the reason why nothing is sent any more. `previous` is the previous secret, which is also used to
    sign until `previous_until`.
    """

    __tablename__ = "webhooks"

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    url: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    events: Mapped[list[str]] = mapped_column(Json)
    secret: Mapped[str] = mapped_column(Text)
    previous: Mapped[str | None] = mapped_column(Text)
    previous_until: Mapped[datetime | None] = mapped_column(UtcTime)
    disabled: Mapped[str | None] = mapped_column(Text)
    created: Mapped[datetime] = mapped_column(UtcTime)
    created_by: Mapped[str | None] = mapped_column(Text)


class WebhookBatchRow(Base):
    """How much of a batch a webhook has been told: the cursor of the last product, and the batch's state.

    It refers to the batch only by its id, so it outlives the batch and can report its deletion.
    """

    __tablename__ = "webhook_batches"

    webhook: Mapped[int] = mapped_column(ForeignKey("webhooks.number", ondelete="CASCADE"), primary_key=True)
    batch: Mapped[str] = mapped_column(String(32), primary_key=True)
    rebuilt: Mapped[int] = mapped_column(BigInteger)
    revision: Mapped[int] = mapped_column(BigInteger)
    product: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16))


class DeliveryRow(Base):
    """A message to a webhook: `waiting`, `delivered` or `failed`. `due` is the time of the next attempt.

    `leased` is until when a process has it; afterwards another one may take it.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index("webhook_deliveries_due", "state", "due"),
        Index("webhook_deliveries_by_webhook", "webhook", "number"),
    )

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    webhook: Mapped[int] = mapped_column(ForeignKey("webhooks.number", ondelete="CASCADE"))
    event: Mapped[str] = mapped_column(String(32))
    payload: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(Integer)
    due: Mapped[datetime] = mapped_column(UtcTime)
    leased: Mapped[datetime | None] = mapped_column(UtcTime)
    tried: Mapped[datetime | None] = mapped_column(UtcTime)
    status: Mapped[int | None] = mapped_column(Integer)
    problem: Mapped[str | None] = mapped_column(Text)
    took_ms: Mapped[int | None] = mapped_column(Integer)
    is_repeat: Mapped[bool] = mapped_column(Boolean)
    created: Mapped[datetime] = mapped_column(UtcTime)
