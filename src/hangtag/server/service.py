"""The parts of a running service, wired together in one place."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Annotated, Final

from fastapi import Depends, FastAPI, Request

from hangtag.imaging.apart import abort_decoders, close_decoders
from hangtag.imaging.batches import PhotoDecoder
from hangtag.inference.model import Model
from hangtag.inference.runtime import count_usable_cpus
from hangtag.server.access.control import AccessControl
from hangtag.server.batch_service import BatchService
from hangtag.server.batching import CHUNK_PHOTOS, Batcher, BatchSettings
from hangtag.server.catalogue import ShownCatalogue
from hangtag.server.catalogue_reviews import CatalogueReviews
from hangtag.server.examples import ExampleFinder
from hangtag.server.explanations import ExplanationQueue
from hangtag.server.health import Health
from hangtag.server.housekeeping import Housekeeper
from hangtag.server.models import ModelRegistry
from hangtag.server.settings import Settings
from hangtag.server.telemetry import Metrics
from hangtag.server.turns import LongWork
from hangtag.server.upload_memory import UploadMemory, trim_memory

_TRIM_S: Final = 10.0
CATALOGUE_FOLDER: Final = "catalogue"


class Service:
    """The models, a batcher for each loaded model, the catalogue, and everything else that requests share.

    It runs in one event loop. Raises `BundleError` if there is no default model.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings = settings
        self.metrics = metrics
        self.registry = ModelRegistry(settings)
        self.catalogue = ShownCatalogue(
            settings.catalogue, settings.data_folder / CATALOGUE_FOLDER, settings.catalogue_labels
        )
        self.upload_memory = UploadMemory(settings.max_upload_memory_bytes)
        self.long_work = LongWork()
        self.explaining = ExplanationQueue(settings.decode_limits)
        self.is_ready = False
        self.is_stopping = False
        self._on_stop: list[Callable[[], object]] = []
        self._batchers: dict[int, tuple[Model, Batcher]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._examples: ExampleFinder | None = None
        self._trimming: asyncio.Task[None] | None = None
        threads = settings.threads or count_usable_cpus()
        self._decoding = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self.batches = BatchService(settings, self.registry)
        self.health = Health(self.batches.store.engine, settings.data_folder, self.registry.check_default)
        self.reviews = CatalogueReviews(self.batches, self.catalogue, settings)
        self.access = AccessControl(settings, self.batches.store.engine)
        self.housekeeper = Housekeeper(settings, self.access, self.batches.batches, metrics)
        self.on_stop(self.batches.end_streams)
        metrics.watch("hangtag_photos_waiting", "Photos waiting for a prediction.", self.count_waiting)
        metrics.watch(
            "hangtag_upload_memory_bytes",
            "Bytes of uploads in memory.",
            lambda: self.upload_memory.used_bytes,
        )

    async def start(self) -> None:
        """Load and verify the default model, start reading the catalogue, and continue the batches."""
        await self.registry.get()
        self.catalogue.start()
        await asyncio.to_thread(self.batches.start)
        self.housekeeper.start()
        self._trimming = asyncio.create_task(_trim_now_and_then())
        self.is_ready = True

    def on_stop(self, action: Callable[[], object]) -> None:
        """Register an action for the beginning of the stop, such as ending an endless stream."""
        self._on_stop.append(action)

    def begin_stop(self) -> None:
        """Prepare to stop: /readyz returns 503 and streams end, but requests are still answered."""
        if not self.is_stopping:
            self.is_stopping = True
            for action in self._on_stop:
                action()

    async def close(self) -> None:
        """Finish open work and release everything."""
        self.begin_stop()
        if self._trimming is not None:
            self._trimming.cancel()
        self.health.close()
        self.batches.begin_stop()
        abort_decoders()  # requests are finished, and photos of batches are decoded again after the next start
        for _, batcher in self._batchers.values():
            await batcher.close()
        await asyncio.gather(*self._closing)
        self._decoding.shutdown(cancel_futures=True)
        await asyncio.to_thread(close_decoders)
        await asyncio.to_thread(self.explaining.close)
        await self.housekeeper.close()
        await self.batches.close()
        await asyncio.to_thread(self.catalogue.stop)

    def batcher(self, model: Model) -> Batcher:
        """Return the batcher of a loaded model."""
        if id(model) not in self._batchers:
            self._close_replaced()
            limits = self.settings.decode_limits
            decoder = PhotoDecoder(frozenset({model.card.preprocessing}), CHUNK_PHOTOS, 1, limits)
            on_batch = partial(self.metrics.count_batch, model.card.name)
            batcher = Batcher(model, _batch_settings(self.settings), decoder, self._decoding, on_batch)
            self._batchers[id(model)] = (model, batcher)
        return self._batchers[id(model)][1]

    def _close_replaced(self) -> None:
        """Close the batchers of models whose file was replaced, once their open work is done."""
        for key, (model, batcher) in list(self._batchers.items()):
            if not self.registry.has(model):
                del self._batchers[key]
                task = asyncio.create_task(batcher.close())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)

    def count_waiting(self) -> int:
        """Return the number of photos waiting for a prediction."""
        return sum(batcher.photos_waiting for _, batcher in self._batchers.values())

    @property
    def examples(self) -> ExampleFinder | None:
        """The finder of example photos in the catalogue; None without a catalogue."""
        source = self.catalogue.source
        if self._examples is None and source is not None:
            self._examples = ExampleFinder(source, self.settings.split_table)
        return self._examples


@asynccontextmanager
async def run_service(settings: Settings, metrics: Metrics) -> AsyncIterator[Service]:
    """Yield a started service, and close it at the end."""
    async with AsyncExitStack() as stack:
        service = Service(settings, metrics)
        stack.push_async_callback(service.close)
        await service.start()
        yield service


async def _trim_now_and_then() -> None:
    """Return freed memory to the system regularly, as large uploads come and go."""
    while True:
        await asyncio.sleep(_TRIM_S)
        await asyncio.to_thread(trim_memory)


def find_service(app: FastAPI) -> Service:
    """Return the service of a started app."""
    found: Service = app.state.service
    return found


async def _depend_on_service(
    request: Request,
) -> Service:  # async, because FastAPI runs sync dependencies on a thread
    return find_service(request.app)


ServiceDependency = Annotated[Service, Depends(_depend_on_service)]


def _batch_settings(settings: Settings) -> BatchSettings:
    return BatchSettings(
        settings.batch_photos,
        settings.batch_wait_ms,
        settings.queue_photos,
        settings.batching,
        settings.threads or count_usable_cpus(),
    )
