"""People, one-time links, sessions, tokens and the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime(timezone=True)
_HASH = sa.String(64)


def _owner(*, nullable: bool = False) -> sa.Column[int]:
    key = sa.ForeignKey("accounts.number", ondelete="CASCADE")
    return sa.Column("account", _NUMBER, key, nullable=nullable, index=True)


def upgrade() -> None:
    """Create the tables."""
    _create_people()
    _create_tokens()
    _create_audit()


def _create_people() -> None:
    op.create_table(
        "accounts",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("key", sa.String(200), nullable=False, unique=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("last_seen", _MOMENT, nullable=True),
    )
    op.create_table(
        "invitations",
        sa.Column("hash", _HASH, primary_key=True),
        _owner(nullable=True),
        sa.Column("expires", _MOMENT, nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("hash", _HASH, primary_key=True),
        _owner(),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("last_used", _MOMENT, nullable=False),
        sa.Column("expires", _MOMENT, nullable=False),
    )


def _create_tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("hash", _HASH, nullable=False, unique=True),
        sa.Column("hint", sa.String(32), nullable=False),
        _owner(),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("actions", sa.String(200), nullable=False),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("expires", _MOMENT, nullable=True),
        sa.Column("last_used", _MOMENT, nullable=True),
    )


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("at", _MOMENT, nullable=False, index=True),
        sa.Column("who", sa.String(200), nullable=True, index=True),
        sa.Column("via", sa.String(200), nullable=False),
        sa.Column("what", sa.String(64), nullable=False, index=True),
        sa.Column("target", sa.Text(), nullable=True),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("allowed", sa.Boolean(), nullable=False),
    )
