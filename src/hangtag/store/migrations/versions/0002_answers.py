"""How much of each path is sure, and the flags of each photo."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns. What is stored knows of no doubt and has no flags."""
    op.add_column("job_results", sa.Column("sure", sa.Integer()))
    op.add_column("job_results", sa.Column("flags", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("job_results_by_flags", "job_results", ["job", "flags", "position"])
