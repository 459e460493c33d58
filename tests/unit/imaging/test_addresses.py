import ipaddress
import socket

import pytest

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.addresses import AddressRules, is_public
from hangtag.imaging.budget import DEFAULT_LIMITS
from hangtag.imaging.fetching import Fetcher
from hangtag.labelling.inputs import InputSettings

PRIVATE = [
    "0.0.0.0",  # noqa: S104 - nothing is bound to it
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.1.1",
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "2002:7f00:1::",
    "2001:0:a00:1::",
    "fc00::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"]
WRITTEN = [
    "127.0.0.1",
    "127.1",
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "[::1]",
    "[::ffff:7f00:1]",
    "0",
    "localhost",
    "LOCALHOST.",
    "shop.localhost",
    "metadata.google.internal",
    "printer.local",
    "3232235777",
]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def resolve_to(monkeypatch, *rounds):
    """Let every name resolve to these addresses, at each question to the next list of them."""
    answers = iter(rounds)
    asked = []

    def resolve(host, port, **_options):
        asked.append(host)
        return [
            (socket.AF_INET6 if ":" in found else socket.AF_INET, socket.SOCK_STREAM, 6, "", (found, port))
            for found in next(answers)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


def reason_of(url, **options):
    fetcher = Fetcher(InputSettings(attempts=1, timeout_s=2, **options))
    try:
        with pytest.raises(PhotoError) as caught:
            fetcher.fetch(url, DEFAULT_LIMITS)
    finally:
        fetcher.close()
    return caught.value.reason


@pytest.mark.parametrize("address", PRIVATE)
def test_what_not_everyone_can_reach_is_not_public(address):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_what_everyone_can_reach_is(address):
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("host", WRITTEN)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_private_addresses_are_not_fetched_however_they_are_written(scheme, host):
    assert reason_of(f"{scheme}://{host}:9/photo.jpg") is Reason.PRIVATE_ADDRESS


def test_every_address_of_a_name_is_checked(monkeypatch):
    resolve_to(monkeypatch, ["8.8.8.8", "10.0.0.1"])
    assert reason_of("http://shop.example/photo.jpg") is Reason.PRIVATE_ADDRESS


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch):
    connected = []

    def connect(address, *_args, **_options):
        connected.append(address[0])
        raise ConnectionRefusedError

    asked = resolve_to(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    monkeypatch.setattr(socket, "create_connection", connect)
    assert reason_of("http://shop.example/photo.jpg") is Reason.UNREACHABLE
    assert (connected, asked) == (["8.8.8.8"], ["shop.example"])


@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [
        ("shop.example", True),
        ("SHOP.example.", True),
        ("shop.example.evil", False),
        ("img.cdn.example", True),
        ("cdn.example", False),
        ("notcdn.example", False),
        ("10.0.0.7", True),
        ("10.0.0.8", False),
    ],
)
def test_a_list_of_hosts_allows_these_and_no_other(host, is_allowed):
    rules = AddressRules(hosts=frozenset({"shop.example", ".cdn.example", "10.0.0.7"}))
    if is_allowed:
        rules.check_host(host)
        rules.check_addresses(host, [ipaddress.ip_address("10.0.0.7")])
        return
    with pytest.raises(PhotoError):
        rules.check_host(host)


def test_behind_a_proxy_names_that_say_so_are_private(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert reason_of("http://127.0.0.1/photo.jpg") is Reason.PRIVATE_ADDRESS
    assert reason_of("http://shop.example/photo.jpg") is Reason.UNREACHABLE  # the proxy, which may be private
