"""Whether all photos of a product are duplicates."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the column, and fill it."""
    op.add_column("products", sa.Column("duplicate", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(
        "UPDATE products SET duplicate = true"
        " WHERE EXISTS (SELECT 1 FROM photos WHERE product = products.number)"
        " AND NOT EXISTS (SELECT 1 FROM photos WHERE product = products.number AND duplicate_of IS NULL)"
    )
