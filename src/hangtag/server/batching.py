"""Photos of concurrent requests, decoded on threads and sent through the network together.

An idle engine starts at once, unless photos that are being decoded could still join the batch. While the engine is
busy, arriving photos are collected into the next batch.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hangtag.domain.errors import PhotoError
from hangtag.imaging.batches import DecodedBatch, PhotoDecoder, PhotoSource
from hangtag.imaging.cost import is_cheap
from hangtag.imaging.visibility import Flagged
from hangtag.inference.predicting import Predictor
from hangtag.inference.predictions import Predictions
from hangtag.inference.probabilities import PredictionBuilder
from hangtag.server.problems import QueueFullError, ShuttingDownError
from hangtag.server.upload_memory import UploadedPhoto

CHUNK_PHOTOS: Final = 8
"""How many photos a thread decodes at a time: few, so that several threads share a small request."""

DEAR_AT_A_TIME: Final = 2
"""How many possibly expensive photos are decoded at a time, next to the others."""

DEAR_WEIGHT: Final = 4
"""Only this fraction (1/n) of the queue may be possibly expensive photos."""

BATCHES_AT_A_TIME: Final = 2
"""How many batches are with the engine: while one runs, the next is ready."""


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """The size of the largest batch, how long it waits for photos being decoded, and how many photos may queue.

    Without `is_shared`, each request is a batch of its own.
    """

    max_photos: int = 64
    wait_ms: float = 2.0
    queue_photos: int = 2048
    is_shared: bool = True


@dataclass(slots=True)
class _Waiting:
    pixels: npt.NDArray[np.uint8]
    quality: Flagged
    answer: asyncio.Future[Predictions]


class Batcher:
    """Predicts photos with one model, in one event loop; `decoding` are the threads that decode.

    `on_batch` is called after every batch with the number of its photos and the seconds that it took.
    """

    def __init__(
        self,
        model: Predictor,
        settings: BatchSettings,
        decoder: PhotoDecoder,
        decoding: Executor,
        on_batch: Callable[[int, float], None] = lambda _photos, _seconds: None,
    ) -> None:
        self.photos_waiting = 0
        self._model = model
        self._builder = PredictionBuilder(model.card)
        self._settings = settings
        self._decoder = decoder
        self._decoding = decoding
        self._on_batch = on_batch
        self._dear = ThreadPoolExecutor(DEAR_AT_A_TIME, thread_name_prefix="dear")
        self._dear_waiting = 0
        self._engine = ThreadPoolExecutor(BATCHES_AT_A_TIME, thread_name_prefix="engine")
        self._queue: deque[_Waiting] = deque()
        self._photos_in_decoding = 0
        self._changed = asyncio.Event()
        self._free = asyncio.Semaphore(BATCHES_AT_A_TIME)
        self._running: set[asyncio.Task[None]] = set()
        self._collector = asyncio.create_task(self._collect())
        self._is_closed = False

    async def predict(self, photos: Sequence[PhotoSource]) -> Predictions:
        """Return the predictions of photos, in their order.

        Raises `QueueFullError` if too many wait already, and `ShuttingDownError` after `close`.
        """
        if self._is_closed:
            raise ShuttingDownError("the service is stopping")
        # When nothing else waits, a request may be larger than the queue.
        if self.photos_waiting and self.photos_waiting + len(photos) > self._settings.queue_photos:
            raise QueueFullError(
                f"{self.photos_waiting:,} photos are already waiting", fix="Try again in a second."
            )
        self.photos_waiting += len(photos)
        try:
            return await self._predict_chunks(photos)
        finally:
            self.photos_waiting -= len(photos)
            self._changed.set()

    async def close(self) -> None:
        """Accept no more photos, finish those that are waiting, and stop the threads."""
        self._is_closed = True
        while self.photos_waiting:
            await self._wait_for_change()
        self._collector.cancel()
        self._engine.shutdown()
        self._dear.shutdown()

    async def _predict_chunks(self, photos: Sequence[PhotoSource]) -> Predictions:
        dear = [position for position, photo in enumerate(photos) if _is_dear(photo)]
        if not dear:
            return await self._predict_cheap(photos)
        cheap = sorted(set(range(len(photos))) - set(dear))
        self._check_room(len(dear))
        self._dear_waiting += len(dear)
        try:
            # As few at a time as have a thread, so that requests take turns.
            turn = asyncio.Semaphore(DEAR_AT_A_TIME)
            async with asyncio.TaskGroup() as group:
                given = [photos[position] for position in cheap]
                tasks = [group.create_task(self._predict_cheap(given))] if given else []
                tasks += [group.create_task(self._predict_dear(photos[position], turn)) for position in dear]
        finally:
            self._dear_waiting -= len(dear)
        return Predictions.concat([task.result() for task in tasks])[np.argsort([*cheap, *dear])]

    async def _predict_cheap(self, photos: Sequence[PhotoSource]) -> Predictions:
        size = min(CHUNK_PHOTOS, self._settings.max_photos)
        chunks = [list(photos[start : start + size]) for start in range(0, len(photos), size)]
        if len(chunks) == 1:
            return await self._predict_chunk(chunks[0])
        # A request has enough chunks in progress to fill a batch, and no more, so that others get their turn.
        turn = asyncio.Semaphore(max(2, self._settings.max_photos // size))

        async def predict_in_turn(chunk: list[PhotoSource]) -> Predictions:
            async with turn:
                return await self._predict_chunk(chunk)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(predict_in_turn(chunk)) for chunk in chunks]
        return Predictions.concat([task.result() for task in tasks])

    async def _predict_dear(self, photo: PhotoSource, turn: asyncio.Semaphore) -> Predictions:
        """Predict a photo that may take seconds to decode, on threads where it delays only others like it."""
        async with turn:
            decoded = await asyncio.get_running_loop().run_in_executor(
                self._dear, self._decoder.decode, [photo]
            )
            return await self._predict_decoded(decoded)

    def _check_room(self, count: int) -> None:
        """Raise `QueueFullError` if too many photos that take long to decode would wait."""
        if self._dear_waiting and self._dear_waiting + count > self._settings.queue_photos // DEAR_WEIGHT:
            raise QueueFullError(
                f"{self._dear_waiting:,} photos that take long to decode are already waiting",
                fix="Try again in a few seconds.",
            )

    async def _predict_chunk(self, chunk: list[PhotoSource]) -> Predictions:
        return await self._predict_decoded(await self._decode(chunk))

    async def _predict_decoded(self, decoded: DecodedBatch) -> Predictions:
        preprocessing = self._model.card.preprocessing
        pixels, quality = decoded.pixels[preprocessing], decoded.quality[preprocessing]
        if not len(pixels):
            return self._builder.build_empty().place(decoded.names, decoded.errors)
        waiting = _Waiting(pixels, quality, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._changed.set()
        return (await waiting.answer).place(decoded.names, decoded.errors)

    async def _decode(self, chunk: list[PhotoSource]) -> DecodedBatch:
        self._photos_in_decoding += len(chunk)
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._decoding, self._decoder.decode, chunk
            )
        finally:
            self._photos_in_decoding -= len(chunk)
            self._changed.set()

    async def _collect(self) -> None:
        """Form batches until the batcher is closed."""
        while True:
            await self._free.acquire()
            while not self._queue:
                await self._wait_for_change()
            if self._settings.is_shared:
                await self._wait_for_company()
            task = asyncio.create_task(self._answer(self._take()))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _wait_for_company(self) -> None:
        """Wait a moment for photos that are being decoded and have room in the next batch."""
        deadline = asyncio.get_running_loop().time() + self._settings.wait_ms / 1000
        while self._photos_in_decoding and self._photos_in_queue() < self._settings.max_photos:
            try:
                async with asyncio.timeout_at(deadline):
                    await self._wait_for_change()
            except TimeoutError:
                return

    async def _wait_for_change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _photos_in_queue(self) -> int:
        return sum(len(waiting.pixels) for waiting in self._queue)

    def _take(self) -> list[_Waiting]:
        batch = [self._queue.popleft()]
        room = self._settings.max_photos - len(batch[0].pixels)
        while self._settings.is_shared and self._queue and len(self._queue[0].pixels) <= room:
            batch.append(self._queue.popleft())
            room -= len(batch[-1].pixels)
        return batch

    async def _answer(self, batch: list[_Waiting]) -> None:
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._engine, self._predict, batch)
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of any error
            for waiting in batch:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
        else:
            start = 0
            for waiting in batch:
                end = start + len(waiting.pixels)
                if not waiting.answer.done():
                    waiting.answer.set_result(found[start:end])
                start = end
        finally:
            self._free.release()

    def _predict(self, batch: list[_Waiting]) -> Predictions:
        started = time.perf_counter()
        pixels, quality = batch[0].pixels, batch[0].quality
        if len(batch) > 1:
            pixels = np.concatenate([waiting.pixels for waiting in batch])
            quality = np.concatenate([waiting.quality for waiting in batch])
        found = self._builder.build(self._model.run(pixels), quality)
        self._on_batch(len(pixels), time.perf_counter() - started)
        return found


def _is_dear(photo: PhotoSource) -> bool:
    """Return whether decoding an uploaded photo may take long, judging by its header."""
    if not isinstance(photo, UploadedPhoto):
        return False
    try:
        data = photo.read()
    except PhotoError:
        return False
    return bool(data) and not is_cheap(data)
