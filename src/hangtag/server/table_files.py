"""Tables as responses: the formats, their media types, and rows rendered while they are sent."""

import csv
import io
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final, Literal
from urllib.parse import quote

from fastapi.responses import StreamingResponse

from hangtag.labelling.csv_table import CsvTable
from hangtag.labelling.jsonl_table import JsonlTable
from hangtag.labelling.layout import Kind, Rows
from hangtag.labelling.parquet_table import ParquetTable
from hangtag.labelling.xlsx_table import XlsxTable

if TYPE_CHECKING:
    from hangtag.labelling.outputs import TableWriter

TableFormat = Literal["csv", "xlsx", "jsonl", "parquet", "tsv"]

MEDIA_TYPES: Final[Mapping[TableFormat, str]] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "tsv": "text/tab-separated-values; charset=utf-8",
}

_STREAMED: Final = {"csv": CsvTable, "jsonl": JsonlTable}
_COMPLETED: Final = {"xlsx": XlsxTable, "parquet": ParquetTable}
"""Formats that are written to a file first, because they end with an index."""

_PIECE_BYTES: Final = 256 * 1024
_BREAKS: Final = re.compile(r"[\t\r\n]+")


@dataclass(frozen=True, slots=True)
class TableLayout:
    """The columns of a table: the kind of each by its name, in order."""

    kinds: dict[str, Kind]


def table_response(
    name: str, format_: TableFormat, layout: TableLayout, batches: Iterable[Rows]
) -> StreamingResponse:
    """Return a table as a file to download, called `name` and the ending of its format.

    `batches` are rows column by column, each batch with all columns of the layout.
    """
    filename = quote(f"{name}.{format_}", safe="")
    return StreamingResponse(
        iter_table(format_, layout, batches),
        media_type=MEDIA_TYPES[format_],
        headers={
            "Content-Disposition": f"attachment; filename=\"labels.{format_}\"; filename*=UTF-8''{filename}",
            "Cache-Control": "no-store",
        },
    )


def iter_table(format_: TableFormat, layout: TableLayout, batches: Iterable[Rows]) -> Iterator[bytes]:
    """Yield the bytes of a table's file piece by piece, with a writer that neutralises formulas."""
    if format_ == "tsv":
        yield from _iter_tabs(iter_table("csv", layout, batches))
    elif format_ in _STREAMED:
        yield from _iter_streamed(format_, layout, batches)
    else:
        yield from _iter_completed(format_, layout, batches)


def _iter_streamed(format_: TableFormat, layout: TableLayout, batches: Iterable[Rows]) -> Iterator[bytes]:
    piece = io.BytesIO()
    writer: TableWriter = _STREAMED[format_](piece, layout)
    for rows in batches:
        writer.write(rows)
        yield _take(piece)
    writer.finish()
    yield _take(piece)


def _iter_completed(format_: TableFormat, layout: TableLayout, batches: Iterable[Rows]) -> Iterator[bytes]:
    with tempfile.TemporaryFile() as file:
        _write_completed(_COMPLETED[format_](file, layout), batches)
        file.seek(0)
        yield from _iter_pieces(file)


def _write_completed(writer: "TableWriter", batches: Iterable[Rows]) -> None:
    try:
        for rows in batches:
            writer.write(rows)
    except BaseException:
        writer.discard()
        raise
    writer.finish()


def _iter_pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_PIECE_BYTES):
        yield piece


def _iter_tabs(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield CSV as text to paste: tabs between cells, and spaces for tabs and line breaks inside one."""
    text = b"".join(pieces).decode("utf-8")
    for cells in csv.reader(io.StringIO(text, newline="")):
        yield ("\t".join(_BREAKS.sub(" ", cell) for cell in cells) + "\n").encode()


def _take(piece: io.BytesIO) -> bytes:
    data = piece.getvalue()
    piece.seek(0)
    piece.truncate()
    return data
