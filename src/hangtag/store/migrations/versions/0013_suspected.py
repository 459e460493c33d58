"""The attribute of a product that the catalogue's check suspects to be wrong."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the column. Products of earlier reviews have none."""
    op.add_column("products", sa.Column("suspected", sa.Text(), nullable=True))
