"""The photos that the Python API accepts: paths, folders, bytes, open files, Pillow images, NumPy arrays."""

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from hangtag.domain.errors import PhotoError, UsageError
from hangtag.domain.reasons import Reason
from hangtag.imaging.addresses import PUBLIC_ONLY, AddressRules
from hangtag.imaging.batches import PhotoSource
from hangtag.imaging.budget import DEFAULT_LIMITS, DecodeLimits
from hangtag.imaging.decode import PHOTO_SUFFIXES, read_photo_bytes

if TYPE_CHECKING:
    from hangtag.imaging.fetching import Fetcher

GivenPhoto = (
    str
    | os.PathLike[str]
    | bytes
    | bytearray
    | memoryview
    | BinaryIO
    | Image.Image
    | npt.NDArray[np.uint8]
    | PhotoSource
)
"""One photo: a path, http address, bytes, an open file, a Pillow image, an array (height, width, 3), `PhotoSource`."""

GivenPhotos = GivenPhoto | Iterable[GivenPhoto]
"""One photo or many. The path of a folder stands for all photos in it and its subfolders."""

_FIX: Final = (
    "Pass a path, a folder, an http address, bytes, an open binary file, a Pillow image, a uint8 NumPy array of shape "
    "(height, width, 3), or a list of these."
)
_SAVED_AS_IT_IS: Final = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
"""The modes of Pillow images that PNG stores unchanged."""

_CHANNELS: Final = (1, 3, 4)
_DIMENSIONS: Final = (2, 3)


@dataclass(frozen=True, slots=True)
class NamedPhoto:
    """A photo with its name in the predictions."""

    name: str
    given: Any

    def read(self, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Return the photo as the bytes of a file. Raises `PhotoError` with the reason if it cannot be read."""
        given = self.given
        if isinstance(given, str | os.PathLike):
            return read_photo_bytes(Path(given), limits)
        if isinstance(given, bytes | bytearray | memoryview):
            return bytes(given)
        if isinstance(given, np.ndarray):
            return _encode(Image.fromarray(given.squeeze(2) if given.shape[2:] == (1,) else given))
        return _encode(given) if isinstance(given, Image.Image) else _read_file(given, limits)


def iter_photos(given: object) -> Iterator[PhotoSource]:
    """Yield the photos with their names: the file name, or else `photo 1` and so on.

    Raises `UsageError` for a value that is neither a photo nor a collection of photos.
    """
    several = [given] if _is_one(given) else given
    if isinstance(several, Mapping) or not isinstance(several, Iterable):
        raise UsageError(f"a photo cannot be {_name_type(several)}", fix=_FIX)
    position = 0
    for photo in several:
        for source in _expand(photo, position):
            position += 1
            yield source


def _expand(photo: object, position: int) -> Iterable[PhotoSource]:
    """Return the photos that a value stands for: several if it is the path of a folder."""
    number = f"photo {position + 1}"
    if isinstance(photo, str | os.PathLike):
        if "://" in str(photo):
            return [_open_address(str(photo))]
        path = Path(photo)
        if not path.is_dir():
            return [NamedPhoto(str(photo), photo)]
        found = sorted(inner for inner in path.rglob("*") if inner.suffix.lower() in PHOTO_SUFFIXES)
        return [NamedPhoto(str(inner), inner) for inner in found]
    if _is_source(photo):
        return [photo]  # type: ignore[list-item] # it has a name, and can be read
    if isinstance(photo, np.ndarray):
        _check_array(photo)
    elif isinstance(photo, io.TextIOBase):
        raise UsageError("a file that is opened as text is not a photo", fix='Open it with mode "rb".')
    elif not _is_one(photo):
        raise UsageError(f"a photo cannot be {_name_type(photo)}", fix=_FIX)
    name = getattr(photo, "filename", None) or getattr(photo, "name", None)
    return [NamedPhoto(name if isinstance(name, str) else number, photo)]


def _open_address(address: str) -> PhotoSource:
    """Return the photo at an http address. It is fetched when it is read."""
    if not address.lower().startswith(("http://", "https://")):
        raise UsageError(
            "a model reads http addresses only", where=address, fix="Use hangtag.predict(address, model)."
        )
    from hangtag.imaging.fetching import WebPhoto  # noqa: PLC0415 - httpx takes long to import

    return WebPhoto(address, _open_fetcher())


@cache
def _open_fetcher() -> "Fetcher":
    from hangtag.imaging.fetching import Fetcher  # noqa: PLC0415 - as above

    return Fetcher(_FetchSettings())


@dataclass(frozen=True, slots=True)
class _FetchSettings:
    """The settings of the `Fetcher` for photos at addresses."""

    connections: int = 16
    timeout_s: float = 30.0
    attempts: int = 4
    redirects: int = 5
    backoff_s: float = 0.5
    rules: AddressRules = PUBLIC_ONLY


def _is_one(given: object) -> bool:
    if isinstance(given, np.ndarray):
        return given.ndim in _DIMENSIONS
    if isinstance(given, str | os.PathLike | bytes | bytearray | memoryview | Image.Image):
        return True
    return callable(getattr(given, "read", None))


def _is_source(photo: object) -> bool:
    """Distinguish a `PhotoSource` from an open file; both have `read`."""
    return isinstance(photo, NamedPhoto) or (
        callable(getattr(photo, "read", None)) and hasattr(photo, "name") and not hasattr(photo, "seek")
    )


def _check_array(pixels: npt.NDArray[Any]) -> None:
    is_photo = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in _CHANNELS)  # noqa: PLR2004
    if pixels.dtype == np.uint8 and is_photo:
        return
    fix = "Pass uint8 of shape (height, width, 3), with values of 0 to 255."
    if pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[0] in _CHANNELS:  # noqa: PLR2004
        fix = "The channels come last: np.moveaxis(pixels, 0, -1)."
    raise UsageError(f"an array of {pixels.dtype} and shape {pixels.shape} is not a photo", fix=fix)


def _encode(image: Image.Image) -> bytes:
    """Encode an image losslessly as the bytes of a file, so that it is processed like any other photo."""
    buffer = io.BytesIO()
    try:
        if image.mode == "F":
            image.save(buffer, "TIFF")
        else:
            plain = image if image.mode in _SAVED_AS_IT_IS else image.convert("RGB")
            plain.save(buffer, "PNG", compress_level=1, exif=image.getexif())
    except (OSError, ValueError) as error:
        raise PhotoError(Reason.CORRUPT, f"the image cannot be read ({error})") from None
    return buffer.getvalue()


def _read_file(file: BinaryIO, limits: DecodeLimits) -> bytes:
    try:
        data = file.read(limits.max_bytes + 1)
    except (OSError, ValueError) as error:
        raise PhotoError(Reason.UNREADABLE, f"the file cannot be read ({error})") from None
    if len(data) > limits.max_bytes:
        raise PhotoError(Reason.TOO_MANY_BYTES, f"the file is larger than {limits.max_bytes:,} bytes")
    return data


def _name_type(value: object) -> str:
    return (
        "None"
        if value is None
        else f"a {type(value).__module__}.{type(value).__qualname__}".replace("builtins.", "")
    )
