"""A catalogue's table as clean rows: every line becomes a product, or a reject with a reason."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Final, NamedTuple, Self

import pyarrow as pa

from hangtag.datasets.folder import CLEANED_FILES, CLEANED_PARQUET
from hangtag.datasets.interface import Catalogue
from hangtag.datasets.opening import list_table_files, open_catalogue
from hangtag.domain.columns import ID, YEAR
from hangtag.tables.lines import iter_lines
from hangtag.tables.rows import Reject, RejectReason, Row, RowReader
from hangtag.tables.tables import PARQUET_SUFFIXES, read_table
from hangtag.tables.values import is_whole_float

BATCH_ROWS: Final = 32_768
BATCH_CHARACTERS: Final = 16_000_000
"""Limits the rows in memory at a time when they are long."""

MAX_IDS_IN_MEMORY: Final = 200_000
"""Up to this many ids stay in memory, about 30 MB. Beyond that, they spill to disk."""

NUMBERS: Final = (ID, YEAR)
"""The columns whose whole numbers are restored if pandas wrote them as `15970.0`."""

_CACHE_KIB: Final = 32 * 1024


@contextmanager
def open_rows(catalogue: Catalogue) -> Iterator[RowReader]:
    """Open the rows of a catalogue. Ids and years that pandas wrote as `15970.0` are restored to whole numbers.

    Raises `CatalogueError` and `TableError` if the table cannot be read.
    """
    mended = _find_mendable(catalogue)
    with catalogue.open_table() as stream:
        yield RowReader(iter_lines(stream, catalogue.name), catalogue.name, mended)


def _find_mendable(catalogue: Catalogue) -> list[str]:
    """Return the columns whose numbers all end in `.0`. For most tables the first row shows that there are none."""
    with catalogue.open_table() as stream:
        reader = RowReader(iter_lines(stream, catalogue.name), catalogue.name)
        found = dict.fromkeys((name for name in NUMBERS if name in reader.columns), False)
        for row in reader:
            if not found:
                return []
            if not isinstance(row, Row):
                continue
            for name in list(found):
                value = row.values[reader.columns.index(name)]
                if value is None or is_whole_float(value):
                    found[name] = found[name] or value is not None
                else:
                    del found[name]
    return [name for name, has_values in found.items() if has_values]


class CleanBatch(NamedTuple):
    """Some rows of a table and the lines that were rejected among them, both in table order."""

    rows: list[Row]
    rejects: list[Reject]


class CleanReader:
    """Iterates a catalogue's table in batches, in bounded memory. Only the first row of an id is kept.

    `columns` are the table's. `lines`, `blank`, `joined` and `ruined` are counted as by `RowReader`.

    Entering it raises `CatalogueError` if the table cannot be read or is not a catalogue's.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._reader = stack.enter_context(open_rows(self._catalogue))
            self._seen = stack.enter_context(SeenIds())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the table's columns."""
        return self._reader.columns

    @property
    def lines(self) -> int:
        """The lines read so far, the header included."""
        return self._reader.lines

    @property
    def blank(self) -> int:
        """The empty lines among them."""
        return self._reader.blank

    @property
    def joined(self) -> int:
        """The lines among them that continue a row."""
        return self._reader.joined

    @property
    def ruined(self) -> int:
        """The ids that a spreadsheet seems to have damaged."""
        return self._reader.ruined

    def __iter__(self) -> Iterator[CleanBatch]:
        id_position = self.columns.index(ID)
        for batch in _iter_batches(self._reader):
            yield _without_duplicates(batch, id_position, self._seen)


class Cleaned(NamedTuple):
    """A cleaned table, all its columns text, and the number of rejected lines."""

    table: pa.Table
    rejected: int


def read_cleaned(catalogue: Catalogue) -> Cleaned:
    """Read the table of a catalogue, cleaned, into memory. Raises `CatalogueError` if it cannot be read."""
    with CleanReader(catalogue) as reader:
        schema = pa.schema([(column, pa.string()) for column in reader.columns])
        batches, rejected = [], 0
        for batch in reader:
            batches.append(rows_to_arrow(batch.rows, schema))
            rejected += len(batch.rejects)
    return Cleaned(pa.Table.from_batches(batches, schema), rejected)


