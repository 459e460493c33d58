"""What a running service is made of, wired together in one place."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, Request

from hangtag.imaging.batches import PhotoDecoder
from hangtag.inference.cpus import count_usable_cpus
from hangtag.inference.model import Model
from hangtag.server.batching import CHUNK_PHOTOS, Batcher, BatchSettings
from hangtag.server.held import HeldBytes
from hangtag.server.models import ModelShelf
from hangtag.server.settings import Settings


class Service:
    """The models on their shelf, a batcher for each that is loaded, and whether the service is about to stop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.shelf = ModelShelf(settings)
        self.stopping = asyncio.Event()
        """Set when no new work should begin; what streams without an end has to end then."""
        self.is_ready = False
        self.held = HeldBytes(settings.max_held_bytes)
        threads = settings.threads or count_usable_cpus()
        self._decoding = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._batchers: dict[int, Batcher] = {}

    async def start(self) -> None:
        """Load and verify the default model."""
        await self.shelf.get()
        self.is_ready = True

    async def close(self) -> None:
        """Finish what is under way and let go of everything."""
        self.stopping.set()
        for batcher in self._batchers.values():
            await batcher.close()
        self._decoding.shutdown()

    def batcher(self, model: Model) -> Batcher:
        """Return the batcher of a loaded model."""
        if id(model) not in self._batchers:
            decoder = PhotoDecoder(
                frozenset({model.card.preprocessing}), CHUNK_PHOTOS, 1, self.settings.decode_limits
            )
            self._batchers[id(model)] = Batcher(
                model, _batch_settings(self.settings), decoder, self._decoding
            )
        return self._batchers[id(model)]


@asynccontextmanager
async def run_service(settings: Settings) -> AsyncIterator[Service]:
    """Give a service that answers, and close it in the end."""
    service = Service(settings)
    try:
        await service.start()
        yield service
    finally:
        await service.close()


def get_service(request: Request) -> Service:
    """Return the service of the app that a request came to."""
    found: Service = request.app.state.service
    return found


async def _depend_on_service(request: Request) -> Service:  # async, since FastAPI calls others on a thread
    return get_service(request)


ServiceDependency = Annotated[Service, Depends(_depend_on_service)]


def _batch_settings(settings: Settings) -> BatchSettings:
    return BatchSettings(
        settings.batch_photos, settings.batch_wait_ms, settings.queue_photos, settings.batching
    )
