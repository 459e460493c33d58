"""Labels as CSV: UTF-8, commas, one line a row, and no cell that a spreadsheet takes for a formula."""

import re
from collections.abc import Iterable
from typing import BinaryIO, Final

from hangtag.labelling.layout import (
    GIVEN_KINDS,
    PATH,
    Candidates,
    Cell,
    Kind,
    Layout,
    Rows,
    join_names,
    render_given,
)

_STARTS_A_FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - the wide signs start one in East Asian Excel
_NUMBER: Final = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?|-")
"""What begins like a formula and is none: a number, or the dash that stands for one."""

_MANY_TEXTS: Final = 20_000
_NEEDS_QUOTES: Final = re.compile(
    r'[",;\t\r\n]|^ | $'
)  # the semicolon separates where the comma is the decimal sign


class CsvTable:
    """Writes rows as CSV.

    Text that a spreadsheet would take for a formula is made harmless: a path `=x.jpg` is written `./=x.jpg`,
    which names the same file; a label, or a value of a given table, gets an apostrophe before it. Numbers stay.
    """

    def __init__(self, file: BinaryIO, layout: Layout) -> None:
        self._file = file
        self._kinds = layout.kinds
        self._labels: dict[Cell, str] = {None: ""}
        self._write_lines([",".join(_quote(_defuse(name)) for name in self._kinds)])

    def write(self, rows: Rows) -> None:
        """Append rows."""
        columns = [self._fields(name, rows[name]) for name in self._kinds]
        self._write_lines(map(",".join, zip(*columns, strict=True)))

    def finish(self) -> None:
        """Do nothing: every row is written when it comes."""

    def discard(self) -> None:
        """Do nothing: nothing is held."""

    def _fields(self, name: str, cells: list[Cell]) -> list[str]:
        kind = self._kinds[name]
        if kind is Kind.CONFIDENCE:
            return ["" if cell is None else f"{cell:.4f}" for cell in cells]
        if kind is Kind.CANDIDATES:
            return [_quote(_defuse(render_candidates(cell))) for cell in cells]
        if kind is Kind.NAMES:
            return [_quote(join_names(cell)) for cell in cells]
        if kind in GIVEN_KINDS:  # never the start of a formula, even with a minus
            return ["" if cell is None else render_given(cell) for cell in cells]
        if name == PATH:
            return [_quote(_defuse_path(str(cell))) for cell in cells]
        if len(self._labels) > _MANY_TEXTS:  # a column that came with the photos may never repeat itself
            self._labels = {None: ""}
        for cell in set(cells) - self._labels.keys():
            self._labels[cell] = _quote(_defuse(str(cell)))
        return [self._labels[cell] for cell in cells]

    def _write_lines(self, lines: Iterable[str]) -> None:
        text = "".join(f"{line}\n" for line in lines)
        self._file.write(text.encode("utf-8"))


def render_candidates(cell: Cell) -> str:
    r"""Write candidates into one cell: `Tops:0.93|Shirts:0.05`. A label's own `|` and `\` follow a `\`."""
    candidates: Candidates = cell if isinstance(cell, list) else []
    escaped = ((re.sub(r"([\\|])", r"\\\1", label), confidence) for label, confidence in candidates)
    return "|".join(f"{label}:{confidence:.4f}" for label, confidence in escaped)


def _quote(text: str) -> str:
    if _NEEDS_QUOTES.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text


def _defuse(text: str) -> str:
    if not text.startswith(_STARTS_A_FORMULA) or _NUMBER.fullmatch(text):
        return text
    return f"'{text}"


def _defuse_path(path: str) -> str:
    return f"./{path}" if path.startswith(_STARTS_A_FORMULA) else path
