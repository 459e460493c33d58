"""Jobs, their photos, results and labels."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables."""
    _create_jobs()
    op.create_table(
        "job_photos",
        sa.Column("job", _NUMBER, sa.ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("upload", sa.Integer()),
        sa.Column("entry", sa.Integer()),
        sa.Column("carried", sa.JSON()),
    )
    _create_results()
    _create_labels()


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False, index=True),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("model_sha256", sa.String(64), nullable=False),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("started", _MOMENT),
        sa.Column("finished", _MOMENT),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("absent", sa.Integer(), nullable=False),
        sa.Column("worked_s", sa.Double(), nullable=False),
        sa.Column("message", sa.Text()),
        sa.Column("carried", sa.JSON(), nullable=False),
        sa.Column("vocabulary", sa.JSON(), nullable=False),
    )


def _create_results() -> None:
    op.create_table(
        "job_results",
        sa.Column("job", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer(), primary_key=True),
        sa.Column("reason", sa.String(32)),
        sa.Column("detail", sa.Text()),
        sa.Column("confidence", sa.Double()),
        sa.Column("doubtful", sa.Integer(), nullable=False),
        sa.Column("answer", sa.JSON()),
        sa.Column("corrections", sa.JSON()),
        sa.ForeignKeyConstraint(
            ["job", "position"], ["job_photos.job", "job_photos.position"], ondelete="CASCADE"
        ),
    )
    op.create_index("job_results_by_reason", "job_results", ["job", "reason", "position"])
    op.create_index("job_results_by_doubt", "job_results", ["job", "doubtful", "position"])
    op.create_index("job_results_by_confidence", "job_results", ["job", "confidence", "position"])


def _create_labels() -> None:
    op.create_table(
        "job_labels",
        sa.Column("job", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer(), primary_key=True),
        sa.Column("column", sa.Text(), primary_key=True),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job", "position"], ["job_results.job", "job_results.position"], ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("job_labels_by_label", "job_labels", ["job", "column", "label", "confidence", "position"])
