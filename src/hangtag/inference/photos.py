"""Photos as a caller of the Python API gives them: paths and bytes, decoded on several threads."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from hangtag.domain.errors import PhotoError
from hangtag.imaging.decode import read_photo_bytes
from hangtag.imaging.preprocess import Pixels, Preprocessing, prepare_photo

GivenPhoto = str | Path | bytes
"""The path of a photo's file, or the bytes of one."""

_BATCH_SIZE: Final = 64


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """Some photos in order: their names, why some have no pixels, and the pixels of the others.

    `pixels` is uint8 of shape (n, height, width, 3) for the n photos without an error.
    """

    names: tuple[str, ...]
    errors: tuple[PhotoError | None, ...]
    pixels: npt.NDArray[np.uint8]


def iter_prepared(
    photos: Iterable[GivenPhoto], preprocessing: Preprocessing, threads: int
) -> Iterator[PreparedBatch]:
    """Yield photos in batches, decoded on several threads; bytes are named by their position, from `photo 1` on."""
    named = ((_name(photo, position), photo) for position, photo in enumerate(photos, start=1))
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        while chunk := list(islice(named, _BATCH_SIZE)):
            decoded = list(pool.map(lambda given: _decode(given[1], preprocessing), chunk))
            good = [pixels for pixels in decoded if not isinstance(pixels, PhotoError)]
            yield PreparedBatch(
                names=tuple(name for name, _ in chunk),
                errors=tuple(outcome if isinstance(outcome, PhotoError) else None for outcome in decoded),
                pixels=np.stack(good)
                if good
                else np.empty((0, preprocessing.height, preprocessing.width, 3), np.uint8),
            )


def _name(photo: GivenPhoto, position: int) -> str:
    return f"photo {position}" if isinstance(photo, bytes) else str(photo)


def _decode(photo: GivenPhoto, preprocessing: Preprocessing) -> Pixels | PhotoError:
    try:
        data = photo if isinstance(photo, bytes) else read_photo_bytes(Path(photo))
        return prepare_photo(data, preprocessing)
    except PhotoError as error:
        return error
