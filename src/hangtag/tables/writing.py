"""Writing tables for people: CSV, Excel, JSON Lines and Parquet, row by row in bounded memory."""

import datetime as dt
import io
import json
import math
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO, Final, Literal, Protocol

from hangtag.tables.cells import TYPED_KINDS, Candidates, Cell, Kind, render_value

Rows = dict[str, list[Cell]]
"""Some rows of a table by column; all columns have the same length."""

Kinds = Mapping[str, Kind]
"""The columns of a table in order, and the kind of each."""

Format = Literal["csv", "xlsx", "jsonl", "parquet"]

FORMATS: Final[tuple[Format, ...]] = ("csv", "xlsx", "jsonl", "parquet")
STREAMED_FORMATS: Final[frozenset[Format]] = frozenset(("csv", "jsonl"))
"""The formats that can be written to a pipe or a response row by row."""

MEDIA_TYPES: Final[Mapping[Format, str]] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}

_PIECE_BYTES: Final = 256 * 1024
_STARTS_A_FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - the wide signs start one in East Asian Excel
_NUMBER: Final = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?|-")
"""Values that begin like a formula but are not one: a number, or a dash for a missing value."""

_MANY_TEXTS: Final = 20_000
_NEEDS_QUOTES: Final = re.compile(r'[",;\t\r\n]|^ | $')
"""Locales with a decimal comma separate with semicolons."""


class TableWriter(Protocol):
    """Writes a table row by row, in bounded memory."""

    def write(self, rows: Rows) -> None:
        """Append rows."""
        ...

    def finish(self) -> None:
        """Write what is still buffered and the end of the table."""
        ...

    def discard(self) -> None:
        """Release everything without completing the table."""
        ...


def open_writer(file: BinaryIO, format_: Format, kinds: Kinds) -> TableWriter:
    """Return a writer of a format for a file, which stays open.

    Text that a spreadsheet would interpret as a formula is escaped in every format that spreadsheets open.
    """
    return _WRITERS[format_](file, kinds)


def render(kinds: Kinds, batches: Iterable[Rows], format_: Format) -> Iterator[bytes]:
    r"""Yield the table file in chunks: CSV and JSON Lines as the rows arrive, other formats at the end.

    >>> b"".join(render({"path": Kind.PATH, "price": Kind.NUMBER}, [{"path": ["a.jpg"], "price": [9.5]}], "csv"))
    b'path,price\na.jpg,9.5\n'
    """
    if format_ not in STREAMED_FORMATS:
        yield from _render_whole(kinds, batches, format_)
        return
    piece = io.BytesIO()
    writer = open_writer(piece, format_, kinds)
    for rows in batches:
        writer.write(rows)
        yield _take(piece)
    writer.finish()
    if rest := _take(piece):
        yield rest


def _render_whole(kinds: Kinds, batches: Iterable[Rows], format_: Format) -> Iterator[bytes]:
    with tempfile.TemporaryFile() as file:
        writer = open_writer(file, format_, kinds)
        try:
            for rows in batches:
                writer.write(rows)
        except BaseException:
            writer.discard()
            raise
        writer.finish()
        file.seek(0)
        while piece := file.read(_PIECE_BYTES):
            yield piece


def _take(piece: io.BytesIO) -> bytes:
    data = piece.getvalue()
    piece.seek(0)
    piece.truncate()
    return data


