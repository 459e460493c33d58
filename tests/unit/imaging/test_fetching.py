import contextlib
import email.utils
import gzip
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.addresses import AddressRules
from hangtag.imaging.batches import PhotoDecoder
from hangtag.imaging.budget import DecodeLimits
from hangtag.imaging.fetching import Fetcher, WebPhoto
from hangtag.labelling.inputs.opening import open_inputs
from hangtag.labelling.inputs.photo import InputSettings
from hangtag.labelling.inputs.prefetch import FetchingAhead


def local(**options):
    """Return settings that let photos be fetched from this machine."""
    return InputSettings(rules=AddressRules(allow_private=True), **options)


QUICK = local(timeout_s=5, attempts=3, backoff_s=0.01)
PATIENCE_S = 20


class Shop(BaseHTTPRequestHandler):
    """A server that misbehaves by the path that is asked for; every connection is closed after its answer."""

    calls: ClassVar = Counter()
    moments: ClassVar = []
    busy: ClassVar = Counter()
    release = threading.Event()
    lock = threading.Lock()

    def do_GET(self):
        name = self.path.partition("?")[0].strip("/")
        with self.lock:
            self.calls[name] += 1
            self.moments.append(time.monotonic())
        getattr(self, f"give_{name.partition('-')[0].replace('.', '_')}")(self.calls[name])

    def answer(self, status=200, body=b"", **headers):
        self.send_response(status)
        headers = {"Content_Length": str(len(body))} | headers
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def give_photo(self, _call):
        self.answer(body=self.path.encode())

    def give_missing(self, _call):
        self.answer(404)

    def give_gone(self, _call):
        self.answer(410)

    def give_private(self, _call):
        self.answer(403)

    def give_shaky(self, call):
        self.answer(500 if call < 3 else 200, b"at last")

    def give_broken(self, _call):
        self.answer(503)

    def give_busy(self, call):
        if call == 1:
            self.answer(429, Retry_After="1")
        else:
            self.answer(body=b"now")

    def give_later(self, call):
        if call == 1:
            self.answer(503, Retry_After=email.utils.formatdate(time.time() + 2, usegmt=True))
        else:
            self.answer(body=b"now")

    def give_cut(self, _call):
        self.answer(body=b"half", Content_Length="8")

    def give_mended(self, call):
        self.answer(body=b"half" if call == 1 else b"halfhalf", Content_Length="8")

    def give_large(self, _call):
        self.answer(body=b"", Content_Length="1000000")

    def give_endless(self, _call):
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(bytes(1000))
        except OSError:
            pass

    def give_dripping(self, _call):
        self.send_response(200)
        self.end_headers()
        try:
            while not self.release.wait(0.05):
                self.wfile.write(b"x")
        except OSError:
            pass

    def give_silent(self, _call):
        self.release.wait(PATIENCE_S)

    def give_moved(self, _call):
        self.answer(302, Location="/photo-moved")

    def give_circle(self, _call):
        self.answer(302, Location="/circle")

    def give_file(self, _call):
        self.answer(302, Location="file:///etc/passwd")

    def give_slow(self, _call):
        with self.lock:
            self.busy["now"] += 1
            self.busy["most"] = max(self.busy["most"], self.busy["now"])
        time.sleep(0.05)
        with self.lock:
            self.busy["now"] -= 1  # before the answer: whoever has it may ask for the next photo at once
        self.answer(body=b"x")

    def give_packed(self, _call):
        self.answer(body=gzip.compress(bytes(100)), Content_Encoding="gzip, gzip")

    def give_inward(self, _call):
        self.answer(302, Location=f"http://2130706433:{self.server.server_port}/photo")

    def give_dripped(self, _call):
        with contextlib.suppress(OSError):
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            for _ in range(200):
                self.wfile.write(b"X-Header: more\r\n")
                time.sleep(0.02)

    def log_message(self, *_message):
        pass


