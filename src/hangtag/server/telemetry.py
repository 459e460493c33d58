"""Telemetry for operators: the log on standard error, metrics for Prometheus, OpenTelemetry traces."""

import json
import logging
import sys
from collections import Counter as Tally
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hangtag import __version__
from hangtag.domain.columns import LABELLED
from hangtag.domain.extras import require_extra
from hangtag.inference.predictions import Predictions

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

FIELDS: Final = "hangtag_fields"
"""The attribute of a log record with its named values."""

_SHOWN_LOGGERS: Final = ("hangtag", "uvicorn")


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        values: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            values["traceback"] = self.formatException(record.exc_info)
        return json.dumps(values, ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """Formats a record for people: the time, the message, its values."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname:<7} {message}", "%H:%M:%S", style="{")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging calls it so
        """Return the line without a traceback."""
        values = getattr(record, FIELDS, {})
        return " ".join(
            [super().formatMessage(record), *(f"{name}={value}" for name, value in values.items())]
        )


def log_event(log: logging.Logger, level: int, message: str, **fields: object) -> None:
    """Log a message with named values."""
    if log.isEnabledFor(level):
        log.log(level, message, extra={FIELDS: fields})


def set_up_logs(kind: Literal["text", "json"]) -> None:
    """Send the logs of the service and its HTTP server to standard error. Call it in the serving process only."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if kind == "json" else TextFormatter())
    for name in _SHOWN_LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
    logging.getLogger("hangtag").setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


MEDIA_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_PHOTOS = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """The metrics of one app. Thread-safe."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        Info("hangtag", "The service.", registry=self.registry).info({"version": __version__})
        self._requests = Counter(
            "hangtag_requests",
            "Requests answered.",
            ("operation", "method", "status"),
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "hangtag_request_seconds",
            "From the first byte of a request to the last byte of its response.",
            ("operation",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._photos = Counter(
            "hangtag_photos",
            "Photos by outcome: labelled, or the reason they could not be.",
            ("model", "outcome"),
            registry=self.registry,
        )
        self._batch_photos = Histogram(
            "hangtag_batch_photos",
            "Photos per batch.",
            ("model",),
            buckets=_PHOTOS,
            registry=self.registry,
        )
        self._batch_seconds = Histogram(
            "hangtag_batch_seconds",
            "Seconds a batch took in the network.",
            ("model",),
            buckets=_SECONDS,
            registry=self.registry,
        )

    def count_request(self, operation: str, method: str, status: int, seconds: float) -> None:
        """Count a request. `operation` is its id in the OpenAPI document."""
        self._requests.labels(operation, method, str(status)).inc()
        self._request_seconds.labels(operation).observe(seconds)

    def count_photos(self, model_id: str, predictions: Predictions) -> None:
        """Count photos by outcome."""
        outcomes = Tally(LABELLED if reason is None else reason.value for reason in predictions.reasons)
        for outcome, count in outcomes.items():
            self._photos.labels(model_id, outcome).inc(count)

    def count_batch(self, model_id: str, photos: int, seconds: float) -> None:
        """Count a batch of the network."""
        self._batch_photos.labels(model_id).observe(photos)
        self._batch_seconds.labels(model_id).observe(seconds)

    def watch(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Add a gauge that is read at each scrape."""
        Gauge(name, meaning, registry=self.registry).set_function(read)

    def render(self) -> bytes:
        """Return the metrics in the Prometheus format."""
        return generate_latest(self.registry)


_NAME: Final = "hangtag"
_PATH: Final = "v1/traces"


def open_tracing(endpoint: str) -> "TracerProvider":
    """Return a provider that sends spans to a collector by OTLP over HTTP, such as `http://127.0.0.1:4318`.

    Raises `UsageError` without the extra `traces`.
    """
    require_extra("traces", "tracing", "opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(
        resource=Resource.create({"service.name": _NAME, "service.version": __version__}),
        shutdown_on_exit=False,  # the service shuts it down after its last request
    )
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/{_PATH}")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


class Tracing:
    """Makes a span for each request. It continues the trace of a proxy or client that sends a `traceparent` header.

    A span has the operation, the method and the status, but never a path or the name of a photo or person.
    """

    def __init__(self, app: ASGIApp, provider: "TracerProvider") -> None:
        self._app = app
        self._tracer = provider.get_tracer(_NAME, __version__)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        from opentelemetry.propagate import extract  # noqa: PLC0415 - an extra
        from opentelemetry.trace import SpanKind, StatusCode  # noqa: PLC0415

        context = extract(dict(Headers(scope=scope)))
        with self._tracer.start_as_current_span("request", context, SpanKind.SERVER) as span:

            async def watch(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= HTTPStatus.INTERNAL_SERVER_ERROR:
                        span.set_status(StatusCode.ERROR)
                await send(message)

            span.set_attribute("http.request.method", scope["method"])
            try:
                await self._app(scope, receive, watch)
            finally:
                span.update_name(str(getattr(scope.get("route"), "name", None) or "none"))
