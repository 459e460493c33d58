"""Where a table of labels goes: CSV, XLSX, JSONL or Parquet by the file's ending, or standard output."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from hangtag.domain.errors import UsageError
from hangtag.labelling.layout import Layout, Rows

STANDARD_OUTPUT: Final = Path("-")


class TableWriter(Protocol):
    """Writes a table row by row, in flat memory, into an open binary file."""

    def write(self, rows: Rows) -> None:
        """Append rows."""
        ...

    def finish(self) -> None:
        """Write what is still held back and the end of the table. The file stays open."""
        ...

    def discard(self) -> None:
        """Let go of everything without completing the table."""
        ...


def check_output(path: Path) -> None:
    """Raise `UsageError` when a table cannot be written to `path`, before any photo is labelled."""
    if path == STANDARD_OUTPUT:
        return
    _builder(path)
    if not path.parent.is_dir():
        raise UsageError(
            "there is no such folder", where=path.parent, fix="Make it, or choose another --output."
        )
    if path.exists() and not path.is_file():
        raise UsageError("this is not a file that can be replaced", where=path)


@contextlib.contextmanager
def open_output(path: Path, layout: Layout) -> Iterator[TableWriter]:
    """Open a table of labels; `-` is CSV on standard output.

    The file appears under its name when the block ends. When the block fails, or is interrupted, nothing
    appears and what was there before stays. Raises `UsageError` as `check_output` does.
    """
    check_output(path)
    with contextlib.ExitStack() as stack:
        if path == STANDARD_OUTPUT:
            file: BinaryIO = sys.stdout.buffer
            writer = _build_csv(file, layout)
        else:
            file = stack.enter_context(_replacing(path.resolve()))
            writer = _builder(path)(file, layout)
        try:
            yield writer
        except BaseException:
            writer.discard()
            raise
        writer.finish()
        file.flush()


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _build_csv(file: BinaryIO, layout: Layout) -> TableWriter:
    from hangtag.labelling.csv_table import CsvTable  # noqa: PLC0415 - only the format that is asked for is imported

    return CsvTable(file, layout)


def _build_jsonl(file: BinaryIO, layout: Layout) -> TableWriter:
    from hangtag.labelling.jsonl_table import JsonlTable  # noqa: PLC0415 - as above

    return JsonlTable(file, layout)


def _build_xlsx(file: BinaryIO, layout: Layout) -> TableWriter:
    from hangtag.labelling.xlsx_table import XlsxTable  # noqa: PLC0415 - as above

    return XlsxTable(file, layout)


def _build_parquet(file: BinaryIO, layout: Layout) -> TableWriter:
    from hangtag.labelling.parquet_table import ParquetTable  # noqa: PLC0415 - as above

    return ParquetTable(file, layout)


_BUILDERS: Final = {
    ".csv": _build_csv,
    ".xlsx": _build_xlsx,
    ".jsonl": _build_jsonl,
    ".parquet": _build_parquet,
}


def _builder(path: Path) -> Callable[[BinaryIO, Layout], TableWriter]:
    try:
        return _BUILDERS[path.suffix.lower()]
    except KeyError:
        raise UsageError(
            f"no table format ends in {path.suffix!r}" if path.suffix else "the name has no ending",
            where=path,
            fix=f"Use one of {', '.join(_BUILDERS)}, or - for CSV on standard output.",
        ) from None
