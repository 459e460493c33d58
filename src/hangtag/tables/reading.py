"""The reader of tables: CSV, Excel, Parquet and JSON Lines behind one class."""

import gzip
import io
import json
import os
import re
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from hangtag.domain.errors import TableError
from hangtag.domain.text import did_you_mean
from hangtag.tables.cells import (
    TYPED_KINDS,
    Column,
    Kind,
    TableRow,
    as_kind,
    common_kind,
    kind_of,
    name_columns,
    plain_name,
    render_value,
)
from hangtag.tables.delimited import Record, RecordReader
from hangtag.tables.lines import MAX_LINE_LENGTH, guess_encoding, iter_lines
from hangtag.tables.values import Repair

TABLE_ENDINGS: Final = (
    ".csv", ".tsv", ".csv.gz", ".tsv.gz", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".parquet", ".pq", ".jsonl",
    ".ndjson", ".jsonl.gz",
)  # fmt: skip
"""The file name endings of tables."""

TABLES_READ: Final = (
    "CSV (also with semicolons, tabs or bars, and .csv.gz), Excel (.xlsx, .xls, .ods), Parquet and JSON Lines"
)

_WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_GZIP: Final = b"\x1f\x8b"
_PARQUET: Final = b"PAR1"
_MARKUP: Final = (b"<html", b"<!doctype html", b"<table", b"<?xml")
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")
_SHOWN_COLUMNS: Final = 20
_SHOWN_NAME: Final = 80
_UNNAMED: Final = re.compile(r"column \d+")

Opener = Callable[[], BinaryIO]


class Table(ABC):
    """A table: its columns and its rows. Rows are read when they are iterated, as often as needed.

    `where` is the table's name in messages. `header` holds the column names as written; in `columns` they are unique.
    `repairs` counts the repairs in the rows iterated so far, by kind.
    """

    def __init__(self, where: object, header: Sequence[str], kinds: Sequence[Kind]) -> None:
        self.where = where
        self.header = list(header)
        self.columns = tuple(map(Column, name_columns(header), kinds))
        self.repairs: Counter[Repair] = Counter()

    @property
    def names(self) -> list[str]:
        """The names of the columns, in order."""
        return [column.name for column in self.columns]

    @property
    def sheets(self) -> list[str]:
        """The visible, non-empty sheets of a workbook; empty for other tables."""
        return []

    @property
    def notes(self) -> list[str]:
        """Remarks on the rows iterated so far, for people."""
        count = self.repairs[Repair.ENCODING]
        if not count:
            return []
        lines = "1 line is" if count == 1 else f"{count:,} lines are"
        return [f"{self.where}: {lines} not UTF-8 and read as Windows-1252"]

    def place(self, name: str) -> int:
        """Return the position of a column, ignoring case if that is unambiguous.

        Raises `TableError`, which suggests the column that was probably meant.
        """
        found = find_column(name, self.names)
        if found is None:
            fix = f"{did_you_mean(name, self.names)}{list_columns(self.names)}"
            raise TableError(f"the table has no column {name}", where=self.where, fix=fix)
        return found

    def holds_bytes(self, _column: int) -> bool:
        """Return whether the cells of a column are bytes, such as those of a photo."""
        return False

    def links(self, _column: int) -> dict[int, str]:
        """Return the addresses that the cells of a column link to, by row number."""
        return {}

    @abstractmethod
    def __iter__(self) -> Iterator[TableRow]:
        """Iterate the rows from the first one. Raises `TableError` where the table becomes unreadable."""

    def count(self) -> int:
        """Count the rows. Raises the same errors as iterating them."""
        return sum(1 for _ in self)

    def skim(self) -> None:  # noqa: B027 - opening most tables has read all that is read at once
        """Read everything as fast as possible, without keeping it. Raises the same errors as iterating the rows."""


def is_table_name(name: str | Path) -> bool:
    """Return whether a file name ends like a table's."""
    return os.fspath(name).lower().endswith(TABLE_ENDINGS)


