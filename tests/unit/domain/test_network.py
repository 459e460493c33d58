import httpx
import pytest

from hangtag.client.connection import Connection
from hangtag.domain.errors import UsageError
from hangtag.domain.network import naming_network_settings, read_pause
from hangtag.imaging.fetching import Fetcher
from hangtag.labelling.inputs.photo import InputSettings

VARIABLES = ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("all_proxy", "socks://127.0.0.1:9/", "proxy"),
        ("HTTPS_PROXY", "http://proxy:port", "proxy"),
        ("no_proxy", "[::1]", "proxy"),
        ("SSL_CERT_FILE", "/no/such.pem", "certificate"),
    ],
)
@pytest.mark.parametrize("build", [lambda: Fetcher(InputSettings()), lambda: Connection("http://x", 1, None)])
def test_a_setting_that_cannot_be_used_is_named(name, value, kind, build, monkeypatch):
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=kind) as caught:
        build()
    assert f"{name}={value}" in str(caught.value)


def test_socks_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    with pytest.raises(UsageError, match=r"ALL_PROXY=socks5.*httpx\[socks\]"), naming_network_settings():
        raise ImportError("the 'socksio' package is not installed")


def test_an_error_of_something_else_stays_what_it_is():
    with pytest.raises(httpx.InvalidURL), naming_network_settings():
        raise httpx.InvalidURL("of something else")


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("7", 7.0),
        (" 900 ", 60.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 60.0),
        ("", None),
        ("soon", None),
    ],
)
def test_a_server_may_ask_for_a_pause_by_number_or_date(asked, seconds):
    assert read_pause(asked, 60.0) == seconds
