"""Near-duplicate features of photos, and which photos are near duplicates of earlier ones."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table and the columns. Photos that are already labelled are not compared."""
    op.create_table(
        "appearances",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column(
            "photo", _NUMBER, sa.ForeignKey("photos.number", ondelete="CASCADE"), nullable=False, unique=True
        ),
        sa.Column("code", sa.LargeBinary(), nullable=False),
        sa.Column("thumbnail", sa.LargeBinary(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.add_column("photos", sa.Column("near_duplicate_of", _NUMBER, nullable=True))
    op.add_column(
        "products", sa.Column("near_duplicate", sa.Boolean(), nullable=False, server_default=sa.false())
    )
