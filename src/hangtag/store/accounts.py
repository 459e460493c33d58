"""People and how they sign in: passwords, one-time links, sessions and tokens."""

import hashlib
import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import Connection, Engine, Select, delete, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from hangtag.domain.errors import AccountError
from hangtag.domain.roles import ACTIONS_BY_ROLE, TOKEN_SCOPES, Action, Role
from hangtag.store.account_tables import AccountRow, InvitationRow, SessionRow, TokenRow
from hangtag.store.database import writing

Source = Literal["password", "proxy", "oidc"]
"""How a person signs in: with a password here, through a trusted proxy, or at an OpenID provider."""

LONGEST_NAME: Final = 100
TOKEN_PREFIX: Final = "hangtag_"  # noqa: S105 - not a secret, but how each begins
"""The prefix of every token, so that secret scanners find tokens that were committed."""

_SECRET_BYTES: Final = 32
_HINT_LENGTH: Final = len(TOKEN_PREFIX) + 6
_SEEN_EVERY: Final = timedelta(minutes=1)
"""How often the last use of a session or token is updated."""


@dataclass(frozen=True, slots=True)
class Account:
    """A person of the team."""

    number: int
    name: str
    role: Role
    source: Source
    disabled: bool
    created: datetime
    last_seen: datetime | None
    password: str | None
    """The hash of the password; None until one is chosen."""
    subject: str | None = None
    """The person's identity at the OpenID provider (`hash_subject`)."""

    @property
    def actions(self) -> frozenset[Action]:
        """What this person may do."""
        return frozenset() if self.disabled else ACTIONS_BY_ROLE[self.role]


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a person: what it may do, how its secret begins, and when it was last used."""

    number: int
    name: str
    hint: str
    owner: Account
    scopes: frozenset[Action]
    created: datetime
    expires: datetime | None
    last_used: datetime | None

    @property
    def actions(self) -> frozenset[Action]:
        """What the token may do: never more than its owner."""
        return self.scopes & self.owner.actions


def _now() -> datetime:
    return datetime.now(UTC)


class Accounts:
    """Reads and writes people, one-time links, sessions and tokens. Thread-safe."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime] = _now) -> None:
        self.engine = engine
        self._clock = clock

    def list_people(self) -> list[Account]:
        """Return everyone, by name."""
        with self.engine.connect() as connection:
            rows = connection.execute(_select_accounts().order_by(AccountRow.key)).all()
        return [_account(row) for row in rows]

    def is_empty(self) -> bool:
        """Return whether nobody has an account yet."""
        with self.engine.connect() as connection:
            return not connection.execute(select(exists().select_from(AccountRow))).scalar()

    def find(self, name: str) -> Account | None:
        """Return the person with a name, ignoring case; None if there is none."""
        with self.engine.connect() as connection:
            row = connection.execute(_select_accounts().where(AccountRow.key == _key(name))).first()
        return None if row is None else _account(row)

    def find_subject(self, subject: str) -> Account | None:
        """Return the person with this identity at the OpenID provider; None if there is none."""
        with self.engine.connect() as connection:
            row = connection.execute(_select_accounts().where(AccountRow.subject == subject)).first()
        return None if row is None else _account(row)

    def find_number(self, number: int) -> Account | None:
        """Return the person with a number; None if there is none."""
        with self.engine.connect() as connection:
            return _find_number(connection, number)

    def add(self, name: str, role: Role, source: Source = "password", subject: str | None = None) -> Account:
        """Add a person. Raises `AccountError` for a name that is taken or invalid."""
        with writing(self.engine) as connection:
            return self._add(connection, name, role, source, subject)

    def recognise(self, number: int, subject: str) -> Account | None:
        """Store a person's identity at the OpenID provider. Returns None if they already have another one."""
        with writing(self.engine) as connection:
            unknown = (AccountRow.number == number) & AccountRow.subject.is_(None)
            connection.execute(update(AccountRow).where(unknown).values(subject=subject))
            account = _find_number(connection, number)
        return account if account is not None and account.subject == subject else None

    def change(self, number: int, *, role: Role | None = None, disabled: bool | None = None) -> Account:
        """Change a person's role, or disable or enable the account.

        Raises `AccountError` if the person does not exist, or if nobody could administer the service afterwards.
        """
        values: dict[str, Any] = {} if role is None else {"role": role.value}
        values |= {} if disabled is None else {"disabled": disabled}
        with writing(self.engine) as connection, _keeping_an_administrator(connection):
            if values:
                connection.execute(update(AccountRow).where(AccountRow.number == number).values(**values))
            if disabled:
                connection.execute(delete(SessionRow).where(SessionRow.account == number))
                connection.execute(delete(InvitationRow).where(InvitationRow.account == number))
            return _require(_find_number(connection, number))

    def remove(self, number: int) -> None:
        """Remove a person with all sessions and tokens. Their decisions keep their name. Raises as `change`."""
        with writing(self.engine) as connection, _keeping_an_administrator(connection):
            _require(_find_number(connection, number))
            connection.execute(delete(AccountRow).where(AccountRow.number == number))

    def set_password(self, number: int, hashed: str, keep_session: str | None = None) -> None:
        """Store the hash of a new password, and end all other sessions of the person."""
        with writing(self.engine) as connection:
            connection.execute(update(AccountRow).where(AccountRow.number == number).values(password=hashed))
            others = delete(SessionRow).where(SessionRow.account == number)
            if keep_session is not None:
                others = others.where(SessionRow.hash != _hash(keep_session))
            connection.execute(others)

    def invite(self, number: int | None, lasts: timedelta) -> str:
        """Return the secret of a new one-time link, which replaces older ones.

        Without a person it is the first-start link, which creates an administrator. Raises `AccountError` for a person
        who signs in elsewhere.
        """
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        own = InvitationRow.account.is_(None) if number is None else InvitationRow.account == number
        values = {"hash": _hash(secret), "account": number, "expires": self._clock() + lasts}
        with writing(self.engine) as connection:
            account = None if number is None else _find_number(connection, number)
            if account is not None and account.source != "password":
                raise AccountError(f"{account.name} signs in elsewhere and needs no link")
            connection.execute(delete(InvitationRow).where(own))
            connection.execute(insert(InvitationRow).values(**values))
        return secret

    def find_invited(self, secret: str) -> tuple[bool, Account | None]:
        """Return whether a one-time link is valid, and the person it is for (None for the first-start link)."""
        with self.engine.connect() as connection:
            return self._find_invited(connection, secret)

    def accept(self, secret: str, name: str, hashed: str) -> Account | None:
        """Use a one-time link: set the person's password and end all sessions. Returns None if the link is invalid.

        The first-start link adds an administrator with this name if there are no accounts yet. Raises as `add`.
        """
        with writing(self.engine) as connection:
            valid, account = self._find_invited(connection, secret)
            if not valid:
                return None
            connection.execute(delete(InvitationRow).where(InvitationRow.hash == _hash(secret)))
            if account is None:
                if connection.execute(select(func.count()).select_from(AccountRow)).scalar():
                    return None
                account = self._add(connection, name, Role.ADMINISTRATOR, "password", None)
            number = account.number
            connection.execute(delete(SessionRow).where(SessionRow.account == number))
            connection.execute(update(AccountRow).where(AccountRow.number == number).values(password=hashed))
            return _find_number(connection, number)

    def start_session(self, number: int, address: str, lasts: timedelta) -> str:
        """Return the secret of a new session of a person, and remove expired ones."""
        secret, now = secrets.token_urlsafe(_SECRET_BYTES), self._clock()
        values = {"hash": _hash(secret), "account": number, "address": address}
        values |= {"created": now, "last_used": now, "expires": now + lasts}
        with writing(self.engine) as connection:
            connection.execute(delete(SessionRow).where(SessionRow.expires < now))
            connection.execute(insert(SessionRow).values(**values))
            connection.execute(update(AccountRow).where(AccountRow.number == number).values(last_seen=now))
        return secret

    def find_session(
        self, secret: str, lasts: timedelta, longest_elsewhere: timedelta | None = None
    ) -> Account | None:
        """Return the person of a session and extend it; None if it has expired.

        With `longest_elsewhere`, people who sign in elsewhere have to do so again after that time, even if active.
        """
        now, hashed = self._clock(), _hash(secret)
        statement = _select_accounts(SessionRow.last_used, SessionRow.created.label("session_created")).join(
            SessionRow, SessionRow.account == AccountRow.number
        )
        statement = statement.where(SessionRow.hash == hashed, SessionRow.expires >= now)
        with self.engine.connect() as connection:
            row = connection.execute(statement).first()
        if row is None or row.disabled:
            return None
        is_long = longest_elsewhere is not None and now - row.session_created > longest_elsewhere
        if row.source != "password" and is_long:
            return None
        if now - row.last_used > _SEEN_EVERY:
            with writing(self.engine) as connection:
                used = {"last_used": now, "expires": now + lasts}
                connection.execute(update(SessionRow).where(SessionRow.hash == hashed).values(**used))
                who = AccountRow.number == row.number
                connection.execute(update(AccountRow).where(who).values(last_seen=now))
        return _account(row)

    def forget_expired(self) -> None:
        """Remove expired sessions, one-time links and tokens."""
        now = self._clock()
        with writing(self.engine) as connection:
            for row in (SessionRow, InvitationRow, TokenRow):
                connection.execute(delete(row).where(row.expires < now))

    def end_session(self, secret: str) -> None:
        """End a session."""
        with writing(self.engine) as connection:
            connection.execute(delete(SessionRow).where(SessionRow.hash == _hash(secret)))

    def add_token(
        self, owner: Account, name: str, scopes: Collection[Action], lasts: timedelta | None = None
    ) -> tuple[Token, str]:
        """Add a token of a person. Return it with its secret, which is not stored and never shown again.

        Raises `AccountError` if there are no scopes, or the person does not have all of them.
        """
        allowed = frozenset(scopes) & owner.actions & frozenset(TOKEN_SCOPES)
        if not allowed or allowed != frozenset(scopes):
            possible = ", ".join(scope for scope in TOKEN_SCOPES if scope in owner.actions)
            raise AccountError("a token can only have its owner's scopes", fix=f"Choose from: {possible}.")
        secret, now = TOKEN_PREFIX + secrets.token_urlsafe(_SECRET_BYTES), self._clock()
        values = {"hash": _hash(secret), "hint": secret[:_HINT_LENGTH], "account": owner.number}
        values |= {"name": _check_name(name), "actions": " ".join(sorted(allowed)), "created": now}
        values |= {"expires": None if lasts is None else now + lasts}
        with writing(self.engine) as connection:
            number = connection.execute(
                insert(TokenRow).values(**values).returning(TokenRow.number)
            ).scalar_one()
            row = connection.execute(_select_tokens().where(TokenRow.number == number)).one()
        return _token(row), secret

    def list_tokens(self, number: int | None = None) -> list[Token]:
        """Return the tokens of a person, or of everyone, the newest first."""
        statement = _select_tokens().order_by(TokenRow.number.desc())
        if number is not None:
            statement = statement.where(TokenRow.account == number)
        with self.engine.connect() as connection:
            return [_token(row) for row in connection.execute(statement)]

    def find_token(self, secret: str) -> Token | None:
        """Return the token with a secret; None if it is unknown, revoked or expired, or its owner is disabled."""
        now = self._clock()
        with self.engine.connect() as connection:
            row = connection.execute(_select_tokens().where(TokenRow.hash == _hash(secret))).first()
        if row is None or row.disabled or (row.expires is not None and row.expires < now):
            return None
        if row.last_used is None or now - row.last_used > _SEEN_EVERY:
            with writing(self.engine) as connection:
                found = TokenRow.number == row.token_number
                connection.execute(update(TokenRow).where(found).values(last_used=now))
        return _token(row)

    def revoke_token(self, number: int) -> None:
        """Remove a token. It is refused from now on."""
        with writing(self.engine) as connection:
            connection.execute(delete(TokenRow).where(TokenRow.number == number))

    def _add(
        self, connection: Connection, name: str, role: Role, source: Source, subject: str | None
    ) -> Account:
        values: dict[str, Any] = {"key": _key(name), "name": _check_name(name), "role": role.value}
        values |= {"source": source, "subject": subject, "disabled": False, "created": self._clock()}
        try:
            statement = insert(AccountRow).values(**values).returning(AccountRow.number)
            number = connection.execute(statement).scalar_one()
        except IntegrityError:
            raise AccountError(f"there is already someone named {name.strip()!r}") from None
        return _require(_find_number(connection, number))

    def _find_invited(self, connection: Connection, secret: str) -> tuple[bool, Account | None]:
        statement = select(InvitationRow.account).where(
            InvitationRow.hash == _hash(secret), InvitationRow.expires >= self._clock()
        )
        row = connection.execute(statement).first()
        account = None if row is None or row.account is None else _find_number(connection, row.account)
        return row is not None, account


