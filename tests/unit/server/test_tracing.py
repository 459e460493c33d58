"""Requests become spans where a collector is named."""

import http.server
import threading

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from hangtag.domain.errors import UsageError
from hangtag.server.app import create_app
from hangtag.server.telemetry import Tracing, open_tracing

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def spans():
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    app = FastAPI()

    @app.get("/photos/{name}")
    async def show_photo(name: str):
        if name == "broken":
            raise RuntimeError
        return name

    app.add_middleware(Tracing, provider=provider)
    client = TestClient(app, raise_server_exceptions=False)

    def ask(path, **headers):
        client.get(path, headers=headers)
        return exporter.get_finished_spans()[-1]

    yield ask
    provider.shutdown()


def test_a_span_says_what_was_asked_and_how_it_went_but_names_no_photo(spans):
    span = spans("/photos/secret-dress.jpg")
    assert span.name == "show_photo"
    assert dict(span.attributes) == {"http.request.method": "GET", "http.response.status_code": 200}
    assert "secret-dress" not in span.to_json()
    assert spans("/photos/broken").status.is_ok is False
    assert spans("/nothing").name == "none"


def test_a_span_continues_the_trace_of_whoever_asks(spans):
    span = spans("/photos/a", traceparent=f"00-{TRACE}-b7ad6b7169203331-01")
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"


def test_a_collector_gets_them(build_settings):
    received = []

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            received.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        settings = build_settings(otlp_endpoint=f"http://127.0.0.1:{server.server_port}")
        with TestClient(create_app(settings)) as client:
            client.get("/api/v1/models")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert received[0][0] == "/v1/traces"
    assert b"list_models" in b"".join(body for _, body in received)


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setattr("hangtag.domain.extras._is_installed", lambda _: False)
    with pytest.raises(UsageError, match=r"hangtag\[traces\]"):
        open_tracing("http://127.0.0.1:4318")
