"""Decoding photos into batches of pixels on several threads, in order, with only a few batches in memory."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DEFAULT_LIMITS, DecodeLimits
from hangtag.imaging.fingerprint import APPEARANCE_BYTES, appearance_of
from hangtag.imaging.preprocess import Pixels, Preprocessing, decode_for
from hangtag.imaging.visibility import Flagged, flag_photos

BATCHES_AHEAD: Final = 4
"""How many batches each thread may be ahead of the model: enough to keep it busy, with few in memory."""


class PhotoSource(Protocol):
    """A photo that can be read, such as a file or an entry of an archive. `read` is called from several threads."""

    @property
    def name(self) -> str:
        """The photo's name in tables."""
        ...

    def read(self, limits: DecodeLimits) -> bytes:
        """Return the photo's bytes. Raises `PhotoError` with the reason if they cannot be read."""
        ...


@dataclass(frozen=True, slots=True)
class DecodedBatch:
    """Some photos in order. `errors` has for each the reason why it could not be decoded, or None.

    `pixels` holds, for each preprocessing, the photos that could be decoded: uint8 of shape
    (n, height, width, 3). `quality` holds their flags, bool of shape (n, flags), in the order of
    `imaging.visibility.QUALITY_FLAGS`. `appearances` holds their near-duplicate features, uint8 of shape
    (n, `APPEARANCE_BYTES`), if requested.
    """

    names: tuple[str, ...]
    errors: tuple[PhotoError | None, ...]
    pixels: Mapping[Preprocessing, npt.NDArray[np.uint8]]
    quality: Mapping[Preprocessing, Flagged]
    appearances: npt.NDArray[np.uint8] | None = None

    @property
    def reasons(self) -> tuple[Reason | None, ...]:
        """The code of each error, or None."""
        return tuple(None if error is None else error.reason for error in self.errors)


def _do_nothing() -> None:
    pass


@dataclass(slots=True)
class _Task:
    """Some photos, and the future batch with their pixels."""

    photos: list[PhotoSource]
    batch: Future[DecodedBatch]


@dataclass(frozen=True, slots=True)
class PhotoDecoder:
    """Decodes photos for one or more models. Each distinct preprocessing is applied once.

    One of the `threads` is the caller's: it decodes whenever it would otherwise wait for a batch. So on two processors
    a single thread decodes next to the network, and threads do not compete for Python's lock.

    `give_up` is called when the batches end early, before the threads are joined, to end waits for photos. With
    `appearances`, batches also hold near-duplicate features.
    """

    preprocessings: frozenset[Preprocessing]
    batch_size: int
    threads: int
    limits: DecodeLimits = DEFAULT_LIMITS
    give_up: Callable[[], None] = _do_nothing
    appearances: bool = False

    def iter_batches(self, photos: Iterable[PhotoSource]) -> Generator[DecodedBatch]:
        """Yield the photos batch by batch. A photo that cannot be decoded does not affect the rest of its batch."""
        chunks = _iter_chunks(photos, self.batch_size)
        pool = ThreadPoolExecutor(max(1, self.threads - 1), thread_name_prefix="decode")
        pending: deque[_Task] = deque()
        try:
            for chunk in chunks:
                pending.append(_Task(chunk, pool.submit(self.decode, chunk)))
                if len(pending) > BATCHES_AHEAD * self.threads:
                    yield self._take_first(pending)
            while pending:
                yield self._take_first(pending)
        except BaseException:
            self.give_up()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def decode(self, photos: list[PhotoSource]) -> DecodedBatch:
        """Decode one batch straight into its array. A photo that fails leaves its place to the next one."""
        places = {
            chosen: np.empty((len(photos), chosen.height, chosen.width, 3), np.uint8)
            for chosen in self.preprocessings
        }
        sizes: list[dict[Preprocessing, tuple[int, int]]] = []
        appearances: list[bytes] = []
        errors: list[PhotoError | None] = []
        for photo in photos:
            try:
                rows = {chosen: places_of_all[len(sizes)] for chosen, places_of_all in places.items()}
                images = self._decode_one(photo, rows)
            except PhotoError as error:
                errors.append(error.without_frames())
            else:
                sizes.append({chosen: image.size for chosen, image in images.items()})
                if self.appearances:
                    appearances.append(appearance_of(next(iter(images.values()))))
                errors.append(None)
        pixels = {chosen: rows[: len(sizes)] for chosen, rows in places.items()}
        quality = {
            chosen: flag_photos(pixels[chosen], [of_photo[chosen] for of_photo in sizes], chosen)
            for chosen in self.preprocessings
        }
        found = np.frombuffer(b"".join(appearances), np.uint8).reshape(-1, APPEARANCE_BYTES)
        names = tuple(photo.name for photo in photos)
        return DecodedBatch(names, tuple(errors), pixels, quality, found if self.appearances else None)

    def _decode_one(
        self, photo: PhotoSource, places: Mapping[Preprocessing, Pixels]
    ) -> dict[Preprocessing, Image.Image]:
        """Write a photo's pixels into their places. Return the decoded image for each preprocessing."""
        data = photo.read(self.limits)
        images = {}
        for chosen, place in places.items():
            images[chosen] = decode_for(data, chosen, self.limits)
            chosen.apply_into(images[chosen], place)
        return images

    def _take_first(self, pending: deque[_Task]) -> DecodedBatch:
        """Return the oldest batch. Until it is ready, decode batches that no thread has begun."""
        while self.threads > 1 and not pending[0].batch.done():
            free = next((task for task in pending if task.batch.cancel()), None)
            if free is None:
                break
            batch = self.decode(free.photos)
            free.batch = Future()
            free.batch.set_result(batch)
        return pending.popleft().batch.result()


def _iter_chunks(photos: Iterable[PhotoSource], size: int) -> Iterator[list[PhotoSource]]:
    remaining = iter(photos)
    while chunk := list(islice(remaining, size)):
        yield chunk