def load_cleaned(path: Path) -> pa.Table:
    """Return a cleaned table: Parquet, the folder that `clean` wrote, or a catalogue, which is cleaned on the fly.

    Raises `CatalogueError` if there is none.
    """
    if (path / CLEANED_PARQUET).is_file():
        return read_table(path / CLEANED_PARQUET)
    if path.suffix.lower() in PARQUET_SUFFIXES:
        return read_table(path)
    with open_catalogue(path) as catalogue:
        return read_cleaned(catalogue).table


def list_cleaned_files(path: Path) -> list[Path]:
    """Return the files that `load_cleaned` may read at a path, and the other outputs of `clean` next to them."""
    beside = [path / name for name in CLEANED_FILES] if path.is_dir() else []
    return [*list_table_files(path), *beside]


def rows_to_arrow(rows: Sequence[Row], schema: pa.Schema) -> pa.RecordBatch:
    """Return rows as a record batch; `schema` names their columns, all of them text."""
    columns = zip(*(row.values for row in rows), strict=True) if rows else [()] * len(schema)
    return pa.record_batch([pa.array(column, pa.string()) for column in columns], schema=schema)


def _iter_batches(outcomes: Iterable[Row | Reject]) -> Iterator[list[Row | Reject]]:
    batch: list[Row | Reject] = []
    characters = 0
    for outcome in outcomes:
        batch.append(outcome)
        characters += len(outcome.raw)
        if len(batch) >= BATCH_ROWS or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _without_duplicates(batch: Iterable[Row | Reject], id_position: int, seen: "SeenIds") -> CleanBatch:
    rows = [row for row in batch if isinstance(row, Row)]
    rejects = [reject for reject in batch if isinstance(reject, Reject)]
    repeated = seen.add([(str(row.values[id_position]), row.line) for row in rows])
    for row in rows if repeated else ():
        if row.line in repeated:
            explanation = f"the id {row.values[id_position]} is already on line {repeated[row.line]}"
            rejects.append(Reject(row.line, RejectReason.DUPLICATE_ID, explanation, row.raw))
    return CleanBatch([row for row in rows if row.line not in repeated], sorted(rejects))


class SeenIds:
    """Ids and the lines where they first occurred: a few in a dictionary, many in a private temporary database."""

    def __init__(self) -> None:
        self._few: dict[str, int] = {}
        self._database: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._database is not None:
            self._database.close()

    def add(self, ids: Sequence[tuple[str, int]]) -> dict[int, int]:
        """Record pairs of an id and its line, lines ascending.

        Return, for each line whose id occurred before, the line of its first occurrence.
        """
        if self._database is None and len(self._few) + len(ids) > MAX_IDS_IN_MEMORY:
            self._database = _open_database()
            _insert(self._database, list(self._few.items()))
            self._few.clear()
        if self._database is None:
            return {line: first for id_, line in ids if (first := self._few.setdefault(id_, line)) != line}
        database = self._database
        if _insert(database, ids) == len(ids):
            return {}
        return {line: first for id_, line in ids if (first := _first_line(database, id_)) != line}


def _open_database() -> sqlite3.Connection:
    # An empty name means a private temporary file that is deleted with the connection.
    database = sqlite3.connect("")
    database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute("CREATE TABLE seen (id TEXT PRIMARY KEY, line INTEGER NOT NULL) WITHOUT ROWID")
    return database


def _insert(database: sqlite3.Connection, ids: Sequence[tuple[str, int]]) -> int:
    """Insert the new ids, with the first line of each. Return how many were new."""
    before = database.total_changes
    # Sorted ids fall on the same database pages, which is several times faster than random order.
    database.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", sorted(ids, key=itemgetter(0)))
    return database.total_changes - before


def _first_line(database: sqlite3.Connection, id_: str) -> int:
    (line,) = database.execute("SELECT line FROM seen WHERE id = ?", (id_,)).fetchone()
    return int(line)
