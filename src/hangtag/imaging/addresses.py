"""The web addresses that may be fetched from: public ones, unless private ones are allowed.

A table from a stranger must not make this machine fetch from its private network.
"""

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason

_TRANSLATED: Final = ipaddress.ip_network("64:ff9b::/96")
"""IPv4 addresses behind a NAT64 translator (RFC 6052): the last 32 bits."""

_TUNNELLED: Final = ipaddress.ip_network("::/96")
"""IPv4 addresses in the deprecated IPv4-compatible form (RFC 4291, 2.5.5.1)."""

_LOCAL_NAMES: Final = ("localhost", ".localhost", ".local", ".internal")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class AddressRules:
    """The addresses that may be fetched from: every public address and, with `allow_private`, private ones too.

    With `hosts`, only these names are allowed, and subdomains of those that begin with a dot (`.shop.example`). Their
    addresses may be private.
    """

    allow_private: bool = False
    hosts: frozenset[str] = frozenset()

    def check_host(self, host: str) -> None:
        """Raise `PhotoError` if the name of a host alone shows that it may not be fetched from."""
        name = host.rstrip(".").casefold()
        if self.hosts and not self._is_listed(name):
            raise PhotoError(Reason.PRIVATE_ADDRESS, f"{host} is not a host that photos are fetched from")
        if name.endswith(_LOCAL_NAMES):
            self._check(host, None)
        with_address = _read_address(name)
        if with_address is not None:
            self._check(host, with_address)

    def check_addresses(self, host: str, addresses: Iterable[Address]) -> None:
        """Raise `PhotoError` if one of a host's addresses may not be fetched from."""
        for address in addresses:
            self._check(host, address)

    def _check(self, host: str, address: Address | None) -> None:
        """Raise for an address that is private, or unknown (None)."""
        if self.allow_private or self.hosts or (address is not None and is_public(address)):
            return
        raise PhotoError(
            Reason.PRIVATE_ADDRESS,
            f"{host} is in a private network; photos are fetched from public addresses only",
        )

    def _is_listed(self, name: str) -> bool:
        return any(
            name == host or (host.startswith(".") and name.endswith(host))
            for host in map(str.casefold, self.hosts)
        )


PUBLIC_ONLY: Final = AddressRules()


def is_public(address: Address) -> bool:
    """Return whether an address is public: not private, loopback, multicast or reserved.

    An IPv4 address embedded in an IPv6 address is judged by itself.
    """
    if isinstance(address, ipaddress.IPv6Address):
        packed = _unpack(address)
        if packed is not None:
            return all(map(is_public, packed))
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _unpack(address: ipaddress.IPv6Address) -> tuple[ipaddress.IPv4Address, ...] | None:
    """Return the IPv4 addresses embedded in an IPv6 address, or None if there are none."""
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    if address in _TRANSLATED or (address in _TUNNELLED and int(address) > 1):
        return (ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF),)
    return None


def _read_address(host: str) -> Address | None:
    """Return the address that a host is written as, in any form that systems accept (`0x7f.1`, `2130706433`)."""
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None
