"""A photo as coloured characters, so that a person who is asked about it sees it, also over a remote shell."""

from typing import Final

from PIL import Image
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

COLUMNS: Final = 36
MAX_ROWS: Final = 24
_UPPER_HALF: Final = "▀"  # its own colour above, the background's below: two pixels in a character


def print_photo(console: Console, image: Image.Image) -> None:
    """Print an RGB photo where there is a terminal with colours; elsewhere print nothing."""
    if console.is_terminal and console.color_system is not None:
        console.print(render_photo(image))


def render_photo(image: Image.Image, columns: int = COLUMNS, max_rows: int = MAX_ROWS) -> Text:
    """Return an RGB photo as text, as wide as `columns` unless it would be higher than `max_rows` lines."""
    scale = min(columns / image.width, 2 * max_rows / image.height)
    width, rows = max(1, round(image.width * scale)), max(1, round(image.height * scale / 2))
    small = image.resize((width, 2 * rows), Image.Resampling.LANCZOS)
    text = Text()
    for row in range(rows):
        for column in range(width):
            upper, lower = (_colour(small, column, 2 * row + half) for half in (0, 1))
            text.append(_UPPER_HALF, Style(color=upper, bgcolor=lower))
        text.append("\n")
    return text


def _colour(image: Image.Image, column: int, row: int) -> Color:
    red, green, blue = image.getpixel((column, row))  # type: ignore[misc]  # an RGB image has three
    return Color.from_rgb(red, green, blue)
