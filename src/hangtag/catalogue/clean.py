"""Clean a catalogue: every line of its table becomes a product, or a reject with a reason."""

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Final, Self

import pyarrow as pa
import pyarrow.parquet

from hangtag.catalogue.files import whole_file, write_json
from hangtag.catalogue.lines import iter_lines
from hangtag.catalogue.rows import Reject, RejectReason, Row, RowReader
from hangtag.catalogue.seen import SeenIds
from hangtag.catalogue.source import Catalogue, list_table_files, open_catalogue
from hangtag.catalogue.tables import PARQUET_SUFFIXES, csv_writer, read_table
from hangtag.domain.columns import ID

CLEANED_CSV: Final = "cleaned.csv"
CLEANED_PARQUET: Final = "cleaned.parquet"
REJECTS_CSV: Final = "rejects.csv"
REPORT_JSON: Final = "clean-report.json"
CLEANED_FILES: Final = (CLEANED_CSV, CLEANED_PARQUET, REJECTS_CSV, REPORT_JSON)
BATCH_ROWS: Final = 32_768
BATCH_CHARACTERS: Final = 16_000_000
"""How much is held in memory at a time: so many rows, or fewer where they are long."""


@dataclass(slots=True)
class CleanReport:
    """What became of every line: `lines` = 1 header + `cleaned` + `rejected` + `blank` + `joined`.

    `joined` are the further lines of rows whose quoted value holds line ends. `repairs` counts rows by what
    was put right, `rejects` rejected rows by reason code, `missing` cleaned rows without a value, by column.
    """

    catalogue: str
    columns: list[str]
    lines: int = 0
    cleaned: int = 0
    rejected: int = 0
    blank: int = 0
    joined: int = 0
    repairs: dict[str, int] = field(default_factory=dict)
    rejects: dict[str, int] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)


def clean_catalogue(catalogue: Catalogue, output_folder: Path) -> CleanReport:
    """Clean a catalogue's table into `cleaned.csv`, `cleaned.parquet`, `rejects.csv` and `clean-report.json`.

    Memory does not grow with the table. The first row of an id is kept, later ones are rejected. Either all
    files are written or, on any exception, none.

    Raises `CatalogueError` when the table cannot be read or the files cannot be written.
    """
    with ExitStack() as stack:
        stream = stack.enter_context(catalogue.open_table())
        reader = RowReader(iter_lines(stream, catalogue.name), catalogue.name)
        seen = stack.enter_context(SeenIds())
        writer = stack.enter_context(_Writer(output_folder, reader.columns))
        for batch in _iter_batches(reader):
            writer.write(*_without_duplicates(batch, reader.columns.index(ID), seen))
        report = writer.report(catalogue.name)
        report.lines, report.blank, report.joined = reader.lines, reader.blank, reader.joined
        write_json(asdict(report), output_folder / REPORT_JSON)
        return report


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


def _without_duplicates(
    batch: Iterable[Row | Reject], id_position: int, seen: SeenIds
) -> tuple[list[Row], list[Reject]]:
    rows = [row for row in batch if isinstance(row, Row)]
    rejects = [reject for reject in batch if isinstance(reject, Reject)]
    repeated = seen.add([(str(row.values[id_position]), row.line) for row in rows])
    for row in rows if repeated else ():
        if row.line in repeated:
            explanation = f"the id {row.values[id_position]} is already on line {repeated[row.line]}"
            rejects.append(Reject(row.line, RejectReason.DUPLICATE_ID, explanation, row.raw))
    return [row for row in rows if row.line not in repeated], sorted(rejects)


class _Writer:
    """Writes the three tables batch by batch, and counts."""

    def __init__(self, folder: Path, columns: Sequence[str]) -> None:
        self._folder = folder
        self._columns = list(columns)
        self._schema = pa.schema([(column, pa.string()) for column in columns])
        self._cleaned = 0
        self._repairs: Counter[str] = Counter()
        self._rejects: Counter[str] = Counter()
        self._missing: Counter[str] = Counter()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            parquet = stack.enter_context(whole_file(self._folder / CLEANED_PARQUET))
            self._parquet = stack.enter_context(_open_parquet(parquet, self._schema))
            self._csv = csv_writer(self._open(stack, CLEANED_CSV))
            self._rejects_csv = csv_writer(self._open(stack, REJECTS_CSV))
            self._csv.writerow(self._columns)
            self._rejects_csv.writerow(Reject._fields)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]  # the three values that __exit__ is given

    def _open(self, stack: ExitStack, name: str) -> IO[str]:
        path = stack.enter_context(whole_file(self._folder / name))
        return stack.enter_context(path.open("w", newline="", encoding="utf-8"))

    def write(self, rows: Sequence[Row], rejects: Sequence[Reject]) -> None:
        """Write one batch to all three tables."""
        self._csv.writerows(row.values for row in rows)
        self._rejects_csv.writerows(rejects)
        columns = zip(*(row.values for row in rows), strict=True) if rows else [()] * len(self._columns)
        arrays = [pa.array(column, pa.string()) for column in columns]
        self._parquet.write_batch(pa.record_batch(arrays, schema=self._schema))
        self._cleaned += len(rows)
        self._repairs.update(repair for row in rows for repair in row.repairs)
        self._rejects.update(reject.reason for reject in rejects)
        for column, array in zip(self._columns, arrays, strict=True):
            self._missing[column] += array.null_count

    def report(self, catalogue: str) -> CleanReport:
        """Return the counts so far."""
        return CleanReport(
            catalogue=catalogue,
            columns=self._columns,
            cleaned=self._cleaned,
            rejected=self._rejects.total(),
            repairs=_plain_counts(self._repairs),
            rejects=_plain_counts(self._rejects),
            missing=_plain_counts(self._missing),
        )


def _open_parquet(path: Path, schema: pa.Schema) -> Any:  # noqa: ANN401 - pyarrow has no types
    return pyarrow.parquet.ParquetWriter(path, schema, compression="zstd")


def _plain_counts(counts: Counter[str]) -> dict[str, int]:
    return {str(key): count for key, count in counts.most_common() if count}


def load_cleaned(path: Path) -> pa.Table:
    """Return a cleaned table: Parquet, the folder that `clean` wrote, or a catalogue, cleaned in passing.

    Raises `CatalogueError` when there is no such thing.
    """
    if (path / CLEANED_PARQUET).is_file():
        return read_table(path / CLEANED_PARQUET)
    if path.suffix.lower() in PARQUET_SUFFIXES:
        return read_table(path)
    with open_catalogue(path) as catalogue:
        return clean_in_passing(catalogue)


def list_cleaned_files(path: Path) -> list[Path]:
    """Return the files that `load_cleaned` may read at a path, and those that `clean` wrote beside them."""
    beside = [path / name for name in CLEANED_FILES] if path.is_dir() else []
    return [*list_table_files(path), *beside]


def clean_in_passing(catalogue: Catalogue) -> pa.Table:
    """Return the cleaned table of a catalogue and leave no file behind.

    Raises `CatalogueError` when the table cannot be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        clean_catalogue(catalogue, Path(folder))
        return read_table(Path(folder) / CLEANED_PARQUET)
