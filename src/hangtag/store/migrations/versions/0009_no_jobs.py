"""The tables of jobs go, unless they hold some: `store.first_edition` makes batches of those, and removes them then."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Drop the tables if they are empty."""
    if not op.get_bind().execute(sa.text("SELECT count(*) FROM jobs")).scalar_one():
        for name in ("job_labels", "job_results", "job_photos", "jobs"):
            op.drop_table(name)
