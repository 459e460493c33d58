"""Photos become batches of pixels on several threads, in order, with only a few batches held at a time."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.decode import DEFAULT_LIMITS, DecodeLimits
from hangtag.imaging.preprocess import Pixels, Preprocessing, decode_for
from hangtag.imaging.visibility import Flagged, flag_photos

BATCHES_AHEAD: Final = 4
"""How many batches each thread may be ahead of the model: enough that it never waits, few in memory."""


class PhotoSource(Protocol):
    """A photo that can be read: a file, an entry of a catalogue. `read` is called from several threads."""

    @property
    def name(self) -> str:
        """What a table calls this photo."""
        ...

    def read(self, limits: DecodeLimits) -> bytes:
        """Return the photo's bytes; raises `PhotoError` with the reason why they cannot be had."""
        ...


@dataclass(frozen=True, slots=True)
class DecodedBatch:
    """Some photos in their order. `errors` says for each why it has no pixels, or is None.

    `pixels` holds, for each preprocessing, the photos that could be decoded: uint8 of shape
    (n, height, width, 3). `quality` holds their flags, bool of shape (n, flags), in the order of
    `imaging.visibility.QUALITY_FLAGS`.
    """

    names: tuple[str, ...]
    errors: tuple[PhotoError | None, ...]
    pixels: Mapping[Preprocessing, npt.NDArray[np.uint8]]
    quality: Mapping[Preprocessing, Flagged]

    @property
    def reasons(self) -> tuple[Reason | None, ...]:
        """The code of each error, or None."""
        return tuple(None if error is None else error.reason for error in self.errors)


def _do_nothing() -> None:
    pass


class _Decoded(NamedTuple):
    """A photo's pixels, and its (width, height) as decoded."""

    pixels: Pixels
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class PhotoDecoder:
    """Decodes photos for one model or several; each preprocessing is applied once.

    `give_up` is called when the batches end early, before the threads are waited for: it ends waits for photos.
    """

    preprocessings: frozenset[Preprocessing]
    batch_size: int
    threads: int
    limits: DecodeLimits = DEFAULT_LIMITS
    give_up: Callable[[], None] = _do_nothing

    def iter_batches(self, photos: Iterable[PhotoSource]) -> Generator[DecodedBatch]:
        """Yield the photos batch by batch. A photo that cannot be decoded costs its batch nothing."""
        chunks = _iter_chunks(photos, self.batch_size)
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="decode")
        pending: deque[Future[DecodedBatch]] = deque()
        try:
            for chunk in chunks:
                pending.append(pool.submit(self.decode, chunk))
                if len(pending) > BATCHES_AHEAD * self.threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BaseException:
            self.give_up()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def decode(self, photos: list[PhotoSource]) -> DecodedBatch:
        """Decode one batch."""
        decoded = [self._decode_one(photo) for photo in photos]
        good = [photo for photo in decoded if not isinstance(photo, PhotoError)]
        pixels, quality = {}, {}
        for chosen in self.preprocessings:
            pixels[chosen] = _stack([photo[chosen].pixels for photo in good], chosen)
            quality[chosen] = flag_photos(pixels[chosen], [photo[chosen].size for photo in good], chosen)
        return DecodedBatch(
            names=tuple(photo.name for photo in photos),
            errors=tuple(photo if isinstance(photo, PhotoError) else None for photo in decoded),
            pixels=pixels,
            quality=quality,
        )

    def _decode_one(self, photo: PhotoSource) -> dict[Preprocessing, _Decoded] | PhotoError:
        try:
            data = photo.read(self.limits)
            return {chosen: _prepare(data, chosen, self.limits) for chosen in self.preprocessings}
        except PhotoError as error:
            return error


def _prepare(data: bytes, preprocessing: Preprocessing, limits: DecodeLimits) -> _Decoded:
    image = decode_for(data, preprocessing, limits)
    return _Decoded(preprocessing.apply(image), image.size)


def _iter_chunks(photos: Iterable[PhotoSource], size: int) -> Iterator[list[PhotoSource]]:
    remaining = iter(photos)
    while chunk := list(islice(remaining, size)):
        yield chunk


def _stack(photos: list[Pixels], preprocessing: Preprocessing) -> npt.NDArray[np.uint8]:
    stacked = np.empty((len(photos), preprocessing.height, preprocessing.width, 3), np.uint8)
    for position, pixels in enumerate(photos):
        stacked[position] = pixels
    return stacked
