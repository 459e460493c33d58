"""Opens a workbook or Parquet table in a separate process first, before it is opened in this one.

A workbook of a few bytes can claim a cell a billion rows away, and a page of Parquet can unpack to gigabytes; libraries
trust both. Text is read line by line and needs no vetting.
"""

import mmap
import resource
import subprocess
import sys
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hangtag.domain.errors import TableError

if TYPE_CHECKING:
    from hangtag.tables.reading import Table

MOST_BYTES: Final = 1 << 30
"""How much memory opening a table may take: enough for a workbook of 300,000 rows and 20 columns several times over."""

MOST_SECONDS: Final = 60
_VETTED: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"PAR1")
_TOO_EXPENSIVE: Final = "reading it takes too much time or memory, or it is damaged"


def vet_table(path: Path, name: object) -> None:
    """Raise `TableError` for a table, called `name`, that cannot be read with bounded time and memory."""
    try:
        with path.open("rb") as file:
            if not file.read(4).startswith(_VETTED):
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
"""How the process ends for what is not a table: the code that opens it says so in more words."""


_TOO_LONG: Final = 4
_MOST_CHARACTERS: Final = 1 << 20
"""What the text of one cell may have. Excel's own limit is 32,767."""


def main(path: str, name: str) -> int:
    """Read a table from beginning to end, and keep nothing of it."""
    _limit()
    from hangtag.tables.reading import open_table  # noqa: PLC0415 - within the limits

    with suppress(OSError, TableError):
        table = open_table(path, name)
        table.skim()
        return _TOO_LONG if _holds_endless_text(table) else 0
    return _UNREADABLE


def _holds_endless_text(table: "Table") -> bool:
    """Say whether the name of a column, or a cell of a workbook, is longer than anybody's text."""
    texts = chain(table.names, chain.from_iterable(row.values for row in (table if table.sheets else ())))
    return any(isinstance(text, str) and len(text) > _MOST_CHARACTERS for text in texts)


def _limit() -> None:
    limits = {resource.RLIMIT_CPU: MOST_SECONDS, resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: 0}
    with suppress(OSError):
        used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * mmap.PAGESIZE
        limits[resource.RLIMIT_AS] = used + _LIBRARIES_BYTES + MOST_BYTES
    for kind, limit in limits.items():
        with suppress(OSError, ValueError):  # not every system has this limit
            resource.setrlimit(kind, (limit, limit))


_LIBRARIES_BYTES: Final = 1 << 29
"""What the libraries that read tables map into memory, nearly all of it never used."""

if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
