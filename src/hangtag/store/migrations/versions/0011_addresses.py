"""The addresses from which photos are fetched."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the columns, and an index of what is still to be fetched."""
    op.add_column("photos", sa.Column("address", sa.Text(), nullable=True))
    op.add_column("photos", sa.Column("fetch_from", sa.DateTime(timezone=True), nullable=True))
    waiting = sa.text("fetch_from IS NOT NULL")
    op.create_index(
        "photos_to_fetch", "photos", ["batch", "fetch_from"], sqlite_where=waiting, postgresql_where=waiting
    )
