"""Webhooks over HTTP: registered, signed, sent to a receiver that listens, retried; addresses that are refused."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hangtag.client import verify_webhook
from tiny_bundle import draw_png

API = "/api/v1"
EVENTS = ["products.changed", "batch.ready"]


class Receiver:
    """A shop's system: it keeps what comes, and answers as it is told."""

    def __init__(self):
        self.messages, self.answers = [], []
        kept = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                kept.messages.append((dict(self.headers), body))
                status = kept.answers.pop(0) if kept.answers else 204
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", f"http://127.0.0.1:{kept.port}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def wait(self, count):
        """Return the messages when there are so many."""
        until = time.monotonic() + 30
        while len(self.messages) < count and time.monotonic() < until:
            time.sleep(0.05)
        return self.messages


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def own(open_client):
    """A service whose webhooks may call this machine."""
    return open_client(webhook_hosts="127.0.0.1, .shop.internal")


def test_a_batch_is_told_to_a_receiver_that_checks_the_signature(own, receiver):
    """From the photo to the message; a failure is tried again, and the log says so."""
    url = f"http://127.0.0.1:{receiver.port}/hook"
    made = own.post(f"{API}/webhooks", json={"url": url, "events": EVENTS, "description": "ERP"})
    assert made.status_code == 201, made.text
    secret = made.json()["secret"]
    listed = own.get(f"{API}/webhooks").json()["items"]
    assert [(hook["url"], hook["enabled"], "secret" in hook) for hook in listed] == [(url, True, False)]
    batch = own.post(f"{API}/batches", json={"name": "Spring"}).json()["id"]
    own.post(f"{API}/batches/{batch}/files", files=[("files", ("a.png", draw_png(1), "image/png"))])
    for headers, body in receiver.wait(2)[:2]:
        assert verify_webhook(secret, headers, body).startswith("msg_")
        assert json.loads(body)["data"]["batch"]["id"] == batch
    path = f"{API}/webhooks/{made.json()['id']}"
    deliveries = own.get(f"{path}/deliveries").json()
    assert {item["event"] for item in deliveries["items"]} >= set(EVENTS)
    count = len(receiver.messages)
    receiver.answers = [302]
    assert own.post(f"{path}/test").status_code == 202
    receiver.wait(count + 1)
    until = time.monotonic() + 10
    while (
        not (last := own.get(f"{path}/deliveries").json()["items"][0])["problem"] and time.monotonic() < until
    ):
        time.sleep(0.05)
    assert (last["event"], last["state"], last["problem"]) == ("test", "waiting", "the address answered 302")
    assert len(receiver.messages) == count + 1
    repeated = own.post(f"{path}/deliveries/{last['id']}/redeliver")
    assert repeated.json()["repeated"]
    headers, body = receiver.wait(count + 2)[-1]
    assert headers["webhook-id"] == last["id"]
    assert own.patch(path, json={"enabled": False}).json()["disabled_because"] == "turned off by hand"
    assert own.post(f"{path}/test").status_code == 409
    assert own.post(f"{path}/secret").json()["secret"] != secret
    assert own.delete(path).status_code == 204
    assert own.get(f"{path}/deliveries").status_code == 404


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/hook",
        "https://localhost/hook",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://10.0.0.8/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://erp.internal/hook",
        "http://shop.example/hook",
        "https://user:secret@shop.example/",
        "https://shop.example/#x",
        "ftp://shop.example/",
        "shop.example",
        "https://shop.example:port/",
        "https://",
    ],
)
def test_addresses_that_are_not_called(client, url):
    """Private ones, without encryption, with a password, and what is no address."""
    found = client.post(f"{API}/webhooks", json={"url": url, "events": EVENTS})
    assert found.status_code == 422, found.text
    assert found.json()["errors"][0]["field"] == "url"


def test_hosts_that_are_allowed(own):
    """With a list, only its hosts are called, also without encryption."""
    allowed = own.post(f"{API}/webhooks", json={"url": "http://erp.shop.internal/x", "events": EVENTS})
    assert allowed.status_code == 201
    other = own.post(f"{API}/webhooks", json={"url": "https://shop.example/", "events": EVENTS})
    assert other.status_code == 422
    own.delete(f"{API}/webhooks/{allowed.json()['id']}")


def test_labels_are_taken_from_a_system(client, sold_batch):
    """By SKU; what is unknown is said, and the version that a webhook told is good for the next push."""
    url = f"{API}/batches/{sold_batch}/labels"
    items = [{"key": "A2", "labels": {"gender": "Women"}}, {"key": "A9", "labels": {"gender": "Men"}}]
    answer = client.post(url, json={"items": items}, headers={"X-Hangtag-User": "erp"}).json()
    assert [result["outcome"] for result in answer["results"]] == ["changed", "unknown"]
    taken_back = [{"key": "A2", "version": answer["results"][0]["version"], "labels": {"gender": None}}]
    assert client.post(url, json={"items": taken_back}).json()["changed"] == 1
    assert client.post(url, json={"items": [{"labels": {}}]}).status_code == 422
