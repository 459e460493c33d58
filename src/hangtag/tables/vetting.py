"""Opens a table in a separate process first if the library that reads it trusts the file's claims.

An .xls file of a few bytes can claim a cell a billion rows away, and a page of Parquet can unpack to gigabytes. Text
and .xlsx are read as streams with limits, and need no vetting.
"""

import mmap
import resource
import subprocess
import sys
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final

from hangtag.domain.errors import TableError
from hangtag.tables.openxml import ERRORS, is_open_xml
from hangtag.tables.reading import Table, open_table

MOST_BYTES: Final = 200 << 20
"""The memory limit for reading a table, on top of the libraries that read it."""

MOST_SECONDS: Final = 60
_VETTED: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"PAR1")
_TOO_EXPENSIVE: Final = "reading it takes too much time or memory, or it is damaged"


def vet_table(path: Path, name: object) -> None:
    """Raise `TableError` if a table, called `name`, cannot be read in bounded time and memory."""
    try:
        with path.open("rb") as file:
            if not file.read(4).startswith(_VETTED) or _is_streamed(file):
                return
        done = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", "hangtag.tables.vetting", str(path), str(name)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=2 * MOST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TableError(f"the table cannot be read ({_TOO_EXPENSIVE})", where=name) from None
    except OSError:
        return  # the code that opens the table says what is wrong with it
    if done.returncode not in (0, _UNREADABLE):
        raise TableError(f"the table cannot be read ({_TOO_EXPENSIVE})", where=name)


_UNREADABLE: Final = 3
"""The exit status for a file that is not a table. The code that opens it afterwards explains why."""


_TOO_LONG: Final = 4
_MOST_CHARACTERS: Final = 1 << 20
"""The length limit for the text of one cell. Excel's own limit is 32,767."""


def main(path: str, name: str) -> int:
    """Read a table to its end without keeping anything."""
    limit_process(MOST_SECONDS, MOST_BYTES, 0)
    with suppress(OSError, TableError):
        table = open_table(path, name)
        table.skim()
        return _TOO_LONG if _holds_endless_text(table) else 0
    return _UNREADABLE


def _holds_endless_text(table: "Table") -> bool:
    """Return whether a column name, or a cell of a workbook, exceeds the length limit."""
    texts = chain(table.names, chain.from_iterable(row.values for row in (table if table.sheets else ())))
    return any(isinstance(text, str) and len(text) > _MOST_CHARACTERS for text in texts)


def _is_streamed(file: BinaryIO) -> bool:
    try:
        return is_open_xml(file)
    except ERRORS:
        return False


def limit_process(seconds: int, most_bytes: int, most_written: int) -> None:
    """Limit this process's processor time, memory and files to what a table may take.

    The libraries map far more memory than they use, and each of their threads maps more. So they are loaded before the
    limit is set, and Arrow gets one thread and the system's allocator.
    """
    import pyarrow as pa  # noqa: PLC0415 - only in a process of its own
    import pyarrow.parquet  # noqa: PLC0415

    from hangtag.tables import parquet, workbook  # noqa: F401, PLC0415

    pa.set_memory_pool(pa.system_memory_pool())
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    limits = {
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: most_written,
    }
    with suppress(OSError):
        used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * mmap.PAGESIZE
        limits[resource.RLIMIT_AS] = used + most_bytes
    for kind, limit in limits.items():
        with suppress(OSError, ValueError):  # not every system has this limit
            resource.setrlimit(kind, (limit, limit))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
