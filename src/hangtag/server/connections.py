"""Limits on open connections: idle ones are closed, and the oldest of these first if there are too many.

Each open connection takes a file descriptor, of which a process has a thousand by default. Without limits, a thousand
idle connections would lock everyone else out.
"""

import asyncio
import resource
from collections import OrderedDict
from contextlib import suppress
from typing import Any, Final, cast

from uvicorn.protocols.http.auto import AutoHTTPProtocol

SILENT_S: Final = 15.0
"""How long a connection may be open without sending complete request headers."""

LINGER_S: Final = 0.5
"""How long a connection stays open for a request in transit when the service stops."""

DISCARDED_BYTES_A_SECOND: Final = 50_000_000
"""How fast the rest of the bodies of refused requests is read, of all connections together."""

_KEPT_DESCRIPTORS: Final = 256
"""Descriptors reserved for files, the database and processes."""

_BUSY: Final = object()
"""The state of a connection with a request, as seen by a check. Otherwise it is its last answered request, or None."""


class OpenConnections:
    """The connections of a server, up to a limit. At the limit, a new one closes the one idle for longest."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.silent: OrderedDict[GuardedProtocol, None] = OrderedDict()
        self.count = 0
        self._discarded_until = 0.0

    def add(self, connection: "GuardedProtocol") -> bool:
        """Count a connection. Return whether there is room for it."""
        self.count += 1
        if self.count > self._most and not self._end_longest():
            return False
        self.silent[connection] = None
        return True

    def _end_longest(self) -> bool:
        """Close the connection that is idle for longest. Return whether there was one."""
        while self.silent:
            longest, _ = self.silent.popitem(last=False)
            if not longest.has_request:  # it may have received one since the last look
                longest.end()
                return True
        return False

    def remove(self, connection: "GuardedProtocol") -> None:
        """Count a connection that was closed."""
        self.count -= 1
        self.silent.pop(connection, None)

    def mark(self, connection: "GuardedProtocol", *, is_silent: bool) -> None:
        """Set whether a connection has a request in progress."""
        if is_silent:
            self.silent.setdefault(connection, None)
        else:
            self.silent.pop(connection, None)

    def discard(self, size: int, now: float) -> float:
        """Count bytes that nobody wants. Return the time at which more of them may be read."""
        self._discarded_until = max(self._discarded_until, now) + size / DISCARDED_BYTES_A_SECOND
        return self._discarded_until


class GuardedProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type, unused-ignore]  # chosen when it is imported
    """uvicorn's protocol, which also closes connections that do not send complete headers.

    The rest of a refused request is read slowly. Most clients do not read the response before they have sent it all.
    """

    def __init__(self, *arguments: Any, connections: OpenConnections, **options: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(*arguments, **options)
        self._open = connections
        self._seen: object = _BUSY
        self._looking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Start watching the connection, or close it if there are too many."""
        super().connection_made(transport)
        if not self._open.add(self):
            transport.abort()
            return
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching."""
        super().connection_lost(exc)
        self._open.remove(self)
        if self._looking is not None:
            self._looking.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse what was received. If its request already has its response, wait before more is read."""
        super().data_received(data)
        if self.cycle is not None and self.cycle.response_complete and self.cycle.more_body:
            transport, loop = cast("asyncio.Transport", self.transport), asyncio.get_running_loop()
            self._seen = _BUSY  # it is not idle
            transport.pause_reading()
            loop.call_at(self._open.discard(len(data), loop.time()), self._read_on)

    def _read_on(self) -> None:
        transport = cast("asyncio.Transport", self.transport)
        if not transport.is_closing():
            transport.resume_reading()

    def shutdown(self) -> None:
        """End the connection when the service stops: after its response, or after a moment without a request.

        A request may be in transit while the service stops. uvicorn would close the connection immediately.
        """
        if self.has_request:
            super().shutdown()
        else:
            asyncio.get_running_loop().call_later(LINGER_S, super().shutdown)

    def end(self) -> None:
        """Close the connection at once."""
        cast("asyncio.Transport", self.transport).abort()

    @property
    def has_request(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def _look_later(self) -> None:
        self._looking = asyncio.get_running_loop().call_later(SILENT_S / 2, self.look)

    def look(self) -> None:
        """Close the connection if nothing has happened on it since the last check.

        One that is idle at two checks may have answered many requests between them.
        """
        before, self._seen = self._seen, _BUSY if self.has_request else self.cycle
        is_silent = self._seen is not _BUSY
        if is_silent and self._seen is before:
            self.end()
            return
        self._open.mark(self, is_silent=is_silent)
        self._look_later()


def most_connections(wanted: int) -> int:
    """Return the largest possible number of connections, after raising the system's soft limit on descriptors."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _KEPT_DESCRIPTORS
    with suppress(OSError, ValueError):
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        if soft > resource.getrlimit(resource.RLIMIT_NOFILE)[0]:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, min(wanted, soft - _KEPT_DESCRIPTORS))
