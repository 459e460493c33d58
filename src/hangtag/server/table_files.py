"""Tables as downloads, rendered while they are sent."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal
from urllib.parse import quote

from fastapi.responses import StreamingResponse

from hangtag.tables import writing
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

    `batches` are rows column by column, each batch with all columns of `kinds`.
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
    """Yield CSV as text to paste: tabs between cells, and spaces for tabs and line breaks inside one."""
    text = b"".join(pieces).decode("utf-8")
    for cells in csv.reader(io.StringIO(text, newline="")):
        yield ("\t".join(_BREAKS.sub(" ", cell) for cell in cells) + "\n").encode()
