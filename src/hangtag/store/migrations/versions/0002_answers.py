"""How much of each path the model is confident of, and the flags of each photo."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns. Existing rows are confident and have no flags."""
    op.add_column("job_results", sa.Column("sure", sa.Integer()))
    op.add_column("job_results", sa.Column("flags", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("job_results_by_flags", "job_results", ["job", "flags", "position"])
