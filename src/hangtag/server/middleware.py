"""Middleware for every request: the host check, the base path, counting and logging, and security headers."""

import ipaddress
import logging
import re
import secrets
import socket
import time
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hangtag.server.problems import (
    CrossSiteError,
    WrongHostError,
    describe_bug,
    describe_error,
    describe_headers,
    problem_response,
)
from hangtag.server.settings import BASE_PATH, Settings, is_loopback
from hangtag.server.telemetry import FIELDS, Metrics, log_event
from hangtag.store.faults import find_fault

_log = logging.getLogger(__name__)

PROTECTION: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Headers of every response that does not set its own: nothing in an API response may run or be framed."""

BASE_PATH_SCOPE: Final = "hangtag.base_path"
"""The key of the ASGI scope that holds the path under which a client sees the service, without a final slash."""

PREFIX_HEADER: Final = "X-Forwarded-Prefix"

TRUSTED: Final = "hangtag.trusted"
"""The key of the ASGI scope that says whether the request comes from a trusted proxy."""

PRINCIPAL: Final = "hangtag.principal"
"""The key of the ASGI scope that holds the principal."""

_OWN_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_KNOWN_METHODS: Final = _SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE"}
_QUIET: Final = frozenset({"show_page", "show_health", "show_readiness", "show_metrics"})
"""Operations that are called all the time and are logged at debug level only."""

_REQUEST_ID: Final = re.compile(r"[\w.-]{1,64}", re.ASCII)


class HostCheck:
    """Refuses requests whose Host header is not allowed. None allows every host.

    With `addresses`, IP addresses are allowed, too.
    """

    def __init__(self, app: ASGIApp, allowed: frozenset[str] | None, *, addresses: bool = False) -> None:
        self._app = app
        self._allowed = allowed
        self._addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and self._allowed is not None:
            host = _without_port(Headers(scope=scope).get("host", ""))
            if host not in self._allowed and not (self._addresses and _is_address(host)):
                error = WrongHostError(
                    f"this service does not serve the host {host!r}",
                    fix="Add it to HANGTAG_ALLOWED_HOSTS if it should.",
                )
                await problem_response(describe_error(error))(scope, receive, send)
                return
        await self._app(scope, receive, send)


def find_allowed_hosts(settings: Settings) -> frozenset[str] | None:
    """Return the hosts in the settings, and this machine's own names; None allows every host.

    A service that is reachable from other machines also accepts this machine's network name. `HostCheck` accepts
    addresses anyway: another site can point its own name at this machine (DNS rebinding), but not an address.
    """
    given = frozenset(name.strip().lower() for name in settings.allowed_hosts.split(",") if name.strip())
    if "*" in given:
        return None
    if is_loopback(settings.host):
        return given | _OWN_NAMES
    own = socket.gethostname().lower()
    return given | _OWN_NAMES | {own, own.partition(".")[0], f"{own.partition('.')[0]}.local"}


class BasePath:
    """Serves the service under a path, such as `https://shop.example/tags/`.

    The path comes from the settings or from the proxy's `X-Forwarded-Prefix`. It is removed from the request if the
    proxy left it there.
    """

    def __init__(self, app: ASGIApp, base_path: str) -> None:
        self._app = app
        self._base_path = base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            base_path = self._base_path or _forwarded_prefix(scope)
            scope[BASE_PATH_SCOPE] = base_path
            path = scope["path"]
            if base_path and (path == base_path or path.startswith(f"{base_path}/")):
                scope["path"] = path[len(base_path) :] or "/"
        await self._app(scope, receive, send)


class Observer:
    """Counts and logs requests. Turns an unexpected exception into a problem response and a traceback in the log."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, response = time.perf_counter(), _ObservedResponse(send, scope)
        try:
            await self._respond(scope, receive, response)
        finally:
            self._record(scope, response, time.perf_counter() - started)

    async def _respond(self, scope: Scope, receive: Receive, response: "_ObservedResponse") -> None:
        if _is_cross_site(scope):
            error = CrossSiteError("requests from pages of other sites are not allowed")
            await problem_response(describe_error(error))(scope, receive, response.send)
            return
        try:
            await self._app(scope, receive, response.send)
        except Exception as error:
            fault = find_fault(error)
            fields = {FIELDS: {"request": response.id}}
            if fault is None:
                _log.exception("unexpected error", extra=fields)
            else:
                _log.error("%s", fault, extra=fields)
                scope["app"].state.service.health.note(fault)
            if response.status:  # the response has begun, so it can only be cut off
                raise
            problem = describe_bug() if fault is None else describe_error(fault)
            headers = None if fault is None else describe_headers(fault)
            await problem_response(problem, headers)(scope, receive, response.send)

    def _record(self, scope: Scope, response: "_ObservedResponse", seconds: float) -> None:
        operation = _operation(scope)
        method = scope["method"] if scope["method"] in _KNOWN_METHODS else "other"
        self._metrics.count_request(operation, method, response.status, seconds)
        log_event(
            _log,
            logging.DEBUG if operation in _QUIET else logging.INFO,
            operation,
            method=method,
            status=response.status,
            ms=round(1000 * seconds, 1),
            request=response.id,
            user=getattr(scope.get(PRINCIPAL), "name", None) or "-",
            address=find_address(scope),
        )


class _ObservedResponse:
    """The response to a request while it is sent."""

    def __init__(self, send: Send, scope: Scope) -> None:
        self.id = _request_id(scope)
        self.status = 0
        self._app = scope.get("app")
        self._send = send

    async def send(self, message: Message) -> None:
        """Pass on a message; the first one gets the headers."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in PROTECTION.items():
                headers.setdefault(name, value)
            headers["X-Request-ID"] = self.id
            if self._is_stopping():  # so that the client's next request goes elsewhere
                headers["Connection"] = "close"
            if self.status >= HTTPStatus.BAD_REQUEST:
                headers.setdefault("Cache-Control", "no-store")
        await self._send(message)

    def _is_stopping(self) -> bool:
        service = getattr(getattr(self._app, "state", None), "service", None)
        return bool(getattr(service, "is_stopping", False))


def find_address(scope: Scope) -> str:
    """Return the address of the client, as reported by the proxy if that is trusted."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def _forwarded_prefix(scope: Scope) -> str:
    """Return the path under which a trusted proxy serves this service; empty if none is reported or it is invalid."""
    given = Headers(scope=scope).get(PREFIX_HEADER, "").rstrip("/")
    return given if scope.get(TRUSTED, True) and BASE_PATH.fullmatch(given) else ""


def _request_id(scope: Scope) -> str:
    """Return the id that a proxy gave the request, or a new one."""
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(6)


def _is_cross_site(scope: Scope) -> bool:
    """Return whether another site's page makes a browser send something that changes state.

    Just visiting another site's page must not change anything here, with or without accounts.
    """
    if scope["method"] in _SAFE_METHODS:
        return False
    headers = Headers(scope=scope)
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is not None and origin.rpartition("//")[2] != headers.get("host")


def _operation(scope: Scope) -> str:
    """Return the name of the operation. The path may name a photo, and has no bounded set of values."""
    return str(getattr(scope.get("route"), "name", None) or "none")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _without_port(host: str) -> str:
    name, separator, port = host.lower().rpartition(":")
    return name if separator and port.isdecimal() else host.lower()
