"""Readers for the parts of a workbook's XML. They take element by element, and enforce limits on the way."""

import re
from array import array
from collections.abc import Callable
from typing import Any, Final
from xml.parsers import expat

MOST_ROWS: Final = 1_048_576
MOST_COLUMNS: Final = 16_384
"""The number of columns in an Excel sheet."""

MOST_CELLS: Final = 20_000_000
MOST_TEXT_BYTES: Final = 128 << 20
"""The memory limit for a workbook's shared texts. Each counts once, however many cells show it."""

MOST_CHARACTERS: Final = 1 << 20
"""The length limit for the text of one cell. Excel's own limit is 32,767."""

MOST_ROW_CHARACTERS: Final = 4 << 20
_MOST_LINK_CHARACTERS: Final = 64 << 20
_MOST_ELEMENTS: Final = 80_000_000
_DEEPEST: Final = 64
_PREFIXED: Final = frozenset(("x:c", "x:v"))
"""Some programs use this prefix for every element of a sheet."""


_ESCAPED: Final = re.compile(r"_x(?![Dd][89A-Fa-f])([0-9A-Fa-f]{4})_")
_LINK_FORMULA: Final = re.compile(r"""\s*(?:_xlfn\.)?(?:HYPERLINK|IMAGE)\(\s*"([^"]+)""", re.IGNORECASE)
_PLACE: Final = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})")


class TooLargeError(Exception):
    """A part of a workbook exceeds a limit. The message says which."""


Cell = tuple[int, str | None, str | None, str]
"""A cell as stored: its column (0 is A), type, style and text."""


class Reader:
    """Handles the elements of a part; `texts` collects their text."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._depth = self._elements = 0

    def open(self) -> Any:  # noqa: ANN401 - pyexpat has no types
        """Return a parser that calls this reader."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self.texts.append
        parser.StartDoctypeDeclHandler = _refuse_doctype
        return parser

    def check(self) -> None:
        """Raise `TooLargeError` if a limit is exceeded."""
        if len(self.texts) > 1 and sum(map(len, self.texts)) > MOST_CHARACTERS:
            raise TooLargeError(f"a cell has more than {MOST_CHARACTERS:,} characters")
        if self._elements > _MOST_ELEMENTS:
            raise TooLargeError(f"its XML has more than {_MOST_ELEMENTS:,} elements")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Handle the start of an element."""

    def end(self, name: str) -> None:
        """Handle the end of an element."""

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > _DEEPEST:
            raise TooLargeError(f"its XML is nested more than {_DEEPEST} deep")
        self.start(name.rpartition(":")[2] if ":" in name else name, attributes)

    def _end(self, name: str) -> None:
        self._depth -= 1
        self.end(name.rpartition(":")[2] if ":" in name else name)
        if not self._depth:
            self.texts.clear()


class ElementReader(Reader):
    """Collects the wanted elements with their attributes."""

    def __init__(self, wanted: set[str]) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self._wanted = wanted

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Handle the start of an element."""
        self.texts.clear()
        if name in self._wanted:
            self.found.append((name, attributes))


class TextReader(Reader):
    """Reads texts that may consist of several runs, without their phonetic guides."""

    def __init__(self) -> None:
        super().__init__()
        self._runs: list[str] = []
        self._length = 0
        self._is_phonetic = False

    def start(self, name: str, attributes: dict[str, str]) -> None:  # noqa: ARG002 - as all
        """Handle the start of an element."""
        self.texts.clear()
        if name == "rPh":
            self._is_phonetic = True

    def end(self, name: str) -> None:
        """Handle the end of an element."""
        if name == "t" and not self._is_phonetic:
            self._runs.append("".join(self.texts))
            self._length += len(self._runs[-1])
            if self._length > MOST_CHARACTERS:
                raise TooLargeError(f"a cell has more than {MOST_CHARACTERS:,} characters")
        elif name == "rPh":
            self._is_phonetic = False
        self.texts.clear()

    def take_text(self) -> str:
        """Return the text of the runs so far, and start a new one."""
        text = "".join(self._runs)
        self._runs.clear()
        self._length = 0
        return text


class Texts(TextReader):
    """The texts that cells share, stored back to back in memory."""

    def __init__(self) -> None:
        super().__init__()
        self._bytes = bytearray()
        self._ends = array("I")

    def __getitem__(self, number: int) -> str:
        if not 0 <= number < len(self._ends):
            raise ValueError(f"there is no text {number}")
        start = self._ends[number - 1] if number else 0
        return self._bytes[start : self._ends[number]].decode("utf-8")

    def end(self, name: str) -> None:
        """Handle the end of an element."""
        super().end(name)
        if name == "si":
            self._bytes += unescape(self.take_text()).encode("utf-8")
            self._ends.append(len(self._bytes))
            if len(self._bytes) + 4 * len(self._ends) > MOST_TEXT_BYTES:
                raise TooLargeError(f"its texts are more than {MOST_TEXT_BYTES >> 20} MiB")


