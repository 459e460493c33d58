"""Photos for the page: upright, in sRGB, without metadata, and no larger than a screen needs."""

import io
from typing import Final

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DecodeLimits
from hangtag.imaging.decode import decode_photo

SMALLEST: Final = 16
LARGEST: Final = 2048
_QUALITY: Final = 85
_QUALITY_OF_LARGEST: Final = 92
MEDIA_TYPE: Final = "image/jpeg"


def render_photo(data: bytes, size: int | None, limits: DecodeLimits) -> tuple[bytes, str]:
    """Return a photo as a JPEG at most `size` pixels long, or `LARGEST`, and its media type.

    The original file is never served: it may say where and by whom the photo was taken, and it leaves rotation and
    colours to the viewer. Raises `PhotoError` if the bytes are not a photo.
    """
    wanted = min(size or LARGEST, LARGEST)
    image = decode_photo(data, at_least=(wanted, wanted), limits=limits)
    image.thumbnail((wanted, wanted))
    if not all(image.size):
        raise PhotoError(Reason.TOO_SMALL)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY if size else _QUALITY_OF_LARGEST)
    return file.getvalue(), MEDIA_TYPE
