"""Sample photos of each class: as strips for a page, and as one contact sheet."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont, ImageOps

from hangtag.datasets.opening import Catalogue
from hangtag.domain.errors import PhotoError
from hangtag.domain.extras import missing_extra
from hangtag.imaging.decode import PAPER, decode_photo
from hangtag.reports.figures import shorten
from hangtag.reports.style import INK

CELL: Final = (60, 80)
LARGE_CELL: Final = (96, 128)
"""Width and height in pixels that a photo is fitted into: a thumbnail, and one that shows more."""

GAP: Final = 4
CAPTION_HEIGHT: Final = 22
MARGIN: Final = 16
SHEET_COLUMNS: Final = 4


@dataclass(frozen=True, slots=True)
class Strip:
    """Photos of one class side by side, and what is written under them."""

    image: Image.Image
    caption: str

    def jpeg(self) -> bytes:
        """Return the photos as a JPEG."""
        buffer = io.BytesIO()
        self.image.save(buffer, "JPEG", quality=85)
        return buffer.getvalue()


def make_strip(
    rows: Sequence[tuple[Catalogue, Sequence[str]]], caption: str, cell: tuple[int, int] = CELL
) -> Strip | None:
    """Lay photos side by side, those of each catalogue in a row of their own; None when none can be shown."""
    found = [
        [image for name in names if (image := _load(catalogue, name, cell))] for catalogue, names in rows
    ]
    longest = max((len(images) for images in found), default=0)
    if not longest:
        return None
    width, height = cell
    size = (longest * (width + GAP) - GAP, len(found) * (height + GAP) - GAP)
    strip = Image.new("RGB", size, PAPER)
    for row, images in enumerate(found):
        for place, image in enumerate(images):
            left = place * (width + GAP) + (width - image.width) // 2
            strip.paste(image, (left, row * (height + GAP) + (height - image.height) // 2))
    return Strip(strip, caption)


def make_strips(
    catalogue: Catalogue, samples: Mapping[str, Sequence[str]], captions: Mapping[str, str]
) -> list[Strip]:
    """Return a strip for each class in the order of its `captions`; a class without a photo has none."""
    strips = (
        make_strip([(catalogue, samples.get(label, ()))], caption) for label, caption in captions.items()
    )
    return [strip for strip in strips if strip is not None]


def draw_sheet(strips: Sequence[Strip]) -> bytes:
    """Return a contact sheet of strips, from left to right, as a PNG.

    Raises `UsageError` when matplotlib, whose letters it is written in, is not installed.
    """
    font = ImageFont.truetype(_find_font(), 13)
    columns = min(SHEET_COLUMNS, len(strips))
    width = max((strip.image.width for strip in strips), default=0) + MARGIN
    height = max((strip.image.height for strip in strips), default=0) + CAPTION_HEIGHT + MARGIN
    rows = -(-len(strips) // columns) if strips else 0
    sheet = Image.new("RGB", (columns * width + MARGIN, rows * height + MARGIN), PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, strip in enumerate(strips):
        left, top = MARGIN + number % columns * width, MARGIN + number // columns * height
        sheet.paste(strip.image, (left, top))
        pen.text((left, top + strip.image.height + 3), shorten(strip.caption, 42), INK, font)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _load(catalogue: Catalogue, name: str, cell: tuple[int, int]) -> Image.Image | None:
    try:
        return ImageOps.contain(decode_photo(catalogue.read_photo(name), at_least=cell), cell)
    except PhotoError:
        return None  # `hangtag check` tells of it


def _find_font() -> Path:
    try:
        from matplotlib import get_data_path  # noqa: PLC0415 - an extra
    except ImportError:
        raise missing_extra("report", "drawing figures") from None
    return Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
