"""HTTP connections restricted to allowed addresses, with a deadline for responses.

A name is resolved once, all its addresses are checked, and the connection goes to one of them, so a name that resolves
differently a moment later changes nothing. This happens for every connection, so redirects are checked too.
"""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

from hangtag.imaging.addresses import AddressRules


class Deadline(threading.local):
    """A deadline for the current thread. Each thread has its own."""

    ends: float | None = None

    @contextmanager
    def set(self, seconds: float) -> Iterator[None]:
        """Set the deadline for the block, in seconds from now."""
        self.ends = time.monotonic() + seconds
        try:
            yield
        finally:
            self.ends = None

    def shorten(self, timeout: float | None) -> float | None:
        """Return a timeout in seconds, cut at the deadline. Raises `httpcore.ReadTimeout` after the deadline."""
        if self.ends is None:
            return timeout
        left = self.ends - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("it took too long")
        return left if timeout is None else min(timeout, left)


class CheckedNetwork(httpcore.NetworkBackend):
    """Connects only to allowed addresses, and enforces the deadline however slowly a response arrives.

    Without rules, as for a proxy, any address is allowed.
    """

    def __init__(self, rules: AddressRules | None, deadline: Deadline) -> None:
        self._rules = rules
        self._deadline = deadline
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to one of a host's addresses, after checking all of them."""
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in self._resolve(host, port):
            try:
                stream = self._network.connect_tcp(
                    address, port, self._deadline.shorten(timeout), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _TimedStream(stream, self._deadline)
        raise failure

    def _resolve(self, host: str, port: int) -> list[str]:
        if self._rules is None:
            return [host]
        self._rules.check_host(host)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} cannot be found ({error})") from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        self._rules.check_addresses(
            host, (ipaddress.ip_address(address.partition("%")[0]) for address in addresses)
        )
        return addresses


class _TimedStream(httpcore.NetworkStream):
    """A connection on which every wait ends at the deadline of the current thread."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.shorten(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.shorten(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        secure = self._stream.start_tls(ssl_context, server_hostname, self._deadline.shorten(timeout))
        return _TimedStream(secure, self._deadline)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore's
        return self._stream.get_extra_info(info)


def guard(client: httpx.Client, rules: AddressRules, deadline: Deadline) -> None:
    """Restrict a client to allowed addresses, and enforce the deadline on all its responses.

    Requests through a proxy are not checked here. Check the host's name before each request.
    """
    for opened in (client._transport, *client._mounts.values()):  # noqa: SLF001 - httpx has no other way
        if isinstance(opened, httpx.HTTPTransport):
            is_proxy = isinstance(opened._pool, httpcore.HTTPProxy | httpcore.SOCKSProxy)  # noqa: SLF001
            opened._pool._network_backend = CheckedNetwork(None if is_proxy else rules, deadline)  # noqa: SLF001
