"""Connections to addresses that may be fetched from, whose answers come in time.

A name is resolved once, everything it resolves to is checked, and the connection goes to one of these addresses: a name
that resolves to another address a moment later changes nothing. As this happens for each connection, redirects are
checked too.
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
    """When the work of a thread has to be done; for each thread another time."""

    ends: float | None = None

    @contextmanager
    def set(self, seconds: float) -> Iterator[None]:
        """Give the block so many seconds."""
        self.ends = time.monotonic() + seconds
        try:
            yield
        finally:
            self.ends = None

    def shorten(self, timeout: float | None) -> float | None:
        """Return a time-out in seconds that ends no later. Raises `httpcore.ReadTimeout` where it is past."""
        if self.ends is None:
            return timeout
        left = self.ends - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("it took too long")
        return left if timeout is None else min(timeout, left)


class CheckedNetwork(httpcore.NetworkBackend):
    """Connects to what the rules allow, and lets no answer take longer than the deadline, however it drips.

    Without rules, as for a proxy, every address may be connected to.
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
        """Connect to an address of a host that was checked."""
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
    """A connection whose every wait ends with the deadline of the thread that waits."""

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
    """Let a client connect to what the rules allow only, and let no answer take longer than the deadline.

    What a proxy is asked for is not looked at here: check the name of the host before each request.
    """
    for opened in (client._transport, *client._mounts.values()):  # noqa: SLF001 - httpx has no other way
        if isinstance(opened, httpx.HTTPTransport):
            is_proxy = isinstance(opened._pool, httpcore.HTTPProxy | httpcore.SOCKSProxy)  # noqa: SLF001
            opened._pool._network_backend = CheckedNetwork(None if is_proxy else rules, deadline)  # noqa: SLF001
