"""Files that appear whole or not at all, and stay when the power fails."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def replacing(path: Path, workplace: Path | None = None) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` when the block ends well; otherwise nothing changes.

    Until then it lies in the folder `workplace` of the same file system, or beside `path`. First the bytes reach the
    disk, then the new name: whoever finds the name finds all of the file.
    """
    temporary = (workplace or path.parent) / f".{path.name}.{os.getpid()}.part"
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Wait until the disk knows which names the folder holds. Windows cannot be asked for that."""
    if sys.platform == "win32":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
