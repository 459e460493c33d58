"""Signing in, and identifying the sender of a request: by session, token, or a trusted proxy."""

import asyncio
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Engine
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import Scope

from hangtag.domain.errors import AccountError
from hangtag.domain.roles import Action, Role
from hangtag.server.access.oidc import SingleSignOn, Visitor
from hangtag.server.middleware import TRUSTED, find_address
from hangtag.server.problems import (
    BadCredentialsError,
    ForbiddenError,
    NotSignedInError,
    TooManyRequestsError,
)
from hangtag.server.settings import Settings
from hangtag.store.accounts import Account, Accounts, Source
from hangtag.store.audit import AuditEvent, AuditLog

_MOST_KEYS: Final = 20_000
"""How many callers are remembered. Those not seen for longest are forgotten first."""

_MINUTE_S: Final = 60.0
LONGEST_WAIT_S: Final = 900.0


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class RateLimit:
    """A token bucket for each caller: a number of requests per minute, and the same number at once."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = float(per_minute)
        self._clock = clock
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    def take(self, caller: Hashable) -> float:
        """Count a request. Return 0 if it is allowed, else the seconds to wait."""
        now = self._clock()
        bucket = self._buckets.get(caller)
        if bucket is None:
            bucket = self._buckets[caller] = _Bucket(self._size, now)
        self._buckets.move_to_end(caller)
        bucket.left = min(self._size, bucket.left + (now - bucket.at) * self._size / _MINUTE_S)
        bucket.at = now
        if len(self._buckets) > _MOST_KEYS:
            self._buckets.popitem(last=False)
        if bucket.left < 1:
            return (1 - bucket.left) * _MINUTE_S / self._size
        bucket.left -= 1
        return 0.0


@dataclass(slots=True)
class _Failures:
    count: int
    until: float


class Backoff:
    """A delay that doubles with every failure after the first few, up to 15 minutes."""

    def __init__(self, free: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._free = free
        self._clock = clock
        self._failures: OrderedDict[Hashable, _Failures] = OrderedDict()

    def wait_s(self, key: Hashable) -> float:
        """Return the seconds to wait before the next try."""
        found = self._failures.get(key)
        return 0.0 if found is None else max(0.0, found.until - self._clock())

    def fail(self, key: Hashable) -> None:
        """Count a failure."""
        found = self._failures.setdefault(key, _Failures(0, 0.0))
        found.count += 1
        beyond = found.count - self._free
        if beyond >= 0:
            found.until = self._clock() + min(LONGEST_WAIT_S, 2.0 ** min(beyond, 20))
        self._failures.move_to_end(key)
        if len(self._failures) > _MOST_KEYS:
            self._failures.popitem(last=False)

    def forget(self, key: Hashable) -> None:
        """Forget the failures of a key, after a success."""
        self._failures.pop(key, None)


COOKIE: Final = "hangtag_session"
CSRF_HEADER: Final = "X-CSRF-Token"
USER_HEADER: Final = "X-Hangtag-User"
INVITATION_LASTS: Final = timedelta(hours=72)
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_REMEMBERED_S: Final = 5.0
_MOST_REMEMBERED: Final = 2_000
_HASHES_AT_ONCE: Final = 2
"""Each password check takes 64 MiB of memory."""

_FREE_TRIES: Final = 5
_FREE_TRIES_OF_ADDRESS: Final = 20
_LONGEST_USER: Final = 200


@dataclass(frozen=True, slots=True)
class Principal:
    """The sender of a request, how they were identified, and what they may do. `number` is their account's, if any."""

    name: str | None
    via: str
    actions: frozenset[Action]
    number: int | None = None
    role: Role | None = None
    session: str | None = None
    source: Source | None = None


NOBODY: Final = Principal(None, "nobody", frozenset())


