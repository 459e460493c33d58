"""Fetching photos from `http://` and `https://` addresses, with limits, timeouts and retries."""

import random
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, Protocol

import httpcore
import httpx

from hangtag.domain.errors import PhotoError
from hangtag.domain.network import naming_network_settings, read_pause
from hangtag.domain.reasons import Reason
from hangtag.imaging.addresses import AddressRules
from hangtag.imaging.budget import DEFAULT_LIMITS, DecodeLimits, too_large
from hangtag.imaging.connecting import Deadline, guard

_LONGEST_PAUSE_S: Final = 60.0
_LONGEST_CONNECT_S: Final = 10.0
_HEADERS: Final = {
    "User-Agent": "hangtag",
    "Accept": "image/*, */*;q=0.5",
    "Accept-Encoding": "identity",  # photos are already compressed, and a response must not grow when unpacked
}
_ABSENT: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_PASSING: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_USER_AND_PASSWORD: Final = re.compile(r"(?<=//)[^/?#@]*@")


class FetchSettings(Protocol):
    """How photos are fetched."""

    @property
    def connections(self) -> int:
        """How many photos are fetched at once."""
        ...

    @property
    def timeout_s(self) -> float:
        """The timeout of one attempt, in seconds."""
        ...

    @property
    def attempts(self) -> int:
        """The largest number of attempts per photo."""
        ...

    @property
    def redirects(self) -> int:
        """The largest number of redirects to follow."""
        ...

    @property
    def rules(self) -> AddressRules:
        """The addresses that may be fetched from."""
        ...

    @property
    def backoff_s(self) -> float:
        """The longest pause after the first failure, in seconds; it doubles after each further one."""
        ...


class _PassingError(Exception):
    """A temporary failure; a retry may succeed after `pause_s` seconds."""

    def __init__(self, error: PhotoError, pause_s: float = 0.0) -> None:
        self.error = error
        self.pause_s = pause_s
        super().__init__(str(error))


class Fetcher:
    """Fetches photos from any thread, over kept-alive connections. `transport` is passed to httpx.

    Raises `UsageError` if the proxy or certificate settings in the environment are invalid.
    """

    def __init__(self, settings: FetchSettings, transport: httpx.BaseTransport | None = None) -> None:
        self._settings = settings
        self._pauses: dict[str, float] = {}
        self._closed = threading.Event()
        with naming_network_settings():
            self._http = httpx.Client(
                headers=_HEADERS,
                timeout=httpx.Timeout(
                    settings.timeout_s, connect=min(settings.timeout_s, _LONGEST_CONNECT_S), pool=None
                ),
                limits=httpx.Limits(max_connections=settings.connections),
                follow_redirects=True,
                max_redirects=settings.redirects,
                transport=transport,
                event_hooks={"request": [self._check_request]},
            )
        self._deadline = Deadline()
        guard(self._http, settings.rules, self._deadline)

    def fetch(self, url: str, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Return the bytes at an address.

        Raises `PhotoError`: at once with NOT_FOUND, REFUSED, TOO_MANY_BYTES or UNREADABLE, and with TIMED_OUT or
        UNREACHABLE if all attempts fail.
        """
        for attempt in range(self._settings.attempts):
            try:
                self._wait(_host(url))
                return self._try(url, limits)
            except _PassingError as failure:
                self._note_pause(_host(url), failure.pause_s)
                if attempt == self._settings.attempts - 1:
                    raise failure.error from None
                self._back_off(attempt)
        raise AssertionError("there is at least one attempt")

    def close(self) -> None:
        """Close the connections. Requests in progress fail."""
        self._closed.set()
        self._http.close()

    def _try(self, url: str, limits: DecodeLimits) -> bytes:
        with (
            _photo_errors(),
            self._deadline.set(self._settings.timeout_s),
            self._http.stream("GET", url) as response,
        ):
            _check_status(response)
            _check_encoding(response)
            if int(response.headers.get("content-length", "0") or 0) > limits.max_bytes:
                raise too_large(limits)
            pieces, length = [], 0
            for piece in response.iter_raw():
                length += len(piece)
                if length > limits.max_bytes:
                    raise too_large(limits)
                self._deadline.shorten(None)
                pieces.append(piece)
            return b"".join(pieces)

    def _check_request(self, request: httpx.Request) -> None:
        """Check each request, including redirects. Through a proxy, only the host's name is checked."""
        self._settings.rules.check_host(request.url.host)

    def _note_pause(self, host: str, asked_s: float) -> None:
        """Remember for all threads how long a host asks clients to pause."""
        if asked_s:
            self._pauses[host] = time.monotonic() + asked_s

    def _back_off(self, attempt: int) -> None:
        """Pause, longer after each attempt, with jitter."""
        self._pause(self._settings.backoff_s * 2**attempt * random.uniform(0.5, 1.0))  # noqa: S311 - no secret

    def _wait(self, host: str) -> None:
        self._pause(self._pauses.get(host, 0.0) - time.monotonic())

    def _pause(self, seconds: float) -> None:
        if seconds > 0 and self._closed.wait(seconds):
            raise PhotoError(Reason.UNREACHABLE, "the run was stopped")


@dataclass(frozen=True, slots=True)
class WebPhoto:
    """A photo at an address."""

    url: str
    fetcher: Fetcher
    extra: Mapping[str, object] = field(default_factory=dict, kw_only=True, hash=False)

    @property
    def name(self) -> str:
        """The address without a user name and password."""
        return drop_password(self.url)

    def read(self, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Fetch the photo. Raises `PhotoError` with the reason if that fails."""
        return self.fetcher.fetch(self.url, limits)


def drop_password(address: str) -> str:
    """Return an address without its user name and password."""
    return _USER_AND_PASSWORD.sub("", address, count=1)


@contextmanager
def _photo_errors() -> Iterator[None]:
    try:
        yield
    except (httpx.TimeoutException, httpcore.TimeoutException):
        raise _PassingError(PhotoError(Reason.TIMED_OUT)) from None
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, ValueError) as error:
        raise PhotoError(Reason.UNREADABLE, f"this address cannot be fetched ({error})") from None
    except httpx.TooManyRedirects:
        raise PhotoError(Reason.UNREACHABLE, "too many redirects") from None
    except (httpx.TransportError, httpx.StreamError) as error:
        raise _PassingError(
            PhotoError(Reason.UNREACHABLE, f"the server cannot be reached ({error})")
        ) from None
    except httpx.HTTPError as error:
        raise PhotoError(Reason.UNREADABLE, f"the answer cannot be read ({error})") from None


def _check_status(response: httpx.Response) -> None:
    status = response.status_code
    if response.is_success:
        return
    if status in _ABSENT:
        raise PhotoError(Reason.NOT_FOUND, f"the server answers {status}")
    if status in _PASSING or response.is_server_error:
        pause_s = read_pause(response.headers.get("retry-after", ""), _LONGEST_PAUSE_S)
        error = PhotoError(Reason.UNREACHABLE, f"the server answers {status}")
        raise _PassingError(error, pause_s or 0.0)
    raise PhotoError(Reason.REFUSED, f"the server answers {status}")


def _check_encoding(response: httpx.Response) -> None:
    """Refuse a compressed response, which was not requested: a few bytes could unpack to gigabytes."""
    encoding = response.headers.get("content-encoding", "identity").strip().casefold()
    if encoding not in ("identity", ""):
        raise PhotoError(Reason.UNREADABLE, f"the server sent the photo compressed ({encoding[:40]})")


def _host(url: str) -> str:
    return _USER_AND_PASSWORD.sub("", url).split("/", 3)[2].casefold()
