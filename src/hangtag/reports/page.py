"""One self-contained HTML page: text, tables, figures and photos in sections. It fetches nothing."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hangtag.domain.durable import write_whole
from hangtag.domain.extras import missing_extra
from hangtag.domain.text import render_share
from hangtag.reports.figures import DOTS_PER_INCH

LONG_TABLE: Final = 20
"""A longer table scrolls inside the page. In print it is shown whole."""

MANY_PHOTOS: Final = 60
"""A longer grid of photos is folded until it is opened."""

WIDE_PICTURE: Final = 832
"""The width that a figure has room for, in CSS pixels."""

SCREEN_DOTS_PER_INCH: Final = 96
PNG_WIDTH: Final = slice(16, 20)
"""The bytes of a PNG that hold its width."""

ABSENT: Final = "–"
_NUMBER = re.compile(r"[-\N{MINUS SIGN}+±<≤>≥]?\s?\d[\d.,\s–]*(?:%| ?(?:ms|s|min|MB|MiB|px))?( \(.*\))?")


class Share(float):
    """A share from 0 to 1. A table shows it as a percentage with a bar behind it."""


Cell = str | float | Share | None


@dataclass(frozen=True, slots=True)
class _Text:
    items: tuple[str, ...]
    kind: str


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str
    is_number: bool
    bar: float | None


@dataclass(frozen=True, slots=True)
class _Table:
    header: tuple[_Cell, ...]
    rows: tuple[tuple[_Cell, ...], ...]
    caption: str
    is_long: bool
    kind: str = "table"


@dataclass(frozen=True, slots=True)
class _Picture:
    source: str
    alternative: str
    caption: str
    width: int
    is_wide: bool
    kind: str = "picture"


@dataclass(frozen=True, slots=True)
class _Photos:
    photos: tuple[tuple[str, str], ...]
    caption: str
    is_folded: bool
    kind: str = "photos"


@dataclass(slots=True)
class _Section:
    anchor: str
    title: str
    blocks: list[_Text | _Table | _Picture | _Photos] = field(default_factory=list)


class Page:
    """Builds a page from top to bottom. All text is escaped.

    `lead` summarises in a sentence or two what the reader should take away.
    """

    def __init__(self, title: str, lead: str) -> None:
        self._title = title
        self._lead = lead
        self._sections = [_Section("", "")]  # the part before the first heading

    def add_section(self, title: str) -> None:
        """Begin a section, which the table of contents lists."""
        self._sections.append(_Section(f"section-{len(self._sections)}", title))

    def add_heading(self, title: str) -> None:
        """Begin a part of a section, which the table of contents does not list."""
        self._add(_Text((title,), "heading"))

    def add_text(self, text: str) -> None:
        """Add a paragraph."""
        self._add(_Text((text,), "text"))

    def add_list(self, items: Sequence[str]) -> None:
        """Add a bullet list."""
        self._add(_Text(tuple(items), "list"))

    def add_table(self, header: Sequence[str], rows: Sequence[Sequence[Cell]], caption: str = "") -> None:
        """Add a table. Columns that hold only numbers are aligned right; `None` is shown as a dash.

        Integers get thousands separators, floats three significant digits. A `Share` becomes a percentage.
        """
        cells = [tuple(_render_cell(value) for value in row) for row in rows]
        numeric = [bool(rows) and all(row[place].is_number for row in cells) for place in range(len(header))]
        aligned = tuple(
            tuple(_Cell(cell.text, is_number, cell.bar) for cell, is_number in zip(row, numeric, strict=True))
            for row in cells
        )
        names = tuple(
            _Cell(name, is_number, bar=None) for name, is_number in zip(header, numeric, strict=True)
        )
        self._add(_Table(names, aligned, caption, is_long=len(rows) > LONG_TABLE))

    def add_picture(self, png: bytes, alternative: str, caption: str = "") -> None:
        """Add a figure with its alternative text. Dark mode inverts its lightness.

        A figure that is wider than the page is scaled to fit, and opens at full size.
        """
        width = int.from_bytes(png[PNG_WIDTH], "big") * SCREEN_DOTS_PER_INCH // DOTS_PER_INCH
        self._add(_Picture(_embed(png), alternative, caption, width, is_wide=width > WIDE_PICTURE))

    def add_photos(self, photos: Sequence[tuple[bytes, str]], caption: str = "") -> None:
        """Add a grid of photos, each as JPEG or PNG bytes with a caption. Their colours never change."""
        embedded = tuple((_embed(data), text) for data, text in photos)
        self._add(_Photos(embedded, caption, is_folded=len(photos) > MANY_PHOTOS))

    def render(self) -> str:
        """Return the page as HTML. Raises `UsageError` if Jinja2 is not installed."""
        try:
            from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - an extra
        except ImportError:
            raise missing_extra("report", "an HTML page") from None
        environment = Environment(
            loader=PackageLoader("hangtag", "reports"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["tied"] = _tie
        template = environment.get_template("page.html.j2")
        return template.render(title=self._title, lead=self._lead, sections=self._sections)

    def write(self, path: Path) -> None:
        """Write the page, whole or not at all. Raises `UsageError` if it cannot be written."""
        write_whole(self.render().encode(), path)

    def _add(self, block: _Text | _Table | _Picture | _Photos) -> None:
        self._sections[-1].blocks.append(block)


def _render_cell(value: Cell) -> _Cell:
    if value is None:
        return _Cell(ABSENT, is_number=True, bar=None)
    if isinstance(value, Share):
        return _Cell(render_share(value), is_number=True, bar=round(100 * min(1.0, max(0.0, value)), 2))
    if isinstance(value, str):
        return _Cell(value, is_number=value in {"", ABSENT} or bool(_NUMBER.fullmatch(value)), bar=None)
    return _Cell(f"{value:,}" if isinstance(value, int) else f"{value:.3g}", is_number=True, bar=None)


def _tie(text: str) -> str:
    """Return the text with non-breaking spaces before percent signs."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def _embed(data: bytes) -> str:
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
