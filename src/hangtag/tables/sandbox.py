"""Reads an untrusted table in a separate process.

The command is `python -m hangtag.tables.sandbox TABLE NAME RECORDS SHEET COLUMNS ROWS CELLS`.

Memory, time and output are limited: a workbook of a few bytes can claim a cell a billion rows away, and a small
file can unpack to an enormous one.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from hangtag.domain.errors import TableError
from hangtag.tables.cells import Column, Kind, render_value
from hangtag.tables.reading import TABLES_READ, open_table
from hangtag.tables.vetting import limit_process

_MOST_BYTES: Final = 176 << 20
_MOST_WRITTEN: Final = 128 << 20
_MOST_SECONDS: Final = 60
_SECONDS: Final = 300
"""The limit by the clock. It is generous, as the processors may be busy; processor time has its own limit."""

_NICE: Final = 10


_Row = TypeVar("_Row")
_running: Final[set["subprocess.Popen[str]"]] = set()


class SandboxedTable(NamedTuple):
    """The columns of a table, and its numbered rows as text (an empty text for an empty cell).

    `sheets` are the visible, non-empty sheets of a workbook.
    """

    columns: tuple[Column, ...]
    rows: Iterator[tuple[int, list[str]]]
    sheets: tuple[str, ...] = ()


class TableTooLargeError(TableError):
    """A table exceeds its limit of columns, rows or cells."""


class TableSize(NamedTuple):
    """The limits of a table: columns, rows and cells."""

    columns: int
    rows: int
    cells: int

    def iter_within(self, columns: int, rows: Iterable[_Row]) -> Iterator[_Row]:
        """Yield the rows of a table with this many columns. Raises `TableTooLargeError` once the limit is exceeded."""
        if columns > self.columns:
            raise TableTooLargeError(f"it has more than {self.columns:,} columns")
        for count, row in enumerate(rows, start=1):
            if count > self.rows:
                raise TableTooLargeError(f"it has more than {self.rows:,} rows")
            if count * columns > self.cells:
                raise TableTooLargeError(f"it has more than {self.cells:,} cells")
            yield row


def read_in_sandbox(path: Path, name: str, most: TableSize, sheet: str | None = None) -> SandboxedTable:
    """Read the table at `path`, called `name`, in a separate process. Writes a file next to `path`.

    For a workbook, the first sheet is read, or the one called `sheet`.

    Raises `TableError` if it is not a table, is larger than `most`, or takes too much time or memory.
    """
    target = path.with_suffix(".records")
    command = [
        sys.executable,
        "-P",
        "-m",
        "hangtag.tables.sandbox",
        str(path),
        name,
        str(target),
        sheet or "",
        *map(str, most),
    ]
    status, said = _run(command, name)
    if status:
        lines = said.strip().splitlines()
        is_expected = status == 1 and lines
        problem = lines[-1] if is_expected else "it needs too much memory, or is damaged"
        raise TableError(problem, where=name)
    records = _iter_records(target)
    _, sheets = next(records)
    _, described = next(records)
    return SandboxedTable(_columns(described), records, tuple(sheets))


def _columns(described: list[str]) -> tuple[Column, ...]:
    half = len(described) // 2
    return tuple(
        Column(name, Kind[kind]) for name, kind in zip(described[:half], described[half:], strict=True)
    )


def abort_readers() -> None:
    """Stop the processes that read tables. Their callers get a `TableError`."""
    for process in list(_running):
        process.kill()


def _run(command: list[str], name: str) -> tuple[int, str]:
    """Run a command and return its status and output. Raises `TableError` if it takes too long."""
    with subprocess.Popen(  # noqa: S603 - our own module; the paths are ours too
        command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        _running.add(process)
        _lower_priority(process)
        try:
            _, said = process.communicate(timeout=_SECONDS)
        except BaseException as error:
            process.kill()
            if isinstance(error, subprocess.TimeoutExpired):
                raise TableError("reading it takes too long", where=name) from None
            raise
        finally:
            _running.discard(process)
        return process.returncode, said


def _lower_priority(process: "subprocess.Popen[str]") -> None:
    """Let others go first, from the start: the imports of a small table take longer than the table."""
    if hasattr(os, "setpriority"):
        with suppress(OSError):  # it may have ended
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)


def _iter_records(path: Path) -> Iterator[tuple[int, list[str]]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            number, cells = json.loads(line)
            yield number, cells


def main(source: Path, name: str, target: Path, sheet: str | None, most: TableSize) -> None:
    """Write the columns and rows of a table as JSON Lines. Exits with a message if it is unreadable or too large."""
    limit_process(_MOST_SECONDS, _MOST_BYTES, _MOST_WRITTEN)
    try:
        with source.open("rb") as opened, target.open("w", encoding="utf-8") as file:
            table = open_table(opened, name, sheet=sheet)
            file.write(json.dumps([0, table.sheets], ensure_ascii=False) + "\n")
            described = [*table.names, *(column.kind.name for column in table.columns)]
            file.write(json.dumps([0, described]) + "\n")
            for number, values in most.iter_within(len(table.columns), table):
                cells = ["" if value is None else render_value(value) for value in values]
                file.write(json.dumps([number, cells], ensure_ascii=False) + "\n")
    except TableTooLargeError as error:
        sys.exit(error.problem)
    except TableError as error:
        sys.exit(f"{error.problem}. hangtag reads {TABLES_READ}")
    except MemoryError:
        sys.exit("it needs too much memory")
    except OSError:
        sys.exit(f"its text is more than {_MOST_WRITTEN >> 20} MiB")


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        sys.argv[2],
        Path(sys.argv[3]),
        sys.argv[4] or None,
        TableSize(*map(int, sys.argv[5:])),
    )
