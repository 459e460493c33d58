"""Saved templates and mappings; webhooks and their queued messages."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime(timezone=True)


def _webhook(*, primary_key: bool = False) -> sa.Column[int]:
    key = sa.ForeignKey("webhooks.number", ondelete="CASCADE")
    return sa.Column("webhook", _NUMBER, key, nullable=False, primary_key=primary_key)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "shop_documents",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated", _MOMENT, nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=True),
        sa.UniqueConstraint("kind", "key", name="shop_documents_by_name"),
    )
    op.create_table(
        "webhooks",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=True),
        sa.Column("previous_until", _MOMENT, nullable=True),
        sa.Column("disabled", sa.Text(), nullable=True),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=True),
    )
    op.create_table(
        "webhook_batches",
        _webhook(primary_key=True),
        sa.Column("batch", sa.String(32), primary_key=True),
        sa.Column("rebuilt", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("product", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
    )
    _create_deliveries()


def _create_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("id", sa.String(40), nullable=False, unique=True),
        _webhook(),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due", _MOMENT, nullable=False),
        sa.Column("leased", _MOMENT, nullable=True),
        sa.Column("tried", _MOMENT, nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("took_ms", sa.Integer(), nullable=True),
        sa.Column("is_repeat", sa.Boolean(), nullable=False),
        sa.Column("created", _MOMENT, nullable=False),
    )
    op.create_index("webhook_deliveries_due", "webhook_deliveries", ["state", "due"])
    op.create_index("webhook_deliveries_by_webhook", "webhook_deliveries", ["webhook", "number"])
