"""A person's identity at an OpenID provider."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column. A unique index replaces a unique constraint, which SQLite cannot add."""
    op.add_column("accounts", sa.Column("subject", sa.String(64), nullable=True))
    op.create_index("accounts_by_subject", "accounts", ["subject"], unique=True)
