"""Files that appear whole or not at all, and stay when the power fails."""

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path, workplace: Path | None = None) -> Iterator[Path]:
    """Give a path to write a file under, which takes the place of `path` when the block ends well.

    Until then it lies in the folder `workplace` of the same file system, or beside `path`. First the bytes reach the
    disk, then the new name: whoever finds the name finds all of the file. When the block fails or is interrupted,
    nothing changes. Raises `OSError` when the file cannot be written.
    """
    temporary = (workplace or path.parent) / f".{path.name}.{secrets.token_hex(4)}.part"
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):  # it has its name, or there is no such folder
            temporary.unlink()


def sync_folder(folder: Path) -> None:
    """Wait until the disk knows which names the folder holds. Windows cannot be asked for that."""
    if sys.platform == "win32":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
