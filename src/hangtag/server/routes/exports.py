"""The routes of exports without a batch: a table as CSV, Excel, JSON Lines, Parquet or text to paste."""

import csv
import datetime as dt
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import Field

from hangtag.domain.columns import PATH
from hangtag.server.problems import InvalidRequestError, problem_responses
from hangtag.server.schemas import InvalidValue, Schema
from hangtag.server.uploads import JsonRoute
from hangtag.tables import writing
from hangtag.tables.cells import Cell, Kind
from hangtag.tables.writing import Kinds, Rows, render

TableFormat = Literal["csv", "xlsx", "jsonl", "parquet", "tsv"]

MEDIA_TYPES: Final[Mapping[str, str]] = {
    **{str(name): kind for name, kind in writing.MEDIA_TYPES.items()},
    "tsv": "text/tab-separated-values; charset=utf-8",
}

_BREAKS: Final = re.compile(r"[\t\r\n]+")


def table_response(
    name: str, format_: TableFormat, kinds: Kinds, batches: Iterable[Rows]
) -> StreamingResponse:
    """Return a table as a download, named `name` with the extension of its format.

    `batches` are rows by column; each batch has all columns of `kinds`.
    """
    filename = quote(f"{name}.{format_}", safe="")
    return StreamingResponse(
        _iter_tabs(render(kinds, batches, "csv")) if format_ == "tsv" else render(kinds, batches, format_),
        media_type=MEDIA_TYPES[format_],
        headers={
            "Content-Disposition": f"attachment; filename=\"labels.{format_}\"; filename*=UTF-8''{filename}",
            "Cache-Control": "no-store",
        },
    )


def _iter_tabs(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield CSV as text to paste: tabs between cells, and spaces for tabs and line breaks inside them."""
    text = b"".join(pieces).decode("utf-8")
    for cells in csv.reader(io.StringIO(text, newline="")):
        yield ("\t".join(_BREAKS.sub(" ", cell) for cell in cells) + "\n").encode()


class ExportRoute(JsonRoute):
    """A route that accepts the labels of many photos."""

    max_bytes: ClassVar[int] = 32 * 1024 * 1024


router = APIRouter(tags=["exports"], route_class=ExportRoute)

ColumnType = Literal["text", "confidence", "integer", "number", "boolean", "date", "list"]
Value = str | bool | int | float | list[str] | None

_KINDS: Final[Mapping[ColumnType, Kind]] = {
    "text": Kind.TEXT,
    "confidence": Kind.CONFIDENCE,
    "integer": Kind.INTEGER,
    "number": Kind.NUMBER,
    "boolean": Kind.BOOLEAN,
    "date": Kind.DATE,
    "list": Kind.NAMES,
}
_MAX_COLUMNS: Final = 500
_BATCH_ROWS: Final = 1000
_FILES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The file.",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES.values()
        },
    }
}


class ExportColumn(Schema):
    """A column of a table. The column `path` holds names of files; in a list, values are separated by `;`."""

    name: Annotated[str, Field(min_length=1)]
    type: ColumnType = "text"


class Export(Schema):
    """A table to render as a file. Every row has one value for each column, or null."""

    format: TableFormat
    name: str = Field("labels", description="The name of the file, without its extension.")
    columns: Annotated[list[ExportColumn], Field(min_length=1, max_length=_MAX_COLUMNS)]
    rows: list[list[Value]]


@router.post(
    "/exports",
    response_class=StreamingResponse,
    responses=_FILES | problem_responses(413, 422),
)
def create_export(export: Export) -> StreamingResponse:
    """Render a table as a file, in the same way as exports of batches.

    Text that a spreadsheet would interpret as a formula is escaped. `tsv` is meant for pasting: tabs and line breaks
    inside a cell become spaces.
    """
    kinds = {column.name: _KINDS[column.type] for column in export.columns}
    if len(kinds) < len(export.columns):
        raise _invalid("columns", "each name must be unique")
    if kinds.get(PATH) is Kind.TEXT:
        kinds[PATH] = Kind.PATH
    batches = _iter_batches(_read_columns(export), len(export.rows))
    return table_response(export.name, export.format, kinds, batches)


def _iter_batches(cells: Rows, count: int) -> Iterator[Rows]:
    for start in range(0, count, _BATCH_ROWS):
        yield {name: column[start : start + _BATCH_ROWS] for name, column in cells.items()}


def _read_columns(export: Export) -> Rows:
    """Return the cells column by column. Raises `InvalidRequestError` for values of another type."""
    width = len(export.columns)
    for number, row in enumerate(export.rows):
        if len(row) != width:
            raise _invalid(f"rows.{number}", f"expected {width} values, got {len(row)}")
    return {
        column.name: _read_column(export.rows, position, column.type)
        for position, column in enumerate(export.columns)
    }


def _read_column(rows: Sequence[Sequence[Value]], position: int, type_: ColumnType) -> list[Cell]:
    read = _READERS[type_]
    cells: list[Cell] = []
    for number, row in enumerate(rows):
        value = row[position]
        try:
            cells.append(None if value is None else read(value))
        except (TypeError, ValueError):
            raise _invalid(f"rows.{number}.{position}", f"{value!r} is not of the type {type_}") from None
    return cells


def _read_text(value: Value) -> Cell:
    if not isinstance(value, str):
        raise TypeError
    return value


def _read_number(value: Value) -> Cell:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return value


def _read_integer(value: Value) -> Cell:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
        raise TypeError
    return value


def _read_confidence(value: Value) -> Cell:
    number = _read_number(value)
    if not 0 <= number <= 1:  # type: ignore[operator]  # it is a number
        raise ValueError
    return float(number)  # type: ignore[arg-type]


def _read_boolean(value: Value) -> Cell:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _read_date(value: Value) -> Cell:
    return dt.date.fromisoformat(str(value))


def _read_list(value: Value) -> Cell:
    if not isinstance(value, list):
        raise TypeError
    return tuple(value)


_READERS: Final[Mapping[ColumnType, Callable[[Value], Cell]]] = {
    "text": _read_text,
    "confidence": _read_confidence,
    "integer": _read_integer,
    "number": _read_number,
    "boolean": _read_boolean,
    "date": _read_date,
    "list": _read_list,
}


def _invalid(field: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(InvalidValue(field=field, message=message))