class AccessControl:
    """The accounts of the service and how people sign in. Without accounts, everyone may do everything."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.enabled = settings.uses_accounts
        self.settings = settings
        self.accounts = Accounts(engine)
        self.audit = AuditLog(engine)
        self.session_lasts = timedelta(hours=settings.session_hours)
        self.single_sign_on = SingleSignOn(settings) if settings.oidc_issuer and self.enabled else None
        self._hasher = PasswordHasher()
        self._decoy = self._hasher.hash("a password that nobody has") if self.enabled else ""
        self._hashing = asyncio.Semaphore(_HASHES_AT_ONCE)
        self._by_name = Backoff(_FREE_TRIES)
        self._by_address = Backoff(_FREE_TRIES_OF_ADDRESS)
        self._signed_in = RateLimit(settings.rate_limit)
        self._anonymous = RateLimit(settings.rate_limit_anonymous)
        self._remembered: dict[str, tuple[Principal, float]] = {}

    async def identify(self, scope: Scope) -> Principal:
        """Return the sender of a request; `NOBODY` if it has no credentials.

        Raises `NotSignedInError` for an invalid token, and `ForbiddenError` for a session without its CSRF token.
        """
        headers = Headers(scope=scope)
        if not self.enabled:
            name = headers.get(USER_HEADER, "").strip()[:_LONGEST_USER]
            return Principal(name or None, "local", frozenset(Action))
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return await self._find(f"token {secret.strip()}", scope)
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE)
        if cookie:
            found = await self._find(f"session {cookie}", scope)
            if found is not NOBODY:
                self._check_csrf(scope, headers, cookie)
                return found
        return await self._find_proxied(scope, headers)

    def limit(self, principal: Principal, address: str) -> None:
        """Count a request. Raises `TooManyRequestsError` if this token, person or address has sent too many."""
        if not self.enabled:
            return
        if principal is NOBODY:
            wait_s = self._anonymous.take(address)
        else:
            wait_s = self._signed_in.take((principal.number, principal.via))
        if wait_s:
            raise TooManyRequestsError("too many requests", wait_s)

    async def sign_in(self, name: str, password: str, address: str) -> tuple[Account, str]:
        """Return the account with a name and password, and the secret of a new session.

        Raises `BadCredentialsError`, always after the same time, and `TooManyRequestsError` after too many failures
        from an address.
        """
        key = (name.strip().casefold(), address)
        wait_s = max(self._by_name.wait_s(key), self._by_address.wait_s(address))
        event = AuditEvent(
            what="sign_in", who=name.strip()[:_LONGEST_USER], via="password", address=address, allowed=False
        )
        if wait_s:
            raise TooManyRequestsError("too many failed attempts to sign in", wait_s)
        account = await asyncio.to_thread(self.accounts.find, name)
        own = account is not None and not account.disabled and account.source == "password"
        hashed = account.password if account is not None and own else None
        if not await self._verify(hashed or self._decoy, password) or account is None or hashed is None:
            self._by_name.fail(key)
            self._by_address.fail(address)
            await self.record(event)
            raise BadCredentialsError("the name or the password is wrong")
        self._by_name.forget(key)
        return account, await self.open_session(account, "password", address)

    async def sign_in_visitor(self, visitor: Visitor, address: str) -> tuple[Account, str]:
        """Return the account of someone who comes from the OpenID provider, and the secret of a new session.

        Raises `ForbiddenError` if they have no access.
        """
        account = await self.admit(visitor, "oidc")
        if account is None:
            event = AuditEvent(
                what="sign_in", who=visitor.name[:_LONGEST_USER], via="oidc", address=address, allowed=False
            )
            await self.record(event)
            raise ForbiddenError(f"{visitor.name} has no account here")
        return account, await self.open_session(account, "oidc", address)

    async def open_session(self, account: Account, via: Source, address: str) -> str:
        """Return the secret of a new session of a person, and record that they signed in."""
        secret = await asyncio.to_thread(
            self.accounts.start_session, account.number, address, self.session_lasts
        )
        await self.record(AuditEvent(what="sign_in", who=account.name, via=via, address=address))
        return secret

    async def hash_password(self, password: str) -> str:
        """Return the argon2 hash of a password."""
        async with self._hashing:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def check_password(self, number: int, password: str) -> bool:
        """Return whether this is the password of a person."""
        account = await asyncio.to_thread(self.accounts.find_number, number)
        return account is not None and await self._verify(account.password or self._decoy, password)

    async def record(self, event: AuditEvent) -> None:
        """Add an event to the audit log."""
        await asyncio.to_thread(self.audit.record, event)

    def forget_remembered(self) -> None:
        """Forget all cached principals: someone was removed or has another role."""
        self._remembered.clear()

    async def admit(self, visitor: Visitor, source: Source) -> Account | None:
        """Return the account of someone identified by a proxy or provider; None if they have no access.

        Someone new gets an account if the provider or the settings give them a role. An account with a password, or one
        that the provider knows as someone else, cannot be taken over this way.
        """
        account = await asyncio.to_thread(self._find_visitor, visitor, source)
        default = self.settings.new_user_role
        role = visitor.role or (None if default == "none" else Role(default))
        if visitor.assigned and role is None:
            return None
        if account is None and role is not None:
            try:
                account = await asyncio.to_thread(
                    self.accounts.add, visitor.name, role, source, visitor.subject
                )
            except AccountError:  # another request was faster, or the name is taken or invalid
                account = await asyncio.to_thread(self._find_visitor, visitor, source)
        if account is None or account.disabled or account.source != source:
            return None
        if visitor.assigned and role is not None and role != account.role:
            with suppress(AccountError):  # the only administrator keeps the role
                account = await asyncio.to_thread(self.accounts.change, account.number, role=role)
                self.forget_remembered()
        return account

    def _find_visitor(self, visitor: Visitor, source: Source) -> Account | None:
        """Return the account of a visitor: by their identity at the provider, or else by name if that is unclaimed."""
        known = None if visitor.subject is None else self.accounts.find_subject(visitor.subject)
        named = known or self.accounts.find(visitor.name)
        if known is not None or named is None or visitor.subject is None or named.source != source:
            return named
        return self.accounts.recognise(named.number, visitor.subject)

    async def _find(self, credential: str, scope: Scope) -> Principal:
        """Return the principal of a token or session, looked up at most every few seconds."""
        now = time.monotonic()
        key = hashlib.sha256(credential.encode()).hexdigest()
        remembered = self._remembered.get(key)
        if remembered is not None and remembered[1] > now:
            return remembered[0]
        kind, _, secret = credential.partition(" ")
        address = find_address(scope)
        if kind == "token" and (wait_s := self._by_address.wait_s(address)):
            raise TooManyRequestsError("too many tokens that are not valid", wait_s)
        principal = await asyncio.to_thread(self._look_up, kind, secret)
        if principal is NOBODY and kind == "token":
            self._by_address.fail(address)
            raise NotSignedInError(
                "the token is not valid", fix="It may have been revoked or have expired. Ask for another one."
            )
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        if principal is not NOBODY:
            self._remembered[key] = (principal, now + _REMEMBERED_S)
        return principal

    def _look_up(self, kind: str, secret: str) -> Principal:
        if kind == "token":
            token = self.accounts.find_token(secret)
            if token is None:
                return NOBODY
            owner = token.owner
            return Principal(owner.name, f"token {token.name}", token.actions, owner.number, owner.role)
        elsewhere = timedelta(hours=self.settings.oidc_hours)
        account = self.accounts.find_session(secret, self.session_lasts, elsewhere)
        return NOBODY if account is None else _principal(account, "session", secret)

    async def _find_proxied(self, scope: Scope, headers: Headers) -> Principal:
        header = self.settings.proxy_user_header
        name = headers.get(header, "").strip() if header and scope.get(TRUSTED) else ""
        if not name:
            return NOBODY
        account = await self.admit(Visitor(name), "proxy")
        if account is None:
            raise ForbiddenError(
                f"{name} has no account here", fix="Ask an administrator, or set HANGTAG_NEW_USER_ROLE."
            )
        return _principal(account, "proxy", None)

    def _check_csrf(self, scope: Scope, headers: Headers, cookie: str) -> None:
        if scope["method"] in _SAFE_METHODS:
            return
        if not hmac.compare_digest(headers.get(CSRF_HEADER, "").encode(), derive_csrf(cookie).encode()):
            raise ForbiddenError(
                f"the header {CSRF_HEADER} is missing or wrong", fix="GET /api/v1/session returns its value."
            )

    async def _verify(self, hashed: str, password: str) -> bool:
        async with self._hashing:
            return await asyncio.to_thread(_matches, self._hasher, hashed, password)


def derive_csrf(session: str) -> str:
    """Return the CSRF token that the page has to send with every change. Other sites cannot know it."""
    return hashlib.sha256(f"csrf {session}".encode()).hexdigest()


def _principal(account: Account, via: str, session: str | None) -> Principal:
    return Principal(
        account.name, via, account.actions, account.number, account.role, session, account.source
    )


def _matches(hasher: PasswordHasher, hashed: str, password: str) -> bool:
    try:
        return hasher.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False
