"""Shop models and their versions, the shop's own classes and settings, and the base of each model."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime(timezone=True)


def _json(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.JSON(), nullable=False)


def upgrade() -> None:
    """Create the tables. No model that is stored was adapted in the store."""
    op.add_column("models", sa.Column("base", _NUMBER))
    op.create_table(
        "shop_models",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("base", _NUMBER, sa.ForeignKey("models.number"), nullable=False),
        sa.Column("model", _NUMBER, sa.ForeignKey("models.number"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("previous", _NUMBER),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("created_by", sa.Text()),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("decision", _NUMBER, nullable=False),
        *map(_json, ("learnt_from", "figures", "forgetting", "learnt")),
        sa.Column("size_bytes", _NUMBER, nullable=False),
        sa.Column("override_reason", sa.Text()),
        sa.UniqueConstraint("base", "version"),
    )
    op.create_table(
        "shop_classes",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("attribute", sa.String(100), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        *map(_json, ("parents", "names")),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("created_by", sa.Text()),
        sa.UniqueConstraint("attribute", "name"),
    )
    op.create_table("shop_settings", sa.Column("key", sa.String(100), primary_key=True), _json("value"))
