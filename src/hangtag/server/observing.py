"""What happens around every request: it is counted and logged, and its answer gets the headers that protect it."""

import logging
import re
import secrets
import time
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hangtag.server.logs import FIELDS, log_event
from hangtag.server.metrics import Metrics
from hangtag.server.problems import CrossSiteError, describe_bug, describe_error, problem_response

_log = logging.getLogger(__name__)

PROTECTION: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Headers of every answer, unless it brings its own: nothing of an API answer may run or be framed."""

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_KNOWN_METHODS: Final = _SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE"}
_QUIET: Final = frozenset({"show_page", "show_health", "show_readiness", "show_metrics"})
"""Operations that happen all the time and tell nothing."""

_REQUEST_ID: Final = re.compile(r"[\w.-]{1,64}", re.ASCII)


class Observer:
    """Wraps an app. An error that nothing else has answered becomes a problem here, its traceback a line of the log."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, answer = time.perf_counter(), _Answer(send, _request_id(scope))
        try:
            await self._answer(scope, receive, answer)
        finally:
            self._record(scope, answer, time.perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        if _comes_from_elsewhere(scope):
            error = CrossSiteError("the request comes from another site's page")
            await problem_response(describe_error(error))(scope, receive, answer.send)
            return
        try:
            await self._app(scope, receive, answer.send)
        except Exception:
            _log.exception("an error that nobody expected", extra={FIELDS: {"request": answer.id}})
            if answer.status:  # half of an answer is out: all that can be done is to break it off
                raise
            await problem_response(describe_bug())(scope, receive, answer.send)

    def _record(self, scope: Scope, answer: "_Answer", seconds: float) -> None:
        operation = _operation(scope)
        method = scope["method"] if scope["method"] in _KNOWN_METHODS else "other"
        self._metrics.count_request(operation, method, answer.status, seconds)
        log_event(
            _log,
            logging.DEBUG if operation in _QUIET else logging.INFO,
            operation,
            method=method,
            status=answer.status,
            ms=round(1000 * seconds, 1),
            request=answer.id,
        )


class _Answer:
    """The answer to a request on its way out."""

    def __init__(self, send: Send, id_: str) -> None:
        self.id = id_
        self.status = 0
        self._send = send

    async def send(self, message: Message) -> None:
        """Pass on a part of the answer; the first one gets the headers."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in PROTECTION.items():
                headers.setdefault(name, value)
            headers["X-Request-ID"] = self.id
            if self.status >= HTTPStatus.BAD_REQUEST:
                headers.setdefault("Cache-Control", "no-store")
        await self._send(message)


def _request_id(scope: Scope) -> str:
    """Return the id that a proxy gave the request, or a new one."""
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(6)


def _comes_from_elsewhere(scope: Scope) -> bool:
    """Tell whether a page of another site makes a browser send something that changes anything.

    The service knows no users, so a page that a person merely looks at must not be able to start jobs here.
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
    """Return the name of what was asked for, and never the address: it could name a photo, and there are any number."""
    return str(getattr(scope.get("route"), "name", None) or "none")