def hash_subject(issuer: str, subject: str) -> str:
    """Return the hash that identifies a person at an OpenID provider."""
    return _hash(f"{issuer} {subject}")


def _hash(secret: str) -> str:
    """Return the hash of a random secret. It cannot be guessed, so a fast hash without salt is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(name: str) -> str:
    return name.strip().casefold()


def _check_name(name: str) -> str:
    tidy = name.strip()
    if not tidy or len(tidy) > LONGEST_NAME or not tidy.isprintable():
        raise AccountError(f"a name has 1 to {LONGEST_NAME} printable characters")
    return tidy


def _select_accounts(*more: Any) -> Select[Any]:  # noqa: ANN401 - columns of any type
    return select(*AccountRow.__table__.columns, *more)


def _select_tokens() -> Select[Any]:
    columns = [
        column for column in TokenRow.__table__.columns if column.name not in {"number", "name", "created"}
    ]
    renamed = (
        TokenRow.number.label("token_number"),
        TokenRow.name.label("token_name"),
        TokenRow.created.label("token_created"),
    )
    return _select_accounts(*columns, *renamed).join(TokenRow, TokenRow.account == AccountRow.number)


def _find_number(connection: Connection, number: int) -> Account | None:
    row = connection.execute(_select_accounts().where(AccountRow.number == number)).first()
    return None if row is None else _account(row)


def _require(account: Account | None) -> Account:
    if account is None:
        raise AccountError("there is no such person")
    return account


@contextmanager
def _keeping_an_administrator(connection: Connection) -> Iterator[None]:
    """Raise `AccountError` if the block leaves nobody who can administer the service."""
    statement = select(func.count()).where(
        AccountRow.role == Role.ADMINISTRATOR.value, AccountRow.disabled.is_(False)
    )
    before = connection.execute(statement).scalar_one()
    yield
    if before and not connection.execute(statement).scalar_one():
        raise AccountError("this is the only administrator", fix="Make someone else an administrator first.")


def _account(row: Any) -> Account:  # noqa: ANN401 - a row has the columns of its statement
    return Account(
        number=row.number,
        name=row.name,
        role=Role(row.role),
        source=row.source,
        disabled=row.disabled,
        created=row.created,
        last_seen=row.last_seen,
        password=row.password,
        subject=row.subject,
    )


def _token(row: Any) -> Token:  # noqa: ANN401 - as above
    return Token(
        number=row.token_number,
        name=row.token_name,
        hint=row.hint,
        owner=_account(row),
        scopes=frozenset(Action(word) for word in row.actions.split()),
        created=row.token_created,
        expires=row.expires,
        last_used=row.last_used,
    )
