"""OpenTelemetry traces: one span for each request, sent to a collector if the settings name one."""

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hangtag import __version__
from hangtag.domain.extras import require_extra

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_NAME: Final = "hangtag"
_PATH: Final = "v1/traces"


def open_tracing(endpoint: str) -> "TracerProvider":
    """Return a provider that sends spans to a collector by OTLP over HTTP, as `http://127.0.0.1:4318`.

    Raises `UsageError` without the extra `traces`.
    """
    require_extra("traces", "tracing", "opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(
        resource=Resource.create({"service.name": _NAME, "service.version": __version__}),
        shutdown_on_exit=False,  # the service closes it, after its last request
    )
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/{_PATH}")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


class Tracing:
    """Makes a span of each request. It continues the trace of a proxy or client that sends a `traceparent` header.

    A span has the operation, the method and the status, never a path, a name of a photo or a person.
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
