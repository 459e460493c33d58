"""Heat maps as files: one PNG per photo, with the photo and its heat maps side by side."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

from PIL import Image, ImageDraw, ImageFont

from hangtag.domain.durable import replacing
from hangtag.domain.errors import PhotoError, UsageError
from hangtag.domain.text import printable
from hangtag.imaging.batches import PhotoSource
from hangtag.imaging.budget import DEFAULT_LIMITS
from hangtag.imaging.decode import decode_photo
from hangtag.imaging.heat import render_overlay
from hangtag.imaging.preprocess import prepare_photo
from hangtag.inference.explaining.explainer import Explainer, Explanation, HeatMap

PANEL: Final = (288, 384)
"""The width and height, in pixels, into which a photo is fitted."""

_MARGIN: Final = 16
_LINE: Final = 22
_TEXT: Final = 15
_INK: Final = (28, 28, 32)
_QUIET: Final = (104, 104, 112)
_PAPER: Final = (255, 255, 255)
_MAX_NAME_BYTES: Final = 200
_SUFFIX: Final = ".png"


def make_folder(folder: Path) -> None:
    """Create the folder of pictures. Raises `UsageError` if that fails, before any photo is labelled."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"the folder cannot be made ({error.strerror})", where=folder) from None


def write_pictures(
    photos: Iterable[PhotoSource],
    explainer: Explainer,
    folder: Path,
    on_progress: Callable[[int, int], None] = lambda _done, _failed: None,
) -> None:
    """Write a picture of each photo into an existing folder. Photos that cannot be decoded have none.

    Each file appears whole or not at all, and one photo at a time is in memory. `on_progress` is called with the
    number of photos just done, and how many of them have no picture. Raises `OSError` if a file cannot be written.
    """
    for photo in photos:
        try:
            data = photo.read(DEFAULT_LIMITS)
            image = decode_photo(data, at_least=PANEL)
            pixels = prepare_photo(data, explainer.model.card.preprocessing)
        except PhotoError:  # the table of labels has the reason
            on_progress(1, 1)
            continue
        picture = render_picture(image, explainer.explain(pixels), printable(photo.name))
        with replacing(folder / name_picture(_path_of(photo))) as temporary:
            picture.save(temporary, "PNG")
        on_progress(1, 0)


def name_picture(path: str) -> str:
    """Return the file name of a photo's picture, unique across folders.

    Everything but letters, digits and `-._` is percent-encoded as in a URL. A name that is too long for a file is cut
    and ends in `~` and a hash of the whole.
    """
    name = quote(os.fsencode(path), safe="").replace("~", "%7E")
    name = f"%2E{name[1:]}" if name.startswith(".") else name  # no hidden files
    if len(name) <= _MAX_NAME_BYTES:
        return name + _SUFFIX
    fingerprint = hashlib.sha256(name.encode()).hexdigest()
    return f"{name[: _MAX_NAME_BYTES - len(fingerprint) - 1]}~{fingerprint}{_SUFFIX}"


def render_picture(image: Image.Image, explanation: Explanation, title: str) -> Image.Image:
    """Return an upright RGB photo and its heat maps side by side, with labels and confidences, on white."""
    shown = _fit(image)
    panels = [(shown, (title, "bright: supports the label"))]
    for column, found in explanation.maps.items():
        overlay = render_overlay(shown, explanation.heat_of_photo(column, shown.size))
        panels.append((overlay, (column, _say(found))))
    width = max(shown.width, PANEL[0])
    size = (
        len(panels) * (width + _MARGIN) + _MARGIN,
        shown.height + 3 * _MARGIN + len(panels[0][1]) * _LINE,
    )
    picture = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(picture)
    for position, (panel, lines) in enumerate(panels):
        left = _MARGIN + position * (width + _MARGIN)
        picture.paste(panel, (left + (width - panel.width) // 2, _MARGIN))
        for number, (line, colour) in enumerate(zip(lines, (_INK, _QUIET), strict=True)):
            top = panel.height + 2 * _MARGIN + number * _LINE
            pen.text((left, top), _shorten(pen, line, width), colour, _font())
    return picture


def _path_of(photo: PhotoSource) -> str:
    """Return a photo's unique path. Its name may not have the exact bytes of the path."""
    path = getattr(photo, "path", None)
    return path if isinstance(path, str) else photo.name


def _fit(image: Image.Image) -> Image.Image:
    scale = min(PANEL[0] / image.width, PANEL[1] / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def _say(found: HeatMap) -> str:
    """Return the label and its confidence. Only certainty is shown as 100 %."""
    return f"{printable(found.label)}  {min(found.confidence, 0.999):.1%}"


def _shorten(pen: ImageDraw.ImageDraw, text: str, width: int) -> str:
    """Return a text that fits. A text that is too long keeps its end, where names differ."""
    return next((short for short in _iter_shorter(text) if pen.textlength(short, _font()) <= width), "")


def _iter_shorter(text: str) -> Iterator[str]:
    yield text
    for start in range(1, len(text)):
        yield f"...{text[start:]}"


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_TEXT)