def open_table(
    source: str | Path | bytes | BinaryIO,
    name: str | None = None,
    *,
    sheet: str | None = None,
    delimiter: str | None = None,
) -> Table:
    """Open a table: a path, bytes, or a seekable file.

    The format is detected from the content. `name` is used in messages if the source has no name, and tells JSON Lines
    from CSV. A workbook's table is its first visible, non-empty sheet, or the one called `sheet`. The `delimiter` of a
    CSV file is detected in its header unless it is given. Only the header is read at first, except for workbooks and
    JSON Lines, whose columns are known only once all rows are read.

    Raises `TableError`, which names the supported formats.
    """
    where: object = name or (source if isinstance(source, str | Path) else "the table")
    opener = _opener(source)
    try:
        opener, start = _unpack(opener)
    except OSError as error:
        raise TableError(f"the table cannot be read ({error.strerror or error})", where=where) from None
    lowered = str(where).lower().removesuffix(".gz")
    if start.startswith(_WORKBOOKS):
        from hangtag.tables.workbook import WorkbookTable  # noqa: PLC0415 - only the form that is given is imported

        return WorkbookTable(opener, where, sheet)
    if start.startswith(_PARQUET):
        from hangtag.tables.parquet import ParquetTable  # noqa: PLC0415 - as above

        return ParquetTable(opener, where)
    _refuse(start, lowered, where)
    if lowered.endswith((".jsonl", ".ndjson")):
        return JsonLinesTable(opener, where)
    return DelimitedTable(opener, where, delimiter)


def find_column(name: str, names: Sequence[str]) -> int | None:
    """Return the position of a column, ignoring case or, if need be, spaces and signs; None if that is ambiguous."""
    if name in names:
        return names.index(name)
    for simplify in (_without_case, plain_name):
        wanted = simplify(name)
        alike = [position for position, other in enumerate(names) if wanted and simplify(other) == wanted]
        if alike:
            return alike[0] if len(alike) == 1 else None
    return None


def _without_case(name: str) -> str:
    return name.strip().casefold()


def list_columns(names: Sequence[str]) -> str:
    """Return a sentence that lists the columns of a table, up to twenty.

    If only one has a name, a second sentence says what to do if that is a title.
    """
    more = f" and {len(names) - _SHOWN_COLUMNS} more" if len(names) > _SHOWN_COLUMNS else ""
    shown = [
        name if len(name) <= _SHOWN_NAME else f"{name[:_SHOWN_NAME]}…" for name in names[:_SHOWN_COLUMNS]
    ]
    return f"Its columns are {', '.join(shown)}{more}.{explain_title(names)}"


def explain_title(names: Sequence[str]) -> str:
    """Return what to do about a header with a single name, which may be a title; empty for any other header."""
    written = [name for name in names if name and _UNNAMED.fullmatch(name) is None]
    if len(written) != 1:
        return ""
    return f" If {written[0][:_SHOWN_NAME]} is a title, remove the lines above the header."


def _opener(source: str | Path | bytes | BinaryIO) -> Opener:
    if isinstance(source, str | Path):
        path = Path(source)
        return lambda: path.open("rb")
    if isinstance(source, bytes):
        return lambda: io.BytesIO(source)

    def rewind() -> BinaryIO:
        source.seek(0)
        return cast("BinaryIO", _KeptOpen(source))

    return rewind


class _KeptOpen(io.BufferedIOBase):
    """A caller's file, which stays open after a table was read from it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        return self._file.read(-1 if size is None else size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _unpack(opener: Opener) -> tuple[Opener, bytes]:
    """Return a function that opens the source, decompressed if needed, and its first bytes."""
    with opener() as file:
        start = file.read(512)
    if not start.startswith(_GZIP):
        return opener, start

    def unpack() -> BinaryIO:
        file = gzip.GzipFile(fileobj=opener())
        file.myfileobj = file.fileobj  # type: ignore[assignment]  # is closed with it
        return cast("BinaryIO", file)

    try:
        with unpack() as file:
            return unpack, file.read(512)
    except (EOFError, zlib.error) as error:
        raise OSError(f"it is damaged: {error}") from error


def _refuse(start: bytes, lowered: str, where: object) -> None:
    """Raise `TableError` for a file that looks like a table only by its name."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(_MARKUP):
        problem = "this is a web page or XML, not a table"
    elif lowered.endswith((".xlsx", ".xlsm", ".xlsb", ".ods")):
        problem = "it is empty" if not start else "this is not a workbook"
    elif lowered.endswith((".parquet", ".pq")):
        problem = "it is empty" if not start else "this is not a Parquet file"
    elif not start.startswith(_UTF16_MARKS) and guess_encoding(start) == "utf-8" and _is_binary(start):
        problem = "this is not text"
    else:
        return
    raise TableError(
        f"the table cannot be read ({problem})", where=where, fix=f"hangtag reads {TABLES_READ}."
    )


def _is_binary(start: bytes) -> bool:
    return sum(sign < 9 or 13 < sign < 27 for sign in start) * 10 > len(start)  # noqa: PLR2004 - control characters


