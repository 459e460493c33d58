"""Photos for the page: the original, or a thumbnail."""

import io
from typing import Final

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DecodeLimits
from hangtag.imaging.decode import decode_photo, open_photo

SMALLEST: Final = 16
LARGEST: Final = 2048
_QUALITY: Final = 85
_MEDIA_TYPES: Final = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
}


def render_photo(data: bytes, size: int | None, limits: DecodeLimits) -> tuple[bytes, str]:
    """Return a photo and its media type, at most `size` pixels long, or unchanged if a browser can show it.

    Raises `PhotoError` if the bytes are not a photo, so that nothing else is ever served as one.
    """
    with open_photo(data, limits) as photo:
        media_type = _MEDIA_TYPES.get(photo.format or "")
        longest = max(photo.size)
    if media_type is not None and (size is None or (longest <= size and media_type == "image/jpeg")):
        return data, media_type
    wanted = min(size or longest, longest)
    image = decode_photo(data, at_least=(wanted, wanted), limits=limits)
    image.thumbnail((wanted, wanted))
    if not all(image.size):
        raise PhotoError(Reason.TOO_SMALL)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue(), "image/jpeg"
