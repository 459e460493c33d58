"""Drop the tables of jobs if they are empty. Otherwise `store.first_edition` converts the jobs and drops them later."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Drop the tables if they are empty."""
    if not op.get_bind().execute(sa.text("SELECT count(*) FROM jobs")).scalar_one():
        for name in ("job_labels", "job_results", "job_photos", "jobs"):
            op.drop_table(name)
