"""Parquet tables, read batch by batch; values keep their types."""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from hangtag.domain.errors import TableError
from hangtag.tables.arrow import ARROW_TYPES
from hangtag.tables.cells import Kind, TableRow
from hangtag.tables.reading import Opener, Table

_ROWS_AT_ONCE: Final = 1000
_BUFFER_BYTES: Final = 1 << 18


class ParquetTable(Table):
    """A Parquet table. Types that no other table knows become text, lists and structs as JSON."""

    def __init__(self, opener: Opener, where: object) -> None:
        try:
            with opener() as file:
                schema = pq.read_schema(file)
        except (pa.ArrowException, OSError) as error:
            raise TableError(f"the table cannot be read ({error})", where=where) from None
        super().__init__(where, schema.names, [_kind_of(field.type) for field in schema])
        self._opener = opener

    def __iter__(self) -> Iterator[TableRow]:
        """Iterate the rows, numbered from 1."""
        number = 0
        kinds = [column.kind for column in self.columns]
        try:
            with self._opener() as opened, pq.ParquetFile(opened, buffer_size=_BUFFER_BYTES) as file:
                for batch in file.iter_batches(_ROWS_AT_ONCE):
                    columns = [
                        _values(column, kind) for column, kind in zip(batch.columns, kinds, strict=True)
                    ]
                    for values in zip(*columns, strict=True):
                        number += 1
                        yield TableRow(number, values)
        except (pa.ArrowException, OSError) as error:
            problem = f"the table cannot be read beyond row {number:,} ({error})"
            raise TableError(problem, where=self.where) from None

    def count(self) -> int:
        """Return how many rows there are, as the table says itself."""
        with self._opener() as opened, pq.ParquetFile(opened) as file:
            return int(file.metadata.num_rows)


def _kind_of(arrow_type: Any) -> Kind:  # noqa: ANN401 - pyarrow has no types
    types = pa.types
    if types.is_integer(arrow_type) and not types.is_uint64(arrow_type):
        return Kind.INTEGER
    if types.is_floating(arrow_type):
        return Kind.NUMBER
    if types.is_boolean(arrow_type):
        return Kind.BOOLEAN
    if types.is_date(arrow_type):
        return Kind.DATE
    if types.is_timestamp(arrow_type) and arrow_type.tz is None:
        return Kind.MOMENT
    return Kind.TEXT


def _values(column: Any, kind: Kind) -> list[object]:  # noqa: ANN401 - as above
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)  # Python knows no nanoseconds
    if kind is not Kind.TEXT or pa.types.is_large_string(column.type):
        column = column.cast(ARROW_TYPES[kind], safe=False)
    values: list[object] = column.to_pylist()
    return values if kind is not Kind.TEXT else [_text(value) for value in values]


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, dt.datetime | dt.time):
        return value.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