class DelimitedTable(Table):
    """CSV and similar files, read line by line. All values are text.

    Short rows are padded; in rows that are too long the last values are joined again.
    """

    def __init__(self, opener: Opener, where: object, delimiter: str | None = None) -> None:
        with opener() as file:
            reader = RecordReader(iter_lines(file, where), where, delimiter)
        super().__init__(where, reader.header, [Kind.WRITTEN] * len(reader.header))
        self._opener = opener
        self._stated = delimiter
        self.delimiter = reader.delimiter

    def __iter__(self) -> Iterator[TableRow]:
        self.repairs.clear()
        width = len(self.columns)
        for record in self.iter_records():
            if record.is_cut:
                detail = f"line {record.line:,} is longer than {MAX_LINE_LENGTH:,} characters"
                problem = f"the table cannot be read beyond line {record.line - 1:,} ({detail})"
                raise TableError(problem, where=self.where)
            if any(map(str.strip, record.cells)):
                self.repairs.update(record.repairs)
                yield TableRow(
                    record.line,
                    (*(cell or None for cell in record.cells), *(None,) * (width - len(record.cells))),
                )

    def iter_records(self) -> Iterator[Record]:
        """Iterate the rows with their original text and repairs."""
        with self._opener() as file:
            yield from RecordReader(iter_lines(file, self.where), self.where, self._stated)


class JsonLinesTable(Table):
    """JSON Lines: one object per row; columns are in the order in which they first appear."""

    def __init__(self, opener: Opener, where: object) -> None:
        self.where = where
        self._opener = opener
        kinds: dict[str, set[Kind]] = {}
        for _, row in self._iter_objects():
            for name, value in row.items():
                found = kinds.setdefault(name, set())
                if value is not None:
                    found.add(kind_of(value))
        if not kinds:
            raise TableError("the table is empty", where=where)
        super().__init__(where, list(kinds), [common_kind(found) for found in kinds.values()])

    def __iter__(self) -> Iterator[TableRow]:
        kinds = [column.kind for column in self.columns]
        for number, row in self._iter_objects():
            values = (row.get(key) for key in self.header)
            yield TableRow(
                number, tuple(as_kind(_flat(value), kind) for value, kind in zip(values, kinds, strict=True))
            )

    def _iter_objects(self) -> Iterator[tuple[int, dict[str, Any]]]:
        with self._opener() as file:
            for line in iter_lines(file, self.where):
                if not line.text.strip():
                    continue
                try:
                    row = json.loads(line.text)
                except (ValueError, RecursionError) as error:
                    raise TableError(
                        f"line {line.number:,} is not JSON ({error})", where=self.where
                    ) from None
                if not isinstance(row, dict):
                    raise TableError(f"line {line.number:,} is not a JSON object", where=self.where)
                yield line.number, row


class HeadlessTable(Table):
    """A table without a header: its first line is a row, and its columns are called `column 1` and so on."""

    def __init__(self, table: Table) -> None:
        kinds = [Kind.TEXT if column.kind in TYPED_KINDS else column.kind for column in table.columns]
        super().__init__(table.where, [""] * len(kinds), kinds)
        self._table = table
        self.repairs = table.repairs

    def __iter__(self) -> Iterator[TableRow]:
        yield TableRow(1, tuple(name.strip() or None for name in self._table.header))
        kinds = [column.kind for column in self.columns]
        for number, values in self._table:
            yield TableRow(number, tuple(map(as_kind, values, kinds)))

    def count(self) -> int:
        """Return the number of rows, the first one included."""
        return self._table.count() + 1

    def links(self, column: int) -> dict[int, str]:
        """Return the links of the underlying table."""
        return self._table.links(column)


def _flat(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def iter_padded_rows(table: Table) -> Iterator[tuple[int, list[str]]]:
    """Iterate the rows of any table as numbered rows of text, padded to one cell per column."""
    for number, values in table:
        yield number, ["" if value is None else render_value(value) for value in values]


def iter_text_rows(table: Table) -> Iterator[tuple[int, list[str]]]:
    """Iterate the rows of any table as numbered rows of text. An empty cell is an empty text.

    Rows of a CSV file with too few or too many cells are left as they are.
    """
    if isinstance(table, DelimitedTable):
        for record in table.iter_records():
            has_more = Repair.EXTRA_COMMAS in record.repairs
            last = record.cells[-1].split(table.delimiter) if has_more else record.cells[-1:]
            yield record.line, [*record.cells[:-1], *last]
        return
    yield from iter_padded_rows(table)


def peek(table: Table, count: int) -> list[TableRow]:
    """Return the first rows, at most `count`."""
    return list(islice(table, count))