class CsvWriter:
    """Writes rows as CSV: UTF-8, commas, quotes where needed.

    Text that a spreadsheet would interpret as a formula is escaped: a path `=x.jpg` is written as `./=x.jpg`, which
    names the same file; other text is prefixed with an apostrophe. Numbers stay unchanged.
    """

    def __init__(self, file: BinaryIO, kinds: Kinds) -> None:
        self._file = file
        self._kinds = kinds
        self._texts: dict[Cell, str] = {None: ""}
        self._write_lines([",".join(_quote(_defuse(name)) for name in self._kinds)])

    def write(self, rows: Rows) -> None:
        """Append rows."""
        columns = [self._fields(rows[name], kind) for name, kind in self._kinds.items()]
        self._write_lines(map(",".join, zip(*columns, strict=True)))

    def finish(self) -> None:
        """Do nothing: rows are written at once."""

    def discard(self) -> None:
        """Do nothing: nothing is buffered."""

    def _fields(self, cells: list[Cell], kind: Kind) -> list[str]:
        if kind is Kind.CONFIDENCE:
            return ["" if cell is None else f"{cell:.4f}" for cell in cells]
        if kind is Kind.CANDIDATES:
            return [_quote(_defuse(render_candidates(cell))) for cell in cells]
        if kind is Kind.NAMES:
            return [_quote(join_names(cell)) for cell in cells]
        if kind in TYPED_KINDS:  # never the start of a formula, even with a minus
            return ["" if cell is None else self._typed(cell) for cell in cells]
        if kind is Kind.PATH:
            return ["" if cell is None else _quote(_defuse_path(str(cell))) for cell in cells]
        if len(self._texts) > _MANY_TEXTS:  # a column may never repeat a value
            self._texts = {None: ""}
        for cell in set(cells) - self._texts.keys():
            self._texts[cell] = _quote(_defuse(str(cell)))
        return [self._texts[cell] for cell in cells]

    @staticmethod
    def _typed(cell: Cell) -> str:
        return _quote(_defuse(cell)) if isinstance(cell, str) else render_value(cell)

    def _write_lines(self, lines: Iterable[str]) -> None:
        self._file.write("".join(f"{line}\n" for line in lines).encode("utf-8"))


class JsonLinesWriter:
    """Writes rows as JSON objects with all columns; confidences have four decimals, candidates are objects."""

    def __init__(self, file: BinaryIO, kinds: Kinds) -> None:
        self._file = file
        self._kinds = kinds

    def write(self, rows: Rows) -> None:
        """Append rows."""
        columns = [[_json_value(cell, kind) for cell in rows[name]] for name, kind in self._kinds.items()]
        records = (dict(zip(self._kinds, cells, strict=True)) for cells in zip(*columns, strict=True))
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        self._file.write(text.encode("utf-8"))

    def finish(self) -> None:
        """Do nothing: rows are written at once."""

    def discard(self) -> None:
        """Do nothing: nothing is buffered."""


def render_candidates(cell: Cell) -> str:
    r"""Write candidates into one cell: `Tops:0.93|Shirts:0.05`. `|` and `\` in a label are escaped with `\`."""
    candidates: Candidates = cell if isinstance(cell, list) else []
    escaped = ((re.sub(r"([\\|])", r"\\\1", label), confidence) for label, confidence in candidates)
    return "|".join(f"{label}:{confidence:.4f}" for label, confidence in escaped)


def join_names(cell: Cell) -> str:
    """Write several codes into one text cell: `blank;too_dark`."""
    return ";".join(cell) if isinstance(cell, tuple) else ""


def _quote(text: str) -> str:
    if _NEEDS_QUOTES.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text


def _defuse(text: str) -> str:
    if not text.startswith(_STARTS_A_FORMULA) or _NUMBER.fullmatch(text):
        return text
    return f"'{text}"


def restore_text(text: str) -> str:
    """Undo the escaping of a text: drop the apostrophe in front of a formula."""
    original = text.removeprefix("'")
    return original if _defuse(original) == text else text


def _defuse_path(path: str) -> str:
    return f"./{path}" if path.startswith(_STARTS_A_FORMULA) else path


def _json_value(cell: Cell, kind: Kind) -> Any:  # noqa: ANN401 - any JSON value
    if kind is Kind.CONFIDENCE and isinstance(cell, float):
        return round(cell, 4)
    if isinstance(cell, float) and not math.isfinite(cell):
        return None  # JSON cannot express it
    if isinstance(cell, dt.date):
        return cell.isoformat()
    if isinstance(cell, tuple):
        return list(cell)
    if isinstance(cell, list):
        return [{"label": label, "confidence": round(confidence, 4)} for label, confidence in cell]
    return cell


def _xlsx(file: BinaryIO, kinds: Kinds) -> TableWriter:
    from hangtag.tables.xlsx import XlsxWriter  # noqa: PLC0415 - only the format that is asked for is imported

    return XlsxWriter(file, kinds)


def _parquet(file: BinaryIO, kinds: Kinds) -> TableWriter:
    from hangtag.tables.parquet import ParquetWriter  # noqa: PLC0415 - as above

    return ParquetWriter(file, kinds)


_WRITERS: Final[Mapping[Format, Callable[[BinaryIO, Kinds], TableWriter]]] = {
    "csv": CsvWriter,
    "xlsx": _xlsx,
    "jsonl": JsonLinesWriter,
    "parquet": _parquet,
}
