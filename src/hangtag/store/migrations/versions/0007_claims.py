"""Which service labels which batch."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table."""
    batch = sa.ForeignKey("batches.number", ondelete="CASCADE")
    op.create_table(
        "claims",
        sa.Column("batch", _NUMBER, batch, primary_key=True, autoincrement=False),
        sa.Column("holder", sa.String(32), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("in_hand", _NUMBER, nullable=True),
        sa.Column("suspect", _NUMBER, nullable=True),
        sa.Column("deaths", sa.Integer(), nullable=False),
    )
