"""Small pictures of photos, for reports."""

import io
from typing import Final

from hangtag.imaging.decode import decode_photo

BOX: Final = (120, 160)
"""The box in pixels (width, height) that a thumbnail fits into: twice what a report shows, for sharp screens."""

_QUALITY: Final = 88


def draw_thumbnail(data: bytes) -> bytes:
    """Return a photo as a JPEG that fits into the box; one that does already is not enlarged.

    Raises `PhotoError` when the photo cannot be decoded.
    """
    image = decode_photo(data, at_least=BOX)
    image.thumbnail(BOX)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
