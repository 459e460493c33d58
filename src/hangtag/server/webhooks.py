"""Sending webhooks in the background: one thread schedules, a few send. Every address is checked on each call."""

import logging
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import httpcore
import httpx
from sqlalchemy import Engine

from hangtag import __version__
from hangtag.client.webhooks import sign_webhook
from hangtag.domain.errors import InvalidField, InvalidFieldsError, PhotoError
from hangtag.domain.network import naming_network_settings, read_pause
from hangtag.imaging.addresses import AddressRules
from hangtag.imaging.connecting import Deadline, guard
from hangtag.store.outbox import Message, Outbox, Outcome
from hangtag.store.webhooks import Webhooks

TIMEOUT_S: Final = 15.0
GATHERED_S: Final = 1.0
"""Changes within this time are combined into one message if they fit."""

_LOOK_S: Final = 5.0
"""How often to check without a notification: a retry may be due, or another service may have changed something."""

_ROUND_S: Final = 10.0
"""How long one address is served before the others get their turn."""

_AT_ONCE: Final = 4
_CLEAN_EVERY_S: Final = 3_600.0
_LONGEST_PAUSE_S: Final = 24 * 3_600.0
_LONGEST_URL: Final = 2_000
_PASSING: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_PRIVATE: Final = "this host is private or not listed; HANGTAG_WEBHOOK_HOSTS lists those that are allowed"
_log = logging.getLogger(__name__)


class WebhookSender:
    """Makes messages from changes and sends them. `hosts` are names that may be called although they are private.

    Without `hosts`, every public address is allowed, by https.
    """

    def __init__(self, engine: Engine, hosts: frozenset[str], timeout_s: float = TIMEOUT_S) -> None:
        self.webhooks = Webhooks(engine)
        self.outbox = Outbox(engine, _spread)
        self._rules = AddressRules(hosts=hosts)
        self._timeout_s = timeout_s
        self._deadline = Deadline()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
        with naming_network_settings():
            self._http = httpx.Client(
                headers={"User-Agent": f"hangtag/{__version__}", "Content-Type": "application/json"},
                timeout=timeout_s,
                follow_redirects=False,
            )
        guard(self._http, self._rules, self._deadline)

    def check_url(self, url: str) -> str:
        """Return an address if it is allowed. Raises `InvalidFieldsError`."""
        try:
            parts = urlsplit(url.strip())
            host, _port = parts.hostname or "", parts.port
        except ValueError:
            raise _invalid("this is no address") from None
        if parts.scheme not in {"http", "https"} or not host or len(url) > _LONGEST_URL:
            raise _invalid("write an address such as https://shop.example/hooks/hangtag")
        if parts.username is not None or parts.fragment:
            raise _invalid("leave out user, password and #: messages are signed instead")
        try:
            self._rules.check_host(host)
        except PhotoError:
            raise _invalid(_PRIVATE) from None
        if parts.scheme == "http" and not self._rules.hosts:
            raise _invalid("use https; http is for hosts of HANGTAG_WEBHOOK_HOSTS")
        return url.strip()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Signal that something changed."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread. Unsent messages are sent after the next start."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=self._timeout_s)
        self._http.close()

    def send_due(self) -> int:
        """Make messages, and send all that are due. Return how many arrived."""
        self.outbox.collect()
        due = self.outbox.list_due()
        if not due:
            return 0
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="webhook") as pool:
            return sum(pool.map(self._serve, due))

    def _run(self) -> None:
        cleaned = 0.0
        while not self._stopping.is_set():
            self._wake.wait(_LOOK_S)
            if self._stopping.wait(GATHERED_S):
                return
            self._wake.clear()
            try:
                if self.send_due():
                    self._wake.set()  # there may be more
                if time.monotonic() - cleaned > _CLEAN_EVERY_S:
                    self.outbox.remove_old()
                    cleaned = time.monotonic()
            except Exception:  # noqa: BLE001 - the database may be away for a while; it is tried again
                _log.exception("webhooks wait because the database cannot be used")

    def _serve(self, webhook: int) -> int:
        """Send the messages of one webhook in order, until one fails or its turn is over."""
        arrived = 0
        ends = time.monotonic() + _ROUND_S
        while time.monotonic() < ends and not self._stopping.is_set():
            message = self.outbox.lease(webhook)
            if message is None or not self.outbox.record(message, self._send(message)):
                break
            arrived += 1
        return arrived

    def _send(self, message: Message) -> Outcome:
        body = message.body.encode()
        headers = sign_webhook(message.secrets, message.id, int(time.time()), body)
        started = time.monotonic()
        status, problem, pause_s = None, None, 0.0
        try:
            self._rules.check_host(httpx.URL(message.url).host)
            with (
                self._deadline.set(self._timeout_s),
                self._http.stream("POST", message.url, content=body, headers=headers) as answer,
            ):
                status = answer.status_code
                problem = None if answer.is_success else f"the address answered {status}"
                pause_s = _asked_pause_s(answer)
        except PhotoError:
            problem = _PRIVATE
        except (httpx.TimeoutException, httpcore.TimeoutException):
            problem = f"no answer within {self._timeout_s:g} seconds"
        except (httpx.HTTPError, httpx.InvalidURL, httpcore.NetworkError, OSError) as error:
            problem = f"the address cannot be reached ({error})"
        took_ms = round((time.monotonic() - started) * 1000)
        if problem is not None:
            _log.info("webhook message %s: %s", message.id, problem)
        return Outcome(status, problem, took_ms, pause_s, status == HTTPStatus.GONE)


def read_hosts(text: str) -> frozenset[str]:
    """Return the names in a comma-separated setting."""
    return frozenset(name.strip().casefold() for name in text.split(",") if name.strip())


def _spread(seconds: float) -> float:
    return seconds * random.uniform(0.8, 1.2)  # noqa: S311 - no secret


def _asked_pause_s(answer: httpx.Response) -> float:
    """Return how many seconds an address asks to wait."""
    if answer.status_code not in _PASSING:
        return 0.0
    return read_pause(answer.headers.get("retry-after", ""), _LONGEST_PAUSE_S) or 0.0


def _invalid(message: str) -> InvalidFieldsError:
    return InvalidFieldsError(InvalidField("url", message))
