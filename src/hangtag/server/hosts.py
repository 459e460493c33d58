"""By which names the service may be called: a page elsewhere can give its own name the address of this machine."""

import ipaddress
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from hangtag.server.problems import WrongHostError, describe_error, problem_response
from hangtag.server.settings import Settings

_OWN_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class HostCheck:
    """Refuses requests to other hosts than the allowed ones; None allows all."""

    def __init__(self, app: ASGIApp, allowed: frozenset[str] | None) -> None:
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and self._allowed is not None:
            host = _without_port(Headers(scope=scope).get("host", ""))
            if host not in self._allowed:
                error = WrongHostError(
                    f"the service is not called {host!r}", fix="HANGTAG_ALLOWED_HOSTS says what it is called."
                )
                await problem_response(describe_error(error))(scope, receive, send)
                return
        await self._app(scope, receive, send)


def find_allowed_hosts(settings: Settings) -> frozenset[str] | None:
    """Return the settings' names; without any, those of this machine if only it can reach the service, else None."""
    given = frozenset(name.strip().lower() for name in settings.allowed_hosts.split(",") if name.strip())
    if "*" in given:
        return None
    if given:
        return given | _OWN_NAMES
    return _OWN_NAMES if _is_loopback(settings.host) else None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _without_port(host: str) -> str:
    name, separator, port = host.lower().rpartition(":")
    return name if separator and port.isdecimal() else host.lower()
