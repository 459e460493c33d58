"""Photos of concurrent requests, decoded on threads and sent through the network together.

An idle engine starts at once, unless photos that are being decoded could still join the batch. While the engine is
busy, arriving photos are collected into the next batch.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hangtag.domain.errors import PhotoError
from hangtag.imaging.batches import DecodedBatch, PhotoDecoder, PhotoSource
from hangtag.imaging.budget import DecodeLimits
from hangtag.imaging.cost import estimate_cost
from hangtag.imaging.visibility import Flagged
from hangtag.inference.predicting import Predictor
from hangtag.inference.predictions import Predictions
from hangtag.inference.probabilities import PredictionBuilder
from hangtag.server.problems import QueueFullError, ShuttingDownError
from hangtag.server.settings import SERVED_HERE_PIXELS
from hangtag.server.turns import FairTurns, Flow, LongWork, Pieces
from hangtag.server.upload_memory import UploadedPhoto

CHUNK_PHOTOS: Final = 8
"""How many photos a thread decodes at a time: few, so that several threads share a small request."""

EXPENSIVE_AT_A_TIME: Final = 2
"""How many expensive photos, those that take long to decode, are decoded at a time."""

EXPENSIVE_PIXELS_PER_PLACE: Final = 1_000_000
"""How many pixels of expensive photos may wait, per place in the queue."""

LONGEST_WAIT_S: Final = 20.0
"""The longest expected wait for an expensive photo, at the recent pace. Clients would not wait longer."""

REFUSAL_S: Final = 0.5
"""How long a refusal of large or many photos is delayed, so that retries do not keep the service busy."""

_FIRST_PACE: Final = 30_000_000.0
_OLDER_COUNT: Final = 0.8

_UNKNOWN_PIXELS: Final = 10_000_000
"""The cost of a photo whose size is not in its first bytes."""

_SMALLEST_COST: Final = 20_000
BATCHES_AT_A_TIME: Final = 2
"""How many batches the engine has: while one runs, the next is ready."""


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """The size of the largest batch, how long it waits for photos being decoded, and how many photos may queue.

    `decoders` is how many chunks are decoded at a time. Without `is_shared`, each request is a separate batch.
    """

    max_photos: int = 64
    wait_ms: float = 2.0
    queue_photos: int = 2048
    is_shared: bool = True
    decoders: int = 2


@dataclass(frozen=True, slots=True)
class _CostedPhoto:
    """A photo and its decoding cost, in pixels. `position` is its place in the request.

    A photo with an `error` exceeds the limits, according to its header.
    """

    photo: PhotoSource
    position: int
    pixels: int
    is_cheap: bool
    error: PhotoError | None = None


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
        self._nothing = self._builder.build_empty()
        self._settings = settings
        self._decoder = decoder
        self._decoding = decoding
        self._on_batch = on_batch
        self._turns = FairTurns(settings.decoders)
        self._expensive = ThreadPoolExecutor(EXPENSIVE_AT_A_TIME, "expensive")
        self._expensive_turns = FairTurns(EXPENSIVE_AT_A_TIME)
        self._expensive_pixels = 0
        # Recently decoded pixels and seconds. Averaging paces would hide the few photos that take all the time.
        self._expensive_done, self._expensive_seconds = _FIRST_PACE, 1.0
        self._engine = ThreadPoolExecutor(BATCHES_AT_A_TIME, thread_name_prefix="engine")
        self._queue: deque[_Waiting] = deque()
        self._photos_in_decoding = 0
        self._changed = asyncio.Event()
        self._free = asyncio.Semaphore(BATCHES_AT_A_TIME)
        self._running: set[asyncio.Task[None]] = set()
        self._collector = asyncio.create_task(self._collect())
        self._is_closed = False

    async def predict(self, photos: Sequence[PhotoSource], pieces: Pieces | None = None) -> Predictions:
        """Return the predictions of photos, in order.

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
            return await self._predict_chunks(photos, pieces or LongWork().begin())
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
        self._expensive.shutdown()

    async def _predict_chunks(self, photos: Sequence[PhotoSource], pieces: Pieces) -> Predictions:
        flow = Flow()
        costed = await _estimate_costs(photos, self._decoder.limits, pieces)
        refused = [photo for photo in costed if photo.error is not None]
        expensive = [photo for photo in costed if not photo.is_cheap and photo.error is None]
        chunks = list(_iter_chunks(costed, min(CHUNK_PHOTOS, self._settings.max_photos)))
        if not expensive and not refused and len(chunks) == 1:
            return await self._predict_chunk(chunks[0], flow)
        if len(refused) > CHUNK_PHOTOS:
            await asyncio.sleep(REFUSAL_S)
        pixels = sum(photo.pixels for photo in expensive)
        await self._check_room(pixels)
        self._expensive_pixels += pixels
        # A request has just enough chunks in progress to fill a batch, so that others get their turn.
        ahead = asyncio.Semaphore(max(2, self._settings.max_photos // CHUNK_PHOTOS))
        expensive_ahead = asyncio.Semaphore(EXPENSIVE_AT_A_TIME)

        async def predict_in_turn(chunk: list[_CostedPhoto]) -> Predictions:
            async with ahead if chunk[0].is_cheap else expensive_ahead:
                return await self._predict_chunk(chunk, flow)

        try:
            async with asyncio.TaskGroup() as group:
                parts = [*chunks, *([photo] for photo in expensive)]
                tasks = [group.create_task(predict_in_turn(part)) for part in parts]
        except* QueueFullError as late:
            raise late.exceptions[0] from None
        finally:
            self._expensive_pixels -= pixels
        # All refused photos are answered together. For hundreds of photos each step takes a millisecond.
        pieces.resume()
        answers = [task.result() for task in tasks]
        answers.append(
            self._nothing.place([given.photo.name for given in refused], [given.error for given in refused])
        )
        await pieces.pause()
        joined = Predictions.concat(answers)
        order = np.argsort([photo.position for part in [*parts, refused] for photo in part])
        await pieces.pause()
        ordered = joined[order]
        await pieces.pause()
        return ordered

    async def _check_room(self, pixels: int) -> None:
        """Raise `QueueFullError` if expensive photos are waiting, and there would be too many."""
        in_time = EXPENSIVE_AT_A_TIME * self._expensive_done / self._expensive_seconds * LONGEST_WAIT_S
        room = min(in_time, EXPENSIVE_PIXELS_PER_PLACE * self._settings.queue_photos)
        if pixels and self._expensive_pixels and self._expensive_pixels + pixels > room:
            waiting = self._expensive_pixels // 1_000_000
            await asyncio.sleep(REFUSAL_S)
            raise QueueFullError(
                f"large photos of {waiting:,} megapixels are already waiting",
                fix="Try again in a few seconds.",
            )

    async def _predict_chunk(self, chunk: list[_CostedPhoto], flow: Flow) -> Predictions:
        return await self._predict_decoded(await self._decode(chunk, flow))

    async def _predict_decoded(self, decoded: DecodedBatch) -> Predictions:
        preprocessing = self._model.card.preprocessing
        pixels, quality = decoded.pixels[preprocessing], decoded.quality[preprocessing]
        if not len(pixels):
            return self._nothing.place(decoded.names, decoded.errors)
        waiting = _Waiting(pixels, quality, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._changed.set()
        return (await waiting.answer).place(decoded.names, decoded.errors)

    async def _decode(self, chunk: list[_CostedPhoto], flow: Flow) -> DecodedBatch:
        """Decode a chunk when it is its turn. Expensive photos have their own threads, and only delay each other."""
        is_cheap = chunk[0].is_cheap
        turns, threads = (
            (self._turns, self._decoding) if is_cheap else (self._expensive_turns, self._expensive)
        )
        pixels = sum(photo.pixels for photo in chunk)
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(None if is_cheap else LONGEST_WAIT_S):
                    await stack.enter_async_context(turns.turn(flow, pixels))
            except TimeoutError:
                raise QueueFullError(
                    "large photos take longer than usual", fix="Try again in a few seconds."
                ) from None
            self._photos_in_decoding += len(chunk) if is_cheap else 0
            started = time.monotonic()
            try:
                decoded = await asyncio.get_running_loop().run_in_executor(
                    threads, self._decoder.decode, [photo.photo for photo in chunk]
                )
                if not is_cheap:
                    self._expensive_done = _OLDER_COUNT * self._expensive_done + pixels
                    self._expensive_seconds = (
                        _OLDER_COUNT * self._expensive_seconds + time.monotonic() - started
                    )
                return decoded
            finally:
                self._photos_in_decoding -= len(chunk) if is_cheap else 0
                self._changed.set()

    async def _collect(self) -> None:
        """Form batches until the batcher is closed."""
        while True:
            await self._free.acquire()
            while not self._queue:
                await self._wait_for_change()
            if self._settings.is_shared:
                await self._wait_for_more()
            task = asyncio.create_task(self._answer(self._take()))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _wait_for_more(self) -> None:
        """Wait briefly for photos that are being decoded and fit into the next batch."""
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
        except Exception as error:  # noqa: BLE001 - waiting requests must get any error
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


async def _estimate_costs(
    photos: Sequence[PhotoSource], limits: DecodeLimits, pieces: Pieces
) -> list[_CostedPhoto]:
    """Estimate photos' costs from their headers. Other work gets its turn in between."""
    costed: list[_CostedPhoto] = []
    for position, photo in enumerate(photos):
        costed.append(_estimate_cost_of(photo, position, limits))
        await pieces.pause()
    return costed


def _estimate_cost_of(photo: PhotoSource, position: int, limits: DecodeLimits) -> _CostedPhoto:
    if not isinstance(photo, UploadedPhoto):
        return _CostedPhoto(photo, position, _SMALLEST_COST, is_cheap=True)
    try:
        # The service's limits include the largest cheap photo to decode in this process.
        pixels, is_cheap = estimate_cost(photo.read(limits), limits)
    except PhotoError as error:
        return _CostedPhoto(photo, position, 0, is_cheap=False, error=error.without_frames())
    if pixels is None:
        return _CostedPhoto(photo, position, _UNKNOWN_PIXELS, is_cheap=False)
    return _CostedPhoto(photo, position, max(pixels, _SMALLEST_COST), is_cheap)


def _iter_chunks(photos: Sequence[_CostedPhoto], size: int) -> Iterator[list[_CostedPhoto]]:
    """Yield the cheap photos of a request in chunks of at most `size` photos and a limited number of pixels."""
    chunk: list[_CostedPhoto] = []
    pixels = 0
    for photo in photos:
        if not photo.is_cheap:
            continue
        if chunk and (len(chunk) >= size or pixels + photo.pixels > SERVED_HERE_PIXELS):
            yield chunk
            chunk, pixels = [], 0
        chunk.append(photo)
        pixels += photo.pixels
    if chunk:
        yield chunk
