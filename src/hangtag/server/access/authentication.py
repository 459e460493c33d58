"""Authentication and authorisation of requests, and rate limits."""

import logging
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Final

from fastapi import Header, Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hangtag.server.access.control import NOBODY, USER_HEADER, AccessControl, Principal
from hangtag.server.access.policy import RULES, Rule
from hangtag.server.middleware import PRINCIPAL, TRUSTED, find_address
from hangtag.server.problems import (
    ForbiddenError,
    NotSignedInError,
    RequestError,
    describe_error,
    problem_response,
)
from hangtag.server.settings import parse_networks
from hangtag.store.audit import AuditEvent

_log = logging.getLogger(__name__)

_GUARDED: Final = ("/api/", "/metrics")
"""Paths that need authentication. Everything else is the page, whose files are public, or the health checks."""

_OPEN: Final = frozenset({"/api/docs", "/api/v1/openapi.json", "/api/v1/session", "/api/v1/invitations/look"})
_OPEN_BELOW: Final = ("/api/v1/session/", "/api/v1/invitations/")
"""Paths that are open without signing in. For these, only `authorise` decides, operation by operation."""


class Authentication:
    """Middleware that identifies the sender of a request, and refuses strangers before their bodies are read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or not scope["path"].startswith(_GUARDED):
            await self._app(scope, receive, send)
            return
        access: AccessControl = scope["app"].state.service.access
        try:
            scope[PRINCIPAL] = principal = await access.identify(scope)
            access.limit(principal, find_address(scope))
            if principal is NOBODY and not _is_open(scope["path"]):
                raise NotSignedInError(
                    "sign in first", fix="Send a session's cookie, or `Authorization: Bearer TOKEN`."
                )
        except RequestError as error:
            await problem_response(describe_error(error), error.headers)(scope, receive, send)
            return
        response = _Watched(send)
        await self._app(scope, receive, response.send)
        await _audit(access, scope, response.status)


class _Watched:
    """Records the status of a response."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def send(self, message: Message) -> None:
        """Pass on a message."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


class TrustedProxies:
    """Takes the client's address and scheme from the headers of trusted proxies only.

    `trusted` are addresses and networks, separated by commas.
    """

    def __init__(self, app: ASGIApp, trusted: str) -> None:
        self._app = app
        self._networks = parse_networks(trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            scope[TRUSTED] = self._trusts(find_address(scope))
            if scope[TRUSTED]:
                self._believe(scope, Headers(scope=scope))
        await self._app(scope, receive, send)

    def _believe(self, scope: Scope, headers: Headers) -> None:
        scheme = headers.get("x-forwarded-proto", "").strip().lower()
        if scheme in {"http", "https"}:
            scope["scheme"] = scheme
        # Each proxy appends its caller's address, so the last address that is not a trusted proxy is the client.
        chain = [part.strip() for value in headers.getlist("x-forwarded-for") for part in value.split(",")]
        for address in reversed([part for part in chain if _parse_address(part) is not None]):
            scope["client"] = (address, 0)
            if not self._trusts(address):
                return

    def _trusts(self, address: str) -> bool:
        parsed = _parse_address(address)
        return parsed is not None and any(parsed in network for network in self._networks)


def _parse_address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed


async def authorise(request: Request) -> None:
    """Refuse an operation that the principal may not call, or that `RULES` does not list. A dependency of all routes.

    Raises `NotSignedInError` and `ForbiddenError`.
    """
    operation = request.scope["route"].name
    rule = RULES.get(operation)
    principal: Principal = request.scope.get(PRINCIPAL, NOBODY)
    if rule is None:
        _log.error("the operation %s has no rule in server/access/policy.py", operation)
        raise ForbiddenError("this operation is not allowed")
    if rule.action is None or rule.action in principal.actions:
        return
    if principal is NOBODY:
        raise NotSignedInError("sign in first")
    raise ForbiddenError(
        f"this needs the permission {rule.action.value!r}", fix="Ask an administrator for another role."
    )


def get_principal(request: Request) -> Principal:
    """Return who sends a request."""
    found: Principal = request.scope.get(PRINCIPAL, NOBODY)
    return found


def find_name(
    request: Request,
    given: Annotated[
        str | None,
        Header(
            alias=USER_HEADER,
            max_length=200,
            description="Your name, if the service has no accounts. Otherwise, the name of your account is used.",
        ),
    ] = None,
) -> str | None:
    """Return the name to store with a change: that of the account or, without accounts, the given one."""
    principal = get_principal(request)
    return given if principal.number is None else principal.name


async def _audit(access: AccessControl, scope: Scope, status: int) -> None:
    """Record a call of an audited operation, and every refused request of a known person."""
    operation = str(getattr(scope.get("route"), "name", ""))
    rule, principal = RULES.get(operation, Rule(None)), scope[PRINCIPAL]
    refused = status == HTTPStatus.FORBIDDEN and principal is not NOBODY
    if not access.enabled or not (refused or (rule.audited and status < HTTPStatus.BAD_REQUEST)):
        return
    event = AuditEvent(
        what=operation or "none",
        who=principal.name,
        via=principal.via,
        target=" ".join(str(value) for value in scope.get("path_params", {}).values()) or None,
        address=find_address(scope),
        allowed=not refused,
    )
    await access.record(event)


def _is_open(path: str) -> bool:
    return path in _OPEN or path.startswith(_OPEN_BELOW)