class SheetReader(TextReader):
    """Reads the rows of a sheet; `take` returns those completed since the last call."""

    def __init__(self, find_column: Callable[[str], int]) -> None:
        super().__init__()
        self._find_column = find_column
        self._rows: list[tuple[int, list[Cell]]] = []
        self._cells: list[Cell] = []
        self._number = self._cell_count = self._characters = 0
        self._column = -1
        self._type: str | None = None
        self._style: str | None = None
        self._text = ""

    def take(self) -> list[tuple[int, list[Cell]]]:
        """Return the completed rows and forget them."""
        rows, self._rows = self._rows, []
        return rows

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Handle the start of an element that is not part of a cell."""
        if name == "row":
            self._number = int(attributes.get("r", self._number + 1))
            self._column = -1
            if not 0 < self._number <= MOST_ROWS:
                raise TooLargeError(f"it has more than {MOST_ROWS:,} rows")
        super().start(name, attributes)

    def end(self, name: str) -> None:
        """Handle the end of an element that is not part of a cell."""
        if name == "row" and self._cells:
            self._rows.append((self._number, self._cells))
            self._cells = []
            self._characters = 0
        super().end(name)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        # Nearly all elements of a sheet are of these two kinds, and there may be millions.
        if name == "c":
            self._depth += 1
            self._start_cell(attributes)
        elif name == "v":
            self._depth += 1
            self.texts.clear()
        elif name in _PREFIXED:
            self._start(name[2:], attributes)
        else:
            super()._start(name, attributes)

    def _end(self, name: str) -> None:
        if name == "v":
            self._depth -= 1
            self._text = "".join(self.texts)
        elif name == "c":
            self._depth -= 1
            self._end_cell()
        elif name in _PREFIXED:
            self._end(name[2:])
        else:
            super()._end(name)

    def _start_cell(self, attributes: dict[str, str]) -> None:
        get = attributes.get
        place = get("r")
        column = self._column + 1 if place is None else self._find_column(place.rstrip("0123456789"))
        self._column = column
        self._type, self._style = get("t"), get("s")
        self._text = ""
        self._elements += 2
        self._cell_count += 1
        if column >= MOST_COLUMNS or len(self._cells) >= MOST_COLUMNS:
            raise TooLargeError(f"it has more than {MOST_COLUMNS:,} columns")
        if self._cell_count > MOST_CELLS or self._depth > _DEEPEST:
            raise TooLargeError(f"it has more than {MOST_CELLS:,} cells")

    def _end_cell(self) -> None:
        text = self.take_text() if self._runs else self._text
        if text:
            self._cells.append((self._column, self._type, self._style, text))
            self._characters += len(text)
            if self._characters > MOST_ROW_CHARACTERS:
                raise TooLargeError(f"a row has more than {MOST_ROW_CHARACTERS:,} characters")


class LinkReader(Reader):
    """Reads the links in one column: links of cells, and links in formulas."""

    def __init__(self, column: int, find_column: Callable[[str], int], targets: dict[str, str]) -> None:
        super().__init__()
        self.links: dict[int, str] = {}
        self._column = column
        self._find_column = find_column
        self._targets = targets
        self._place = ""
        self._left = _MOST_LINK_CHARACTERS

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Handle the start of an element."""
        self.texts.clear()
        if name == "c":
            self._place = attributes.get("r", "")
        elif name == "hyperlink":
            link = next((value for key, value in attributes.items() if key.endswith(":id")), "")
            self._add(attributes.get("ref", ""), self._targets.get(link, ""))

    def end(self, name: str) -> None:
        """Handle the end of an element."""
        if name == "f" and (found := _LINK_FORMULA.match("".join(self.texts))):
            self._add(self._place, found[1])
        elif name == "c":
            self._place = ""
        self.texts.clear()

    def _add(self, place: str, link: str) -> None:
        """Record the link of a cell such as `B7`, or of the first cell of a range, if it is in the column."""
        found = _PLACE.match(place)
        if link and found is not None and self._find_column(found[1]) == self._column:
            self.links[int(found[2])] = link
            self._left -= len(link)
            if self._left < 0:
                raise TooLargeError(f"its links are more than {_MOST_LINK_CHARACTERS >> 20} MiB")


def _refuse_doctype(*_: object) -> None:
    raise TooLargeError("its XML declares a document type, which workbooks never do")


def unescape(text: str) -> str:
    """Return a text with its escaped characters decoded: `_x000D_` is a carriage return."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text
