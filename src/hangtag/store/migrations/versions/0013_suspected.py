"""The attribute of a product that a check of the catalogue suspects."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the column. Products of earlier reviews are asked about as before."""
    op.add_column("products", sa.Column("suspected", sa.Text(), nullable=True))
