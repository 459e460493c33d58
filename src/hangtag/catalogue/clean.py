"""Cleaning a catalogue: every line of its table becomes a product, or a reject with a reason."""

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Self

import pyarrow as pa
import pyarrow.parquet

from hangtag.datasets.cleaned import CleanBatch, CleanReader, rows_to_arrow
from hangtag.datasets.folder import CLEANED_CSV, CLEANED_PARQUET, REJECTS_CSV, REPORT_JSON
from hangtag.datasets.interface import Catalogue
from hangtag.tables.rows import Reject
from hangtag.tables.tables import csv_writer, whole_file, write_json


@dataclass(slots=True)
class CleanReport:
    """The counts of a cleaning: `lines` = 1 header + `cleaned` + `rejected` + `blank` + `joined`.

    `joined` are the continuation lines of rows with line breaks in a quoted value. `ruined` counts ids that a
    spreadsheet seems to have damaged, such as `8.90123E+12`. `repairs` counts rows by repair, `rejects` rejected rows
    by reason code, and `missing` cleaned rows without a value by column.
    """

    catalogue: str
    columns: list[str]
    lines: int = 0
    cleaned: int = 0
    rejected: int = 0
    blank: int = 0
    joined: int = 0
    ruined: int = 0
    repairs: dict[str, int] = field(default_factory=dict)
    rejects: dict[str, int] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)


def clean_catalogue(catalogue: Catalogue, output_folder: Path) -> CleanReport:
    """Clean a catalogue's table into `cleaned.csv`, `cleaned.parquet`, `rejects.csv` and `clean-report.json`.

    Memory does not grow with the table. Of rows with the same id, the first is kept and the others are rejected. If
    any exception is raised, no file is written.

    Raises `CatalogueError` if the table cannot be read or the files cannot be written.
    """
    with ExitStack() as stack:
        reader = stack.enter_context(CleanReader(catalogue))
        writer = stack.enter_context(_Writer(output_folder, reader.columns))
        for batch in reader:
            writer.write(batch)
        report = writer.report(catalogue.name)
        report.lines, report.blank, report.joined = reader.lines, reader.blank, reader.joined
        report.ruined = reader.ruined
        write_json(asdict(report), output_folder / REPORT_JSON)
        return report


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

    def write(self, batch: CleanBatch) -> None:
        """Write one batch to all three tables."""
        rows, rejects = batch
        self._csv.writerows(row.values for row in rows)
        self._rejects_csv.writerows(rejects)
        arrow = rows_to_arrow(rows, self._schema)
        self._parquet.write_batch(arrow)
        self._cleaned += len(rows)
        self._repairs.update(repair for row in rows for repair in row.repairs)
        self._rejects.update(reject.reason for reject in rejects)
        for column, array in zip(self._columns, arrow.columns, strict=True):
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
