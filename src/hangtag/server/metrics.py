"""The metrics of the service, for Prometheus. Every app has its own registry."""

from collections import Counter as Tally
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from hangtag import __version__
from hangtag.domain.columns import LABELLED
from hangtag.inference.predictions import Predictions

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