@pytest.fixture
def shop(monkeypatch):
    """The address of a server on this machine, whatever proxy the environment names."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    Shop.calls.clear()
    Shop.busy.clear()
    Shop.moments.clear()
    Shop.release.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    Shop.release.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def fetch(shop):
    opened = []

    def fetch(name, settings=QUICK, **limits):
        opened.append(Fetcher(settings))
        return opened[-1].fetch(f"{shop}/{name}", DecodeLimits(**limits))

    yield fetch
    for fetcher in opened:
        fetcher.close()


def reason(call, *arguments, **options):
    with pytest.raises(PhotoError) as caught:
        call(*arguments, **options)
    return caught.value.reason


def test_a_photo_is_fetched(fetch):
    assert fetch("photo?size=1") == b"/photo?size=1"


@pytest.mark.parametrize(
    ("name", "expected", "calls"),
    [
        ("missing", Reason.NOT_FOUND, 1),
        ("gone", Reason.NOT_FOUND, 1),
        ("private", Reason.REFUSED, 1),
        ("broken", Reason.UNREACHABLE, 3),
        ("cut", Reason.UNREACHABLE, 3),
        ("circle", Reason.UNREACHABLE, 6),
        ("file", Reason.UNREADABLE, 1),
    ],
)
def test_what_cannot_be_had_is_a_reason(fetch, name, expected, calls):
    assert reason(fetch, name) is expected
    assert Shop.calls[name] == calls


@pytest.mark.parametrize(
    ("name", "body"), [("shaky", b"at last"), ("mended", b"halfhalf"), ("moved", b"/photo-moved")]
)
def test_what_passes_is_tried_again(fetch, name, body):
    assert fetch(name) == body


@pytest.mark.parametrize("name", ["large", "endless"])
def test_a_photo_that_is_too_large_is_not_read_to_its_end(fetch, name):
    assert reason(fetch, name, max_bytes=5000) is Reason.TOO_MANY_BYTES
    assert Shop.calls[name] == 1


@pytest.mark.parametrize("name", ["silent", "dripping"])
def test_a_server_that_takes_too_long_is_left(fetch, name):
    settings = local(timeout_s=0.3, attempts=2, backoff_s=0.01)
    assert reason(fetch, name, settings) is Reason.TIMED_OUT
    assert Shop.calls[name] == 2


@pytest.mark.parametrize("name", ["busy", "later"])
def test_a_server_is_left_alone_for_as_long_as_it_asks(fetch, name):
    assert fetch(name) == b"now"
    first, second = Shop.moments
    assert second - first > 0.9


def test_a_host_that_asks_for_rest_is_not_asked_for_anything_else(shop):
    fetcher = Fetcher(QUICK)
    fetcher.fetch(f"{shop}/busy")
    fetcher._pauses[shop.removeprefix("http://")] = time.monotonic() + 0.5  # noqa: SLF001 - as if it had asked just now
    started = time.monotonic()
    fetcher.fetch(f"{shop}/photo")
    assert time.monotonic() - started > 0.4
    fetcher.close()


def test_no_server_is_a_reason(shop):
    address, _, port = shop.rpartition(":")
    fetcher = Fetcher(QUICK)
    assert reason(fetcher.fetch, f"{address}:1/x") is Reason.UNREACHABLE
    assert port
    fetcher.close()


@pytest.mark.parametrize(
    "url", ["http://", "http:///x.jpg", "http://[::1", "https://exa mple/x", "http://a:b/x"]
)
def test_what_is_no_address_is_a_reason(url):
    fetcher = Fetcher(local(attempts=1, timeout_s=2))
    assert reason(fetcher.fetch, url) in (Reason.UNREADABLE, Reason.UNREACHABLE)
    fetcher.close()


def test_a_password_in_an_address_is_not_shown():
    photo = WebPhoto("https://user:secret@shop.example/1.jpg?mail=a@b", None)
    assert photo.name == "https://shop.example/1.jpg?mail=a@b"


def test_closing_ends_a_wait(shop):
    fetcher = Fetcher(local(attempts=3, backoff_s=PATIENCE_S * 3))
    found = []
    thread = threading.Thread(target=lambda: found.append(reason(fetcher.fetch, f"{shop}/broken")))
    thread.start()
    while not Shop.calls["broken"]:
        time.sleep(0.01)
    fetcher.close()
    thread.join(PATIENCE_S)
    assert found == [Reason.UNREACHABLE]


def test_addresses_are_fetched_side_by_side_and_no_more_than_allowed(shop):
    urls = [f"{shop}/slow-{number}" for number in range(24)]
    with open_inputs([*urls, f"{shop}/missing"], local(connections=4, timeout_s=PATIENCE_S)) as inputs:
        assert inputs.count() == 25
        *photos, missing = list(FetchingAhead().start(inputs))
        assert [photo.name for photo in photos] == urls
        assert [photo.read() for photo in photos] == [b"x"] * 24
        assert reason(missing.read) is Reason.NOT_FOUND
    assert 2 <= Shop.busy["most"] <= 4


def test_a_run_that_ends_early_leaves_nothing_behind(shop):
    with open_inputs([f"{shop}/slow-{number}" for number in range(200)], local(connections=2)) as inputs:
        first = next(FetchingAhead().start(inputs))
        assert first.read() == b"x"
    assert sum(Shop.calls.values()) < 10
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fetch")]


def test_photos_that_are_passed_over_are_not_fetched(shop):
    with open_inputs([f"{shop}/photo", f"{shop}/slow"], QUICK) as inputs:
        skipped, wanted = inputs
        assert skipped.name == f"{shop}/photo"
        assert wanted.read() == b"x"
    assert dict(Shop.calls) == {"slow": 1}


def test_a_run_that_is_interrupted_waits_for_no_photo(shop):
    urls = [f"{shop}/photo", *(f"{shop}/silent-{number}" for number in range(60))]
    with open_inputs(urls, local(connections=2, timeout_s=PATIENCE_S * 10, attempts=1)) as inputs:
        ahead = FetchingAhead()
        batches = PhotoDecoder(frozenset(), 1, 1, give_up=ahead.give_up).iter_batches(ahead.start(inputs))
        next(batches)
        closing = threading.Thread(target=batches.close)
        closing.start()
        closing.join(PATIENCE_S)
        assert not closing.is_alive()
        Shop.release.set()


def test_an_interrupt_ends_the_wait_for_a_photo(shop):
    settings = local(connections=1, timeout_s=PATIENCE_S * 10, attempts=1)
    with open_inputs([f"{shop}/silent-0"], settings) as inputs:
        ahead = FetchingAhead()
        photo = next(ahead.start(inputs))
        threading.Timer(0.1, ahead.end_waits).start()
        began = time.monotonic()
        with pytest.raises(PhotoError, match="the run was stopped"):
            photo.read()
        assert time.monotonic() - began < PATIENCE_S
        Shop.release.set()


def test_a_packed_answer_is_not_unpacked(fetch):
    assert reason(fetch, "packed") is Reason.UNREADABLE


def test_headers_that_drip_end_with_the_time_of_an_attempt(fetch):
    started = time.monotonic()
    assert reason(fetch, "dripped", local(timeout_s=0.5, attempts=1)) is Reason.TIMED_OUT
    assert time.monotonic() - started < 3


def test_redirects_are_checked_too(shop):
    fetcher = Fetcher(InputSettings(attempts=1, rules=AddressRules(hosts=frozenset({"127.0.0.1"}))))
    try:
        assert fetcher.fetch(f"{shop}/photo") == b"/photo"
        with pytest.raises(PhotoError) as caught:
            fetcher.fetch(f"{shop}/inward")
    finally:
        fetcher.close()
    assert caught.value.reason is Reason.PRIVATE_ADDRESS
