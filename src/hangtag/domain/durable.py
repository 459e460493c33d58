"""Files that appear whole or not at all, and that survive a power failure."""

import contextlib
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hangtag.domain.errors import UsageError

PRIVATE_FOLDER: Final = 0o700
PRIVATE_FILE: Final = 0o600
"""The permissions of what only the user of the service may read."""


def write_whole(data: bytes, path: Path) -> None:
    """Write a file, whole or not at all, and make its folder if needed. Raises `UsageError` if that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        problem = f"the file cannot be written ({error.strerror or error})"
        raise UsageError(problem, where=path, fix="Write it somewhere else.") from error


@contextlib.contextmanager
def replacing(path: Path, workplace: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path to write to. It replaces `path` if the block ends without an error.

    The temporary file is in the folder `workplace`, which must be on the same file system, or next to `path`. The bytes
    reach the disk before the new name does, so a file with this name is always complete. If the block fails or is
    interrupted, nothing changes. Raises `OSError` if the file cannot be written.
    """
    temporary = (workplace or path.parent) / f".{path.name}.{secrets.token_hex(4)}.part"
    try:
        yield temporary
        sync_file(temporary)
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):  # already renamed, or the folder does not exist
            temporary.unlink()


def sync_file(path: Path) -> None:
    """Wait until the bytes of a file are on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in the folder are on the disk. Does nothing on Windows, which has no such call."""
    if sys.platform == "win32":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@contextlib.contextmanager
def writing_privately() -> Iterator[None]:
    """Let only this user read the files and folders that this process makes in the block."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def close_to_others(folder: Path) -> None:
    """Remove other users' permissions from a folder that this user owns, and from the files directly in it.

    A sticky folder, such as `/tmp`, is shared by design and left unchanged.
    """
    if sys.platform == "win32":
        return
    for path in (folder, *folder.iterdir()):
        status = path.lstat()
        if status.st_uid != os.getuid() or status.st_mode & stat.S_ISVTX or stat.S_ISLNK(status.st_mode):
            continue
        path.chmod(PRIVATE_FOLDER if stat.S_ISDIR(status.st_mode) else PRIVATE_FILE)
