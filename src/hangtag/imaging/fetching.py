"""Fetching photos from `http://` and `https://` addresses, with limits, time-outs and retries."""

import email.utils
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
from hangtag.domain.network import naming_network_settings
from hangtag.domain.reasons import Reason
from hangtag.imaging.addresses import AddressRules
from hangtag.imaging.budget import DEFAULT_LIMITS, DecodeLimits, too_large
from hangtag.imaging.connecting import Deadline, guard

_LONGEST_PAUSE_S: Final = 60.0
_LONGEST_CONNECT_S: Final = 10.0
_HEADERS: Final = {
    "User-Agent": "hangtag",
    "Accept": "image/*, */*;q=0.5",
    "Accept-Encoding": "identity",  # photos are compressed already, and nothing can grow on arrival
}
_ABSENT: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_PASSING: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_USER_AND_PASSWORD: Final = re.compile(r"(?<=//)[^/?#@]*@")


class FetchSettings(Protocol):
    """How photos are fetched."""

    @property
    def connections(self) -> int:
        """How many photos are fetched at a time."""
        ...

    @property
    def timeout_s(self) -> float:
        """How many seconds an attempt may take."""
        ...

    @property
    def attempts(self) -> int:
        """How often a photo is asked for, at most."""
        ...

    @property
    def redirects(self) -> int:
        """How many redirects are followed."""
        ...

    @property
    def rules(self) -> AddressRules:
        """Which addresses may be fetched from."""
        ...

    @property
    def backoff_s(self) -> float:
        """The longest pause after the first failure, in seconds; it doubles after each further one."""
        ...


class _PassingError(Exception):
    """A failure that may be over when the same is tried again, at the earliest after `pause_s`."""

    def __init__(self, error: PhotoError, pause_s: float = 0.0) -> None:
        self.error = error
        self.pause_s = pause_s
        super().__init__(str(error))


class Fetcher:
    """Fetches photos from any number of threads, over connections that are kept. `transport` is httpx's.

    Raises `UsageError` if the environment's proxy or certificate settings cannot be used.
    """

    def __init__(self, settings: FetchSettings, transport: httpx.BaseTransport | None = None) -> None:
        self._settings = settings
        self._rests: dict[str, float] = {}
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
        """Return what stands at an address.

        Raises `PhotoError` with NOT_FOUND, REFUSED, TOO_MANY_BYTES or UNREADABLE at once, with TIMED_OUT or UNREACHABLE
        when that has not changed after the attempts of the settings.
        """
        for attempt in range(self._settings.attempts):
            try:
                self._wait(_host(url))
                return self._try(url, limits)
            except _PassingError as failure:
                self._let_rest(_host(url), failure.pause_s)
                if attempt == self._settings.attempts - 1:
                    raise failure.error from None
                self._back_off(attempt)
        raise AssertionError("there is at least one attempt")

    def close(self) -> None:
        """End the connections; what is under way fails."""
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
        """Look at each request, redirected ones too. What a proxy is asked for is checked by its name alone."""
        self._settings.rules.check_host(request.url.host)

    def _let_rest(self, host: str, asked_s: float) -> None:
        """Remember for how long a host asks to be left alone, by all threads."""
        if asked_s:
            self._rests[host] = time.monotonic() + asked_s

    def _back_off(self, attempt: int) -> None:
        """Wait longer after each attempt, not all threads for equally long."""
        self._pause(self._settings.backoff_s * 2**attempt * random.uniform(0.5, 1.0))  # noqa: S311 - no secret

    def _wait(self, host: str) -> None:
        self._pause(self._rests.get(host, 0.0) - time.monotonic())

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
        """The address, without the user and password that may stand in it."""
        return drop_password(self.url)

    def read(self, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Fetch the photo; raises `PhotoError` with the reason why it cannot be had."""
        return self.fetcher.fetch(self.url, limits)


def drop_password(address: str) -> str:
    """Return an address without the user and password that may stand in it."""
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
        raise _PassingError(
            PhotoError(Reason.UNREACHABLE, f"the server answers {status}"), _asked_pause_s(response)
        )
    raise PhotoError(Reason.REFUSED, f"the server answers {status}")


def _check_encoding(response: httpx.Response) -> None:
    """Refuse an answer that is packed although nobody asked for that: a few bytes could unpack to gigabytes."""
    encoding = response.headers.get("content-encoding", "identity").strip().casefold()
    if encoding not in ("identity", ""):
        raise PhotoError(Reason.UNREADABLE, f"the server sent the photo compressed ({encoding[:40]})")


def _asked_pause_s(response: httpx.Response) -> float:
    """Return for how many seconds a server asks to be left alone, in a number or by a date (RFC 9110, 10.2.3)."""
    asked = response.headers.get("retry-after", "").strip()
    if asked.isdecimal():
        return min(float(asked), _LONGEST_PAUSE_S)
    try:
        until = email.utils.parsedate_to_datetime(asked).timestamp()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return max(0.0, min(until - time.time(), _LONGEST_PAUSE_S))


def _host(url: str) -> str:
    return _USER_AND_PASSWORD.sub("", url).split("/", 3)[2].casefold()
