"""The photo files of the store: copies named by the SHA-256 of the original files, and cached thumbnails.

A client's file name never becomes a path. A photo in two batches is stored once.
"""

import fcntl
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hangtag.domain.durable import sync_file, sync_folder
from hangtag.domain.errors import UsageError
from hangtag.imaging.budget import DecodeLimits
from hangtag.imaging.copies import copy_photo
from hangtag.imaging.decode import read_photo_bytes
from hangtag.imaging.thumbnails import MEDIA_TYPE, render_photo

_NAME: Final = re.compile(r"[0-9a-f]{64}")
_PIECE_BYTES: Final = 1 << 20
_WAITING: Final = 16
"""How many threads wait for the disk at once."""


class FolderClaim:
    """A lock on a data folder. With SQLite a folder has one service; services that share PostgreSQL may share it.

    The kernel releases it however the process ends. Creates the folder. Raises `UsageError` if another process has
    the lock, or the folder is not writable.
    """

    def __init__(self, folder: Path, *, is_shared: bool = False) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(folder / ".claim", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _unusable(f"cannot write to the data folder ({error.strerror})", folder) from None
        try:
            fcntl.flock(self._file, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise _unusable("another `hangtag serve` is using this data folder", folder) from None

    def release(self) -> None:
        """Release the lock."""
        os.close(self._file)


def _unusable(problem: str, folder: Path) -> UsageError:
    return UsageError(problem, where=folder, fix="Choose another --data-folder.")


@dataclass(frozen=True, slots=True)
class KeptPhoto:
    """A photo of the store: the hash of the original file, and the width and height of the upright photo in pixels."""

    sha256: str
    width: int
    height: int


class PhotoFolder:
    """The photos, thumbnails and unfinished uploads in a data folder.

    Safe to use from several threads and processes: uploads hold a shared lock, which removal waits for. With
    `keep_originals`, photos are stored unchanged; otherwise as a copy.
    """

    def __init__(self, root: Path, *, keep_originals: bool = False) -> None:
        self.root = root
        self.keep_originals = keep_originals
        self.photos = root / "photos"
        self.thumbnails = root / "thumbnails"
        self.incoming = root / "incoming"

    def path(self, sha256: str) -> Path:
        """Return the path of the photo with a hash, whether it exists or not."""
        return _place(self.photos, sha256)

    @contextmanager
    def receiving(self) -> Iterator[Path]:
        """Yield a folder for the files of one upload, and remove it at the end. No photo is removed meanwhile."""
        folder = self.incoming / secrets.token_hex(8)
        with self._lock(fcntl.LOCK_SH):
            try:
                folder.mkdir(parents=True)
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def clearing(self) -> Iterator[bool]:
        """Yield whether photos may be removed in the block: not during an upload, which might reuse them."""
        with self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB) as is_alone:
            yield is_alone

    @contextmanager
    def _lock(self, kind: int) -> Iterator[bool]:
        self.root.mkdir(parents=True, exist_ok=True)
        file = os.open(self.root / ".uploads", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(file, kind)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(file)

    def keep(self, path: Path, sha256: str | None = None) -> str:
        """Move an uploaded file into the store. Return its hash, or the hash to store it under."""
        sha256 = sha256 or hash_file(path)
        target = self.path(sha256)
        if target.exists():
            path.unlink()
        else:
            _settle(path, target)
        return sha256

    def keep_photo(self, data: bytes, folder: Path, limits: DecodeLimits) -> "KeptPhoto":
        """Write a photo to the folder of an upload; `settle` moves it to its place.

        Raises `PhotoError`, and stores nothing, if the photo cannot be decoded.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        copy = copy_photo(data, limits)
        if not self.path(sha256).exists():
            temporary = folder / secrets.token_hex(8)
            temporary.write_bytes(data if self.keep_originals else copy.data)
            temporary.replace(folder / sha256)
        return KeptPhoto(sha256, *copy.size)

    def settle(self, folder: Path, hashes: Iterable[str]) -> None:
        """Move the photos that were written to the folder of an upload to their places.

        Afterwards the photos are on the disk. Waiting for the disk is nearly the whole cost of uploading small photos,
        and file systems combine the writes of several waiting threads.
        """
        moved = [(folder / sha256, self.path(sha256)) for sha256 in sorted(set(hashes) - {""})]
        moved = [(path, target) for path, target in moved if path.exists()]
        if moved:
            with ThreadPoolExecutor(_WAITING, "settle") as threads:
                list(threads.map(sync_file, [path for path, _ in moved]))
                for path, target in moved:
                    _rename(path, target)
                list(threads.map(sync_folder, {target.parent for _, target in moved}))

    def read(self, sha256: str, limits: DecodeLimits) -> bytes:
        """Return a photo's bytes. Raises `PhotoError` with the reason if they cannot be read."""
        return read_photo_bytes(self.path(sha256), limits)

    def render(self, sha256: str, size: int, limits: DecodeLimits) -> tuple[bytes, str]:
        """Return a thumbnail and its media type. It is rendered on the first call.

        Raises `PhotoError` if the file is not a photo.
        """
        kept = _place(self.thumbnails / str(size), sha256)
        try:
            return kept.read_bytes(), MEDIA_TYPE
        except OSError:
            data, media_type = render_photo(self.read(sha256, limits), size, limits)
        temporary = kept.with_name(f".{secrets.token_hex(4)}")
        kept.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)  # a power failure costs only the time to render it again
        temporary.replace(kept)
        return data, media_type

    def is_readable(self) -> bool:
        """Return whether photos can be read. If a disk is gone, its mount point is empty or missing."""
        try:
            return any(self.photos.iterdir())
        except OSError:
            return False

    def clear_incoming(self) -> None:
        """Remove leftovers of unfinished uploads, unless an upload is in progress."""
        with self.clearing() as may_remove:
            if may_remove:
                shutil.rmtree(self.incoming, ignore_errors=True)

    def remove(self, hashes: Iterable[str]) -> None:
        """Remove photos that are in no batch any more, with their thumbnails."""
        sizes = [folder for folder in self.thumbnails.glob("*") if folder.is_dir()]
        for sha256 in hashes:
            for folder in (self.photos, *sizes):
                _place(folder, sha256).unlink(missing_ok=True)

    def iter_hashes(self) -> Iterator[str]:
        """Iterate the hashes of all photos."""
        for folder in sorted(self.photos.glob("??")):
            for path in folder.iterdir():
                if _NAME.fullmatch(path.name):
                    yield path.name


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _place(folder: Path, sha256: str) -> Path:
    return folder / sha256[:2] / sha256


def _settle(path: Path, target: Path) -> None:
    """Rename a file once its bytes are on the disk, so that a file with this name is always complete."""
    sync_file(path)
    _rename(path, target)
    sync_folder(target.parent)


def _rename(path: Path, target: Path) -> None:
    try:
        path.replace(target)
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
