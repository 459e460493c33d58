"""The tables of people, their sessions and tokens, and of the audit log. Only hashes of secrets are stored."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hangtag.store.database import Base, UtcTime

Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite auto-increments only INTEGER columns
_HASH: int = 64


class AccountRow(Base):
    """A person. `key` is the name without case, so no two names differ only in case. `source` is how they sign in.

    `subject` identifies them at their OpenID provider, whatever their name there: the hash of issuer and subject.
    """

    __tablename__ = "accounts"
    __table_args__ = (Index("accounts_by_subject", "subject", unique=True),)

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    key: Mapped[str] = mapped_column(String(200), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(16))
    source: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str | None] = mapped_column(String(_HASH))
    password: Mapped[str | None] = mapped_column(Text)
    disabled: Mapped[bool] = mapped_column(Boolean)
    created: Mapped[datetime] = mapped_column(UtcTime)
    last_seen: Mapped[datetime | None] = mapped_column(UtcTime)


class InvitationRow(Base):
    """A one-time link with which a person chooses a password. Without an account, it is the first-start link."""

    __tablename__ = "invitations"

    hash: Mapped[str] = mapped_column(String(_HASH), primary_key=True)
    account: Mapped[int | None] = mapped_column(ForeignKey("accounts.number", ondelete="CASCADE"), index=True)
    expires: Mapped[datetime] = mapped_column(UtcTime)


class SessionRow(Base):
    """A browser in which someone is signed in."""

    __tablename__ = "sessions"

    hash: Mapped[str] = mapped_column(String(_HASH), primary_key=True)
    account: Mapped[int] = mapped_column(ForeignKey("accounts.number", ondelete="CASCADE"), index=True)
    address: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime] = mapped_column(UtcTime)
    last_used: Mapped[datetime] = mapped_column(UtcTime)
    expires: Mapped[datetime] = mapped_column(UtcTime)


class TokenRow(Base):
    """A person's token for programs. `actions` are separated by spaces; `hint` is the beginning of the secret."""

    __tablename__ = "tokens"

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    hash: Mapped[str] = mapped_column(String(_HASH), unique=True)
    hint: Mapped[str] = mapped_column(String(32))
    account: Mapped[int] = mapped_column(ForeignKey("accounts.number", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    actions: Mapped[str] = mapped_column(String(200))
    created: Mapped[datetime] = mapped_column(UtcTime)
    expires: Mapped[datetime | None] = mapped_column(UtcTime)
    last_used: Mapped[datetime | None] = mapped_column(UtcTime)


class AuditRow(Base):
    """Something that someone did. Names are copied, as entries outlive the people in them."""

    __tablename__ = "audit"

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    who: Mapped[str | None] = mapped_column(String(200), index=True)
    via: Mapped[str] = mapped_column(String(200))
    what: Mapped[str] = mapped_column(String(64), index=True)
    target: Mapped[str | None] = mapped_column(Text)
    address: Mapped[str] = mapped_column(String(64))
    allowed: Mapped[bool] = mapped_column(Boolean)
