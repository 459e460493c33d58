"""Reading and writing the tables that stages hand to each other: CSV or Parquet, all text."""

import csv
import re
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from hangtag.domain.errors import CatalogueError
from hangtag.tables.files import whole_file

CSV_SUFFIX: Final = ".csv"
PARQUET_SUFFIXES: Final = frozenset({".parquet", ".pq"})
_DELIMITERS: Final = ",;\t|"
_QUOTED: Final = re.compile(r'"[^"]*"')
NUMBER_COLUMNS: Final = {"group": pa.int64()}
"""The columns of a CSV that are not text."""


def read_table(path: Path) -> pa.Table:
    """Read a table from CSV or Parquet, told apart by the file name. Empty CSV fields are missing values.

    The values of a CSV are parted by commas, semicolons, tabs or bars, whichever its header has most of.

    Raises `CatalogueError` when the file is absent or not such a table.
    """
    if not path.is_file():
        fix = "Run hangtag clean or hangtag split first."
        raise CatalogueError("there is no such table", where=path, fix=fix)
    try:
        if path.suffix.lower() in PARQUET_SUFFIXES:
            return pyarrow.parquet.read_table(path)
        return _read_csv(path)
    except (pa.ArrowException, csv.Error, OSError) as error:
        raise CatalogueError(f"the table cannot be read ({error})", where=path) from error


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table whole or not at all, as Parquet or CSV by the file name; only Parquet keeps the metadata.

    Raises `CatalogueError` when the file name says neither or the file cannot be written.
    """
    need_table_name(path)
    with whole_file(path) as temporary:
        if path.suffix.lower() == CSV_SUFFIX:
            _write_csv(table, temporary)
        else:
            pyarrow.parquet.write_table(table, temporary, compression="zstd")


def need_table_name(path: Path, *others: str) -> None:
    """Raise `CatalogueError` when a file name does not end like a table, or in one of the `others`."""
    if path.suffix.lower() not in {*PARQUET_SUFFIXES, CSV_SUFFIX, *others}:
        endings = f"{', '.join((CSV_SUFFIX, *others))} or .parquet"
        raise CatalogueError(f"no table ends like this: it is written as {endings}", where=path)


def need_columns(table: pa.Table, columns: list[str], where: object) -> None:
    """Raise `CatalogueError` naming the columns that a table lacks."""
    lacking = [column for column in columns if column not in table.column_names]
    if lacking:
        raise CatalogueError(
            f"the table has no column {' or '.join(lacking)}",
            where=where,
            fix=f"Its columns are {', '.join(table.column_names)}.",
        )


def csv_writer(file: IO[str]) -> Any:  # noqa: ANN401 - csv gives its writer type no public name
    """Return a writer of the one CSV dialect that hangtag writes: quotes where needed, lines end in LF."""
    return csv.writer(file, lineterminator="\n")


def _read_csv(path: Path) -> pa.Table:
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        delimiter = _find_delimiter(file.readline())
        file.seek(0)
        names = next(csv.reader(file, delimiter=delimiter), [])
    return pyarrow.csv.read_csv(
        path,
        parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={name: NUMBER_COLUMNS.get(name, pa.string()) for name in names},
            strings_can_be_null=True,
            null_values=[""],
        ),
    )


def _find_delimiter(header: str) -> str:
    """Return what parts the names of a header: whichever it has most of, since spreadsheets do not agree on commas."""
    return max(_DELIMITERS, key=_QUOTED.sub("", header).count)


def _write_csv(table: pa.Table, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv_writer(file)
        writer.writerow(table.column_names)
        for batch in table.to_batches(max_chunksize=65_536):
            writer.writerows(zip(*(column.to_pylist() for column in batch.columns), strict=True))
