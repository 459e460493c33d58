"""The tables of what hangtag learns from a shop: its models, its own classes, its settings."""

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hangtag.store.database import Base, UtcTime
from hangtag.store.tables import Json, Number


class ShopModelRow(Base):
    """A version of a shop model: `base` with heads that learned from checks. Its bundle is in the data folder.

    `model` is its row among the models that label. `previous` is the version in use before it, None for the base
    itself. `decision` is the last decision that it learned from, and `figures` its evaluation. `learnt` is what changed
    when it came into use: counts by batch.
    """

    __tablename__ = "shop_models"
    __table_args__ = (UniqueConstraint("base", "version"),)

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    base: Mapped[int] = mapped_column(ForeignKey("models.number"))
    model: Mapped[int] = mapped_column(ForeignKey("models.number"))
    version: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(Text)
    stage: Mapped[str] = mapped_column(String(16))
    previous: Mapped[int | None] = mapped_column(Number)
    created: Mapped[datetime] = mapped_column(UtcTime)
    created_by: Mapped[str | None] = mapped_column(Text)
    automatic: Mapped[bool] = mapped_column(Boolean)
    decision: Mapped[int] = mapped_column(Number)
    learnt_from: Mapped[dict[str, Any]] = mapped_column(Json)
    figures: Mapped[dict[str, Any]] = mapped_column(Json)
    forgetting: Mapped[dict[str, Any]] = mapped_column(Json)
    learnt: Mapped[dict[str, Any]] = mapped_column(Json)
    size_bytes: Mapped[int] = mapped_column(Number)
    override_reason: Mapped[str | None] = mapped_column(Text)


class ShopClassRow(Base):
    """A class that the shop created: a label of `attribute`. `parents` are the labels above it in a category path.

    `names` are display names by language.
    """

    __tablename__ = "shop_classes"
    __table_args__ = (UniqueConstraint("attribute", "name"),)

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    attribute: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(200))
    parents: Mapped[list[str]] = mapped_column(Json)
    names: Mapped[dict[str, str]] = mapped_column(Json)
    created: Mapped[datetime] = mapped_column(UtcTime)
    created_by: Mapped[str | None] = mapped_column(Text)


class ShopSettingRow(Base):
    """A setting of the shop, as JSON."""

    __tablename__ = "shop_settings"

    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    value: Mapped[dict[str, Any]] = mapped_column(Json)
