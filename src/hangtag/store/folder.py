"""The photos of the store: files named by the SHA-256 of their content, and thumbnails that are made once.

A client's file name never becomes a path. The same photo in two batches is one file.
"""

import hashlib
import os
import re
import secrets
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hangtag.domain.durable import sync_folder
from hangtag.imaging.budget import DecodeLimits
from hangtag.imaging.decode import read_photo_bytes
from hangtag.imaging.thumbnails import MEDIA_TYPE, render_photo

_NAME: Final = re.compile(r"[0-9a-f]{64}")
_PIECE_BYTES: Final = 1 << 20


class PhotoFolder:
    """The photos, thumbnails and unfinished uploads in a data folder. Thread-safe."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.photos = root / "photos"
        self.thumbnails = root / "thumbnails"
        self.incoming = root / "incoming"
        self._uploads = 0
        self._lock = threading.Lock()

    def path(self, sha256: str) -> Path:
        """Return where the photo with a hash lies, or would lie."""
        return _place(self.photos, sha256)

    @contextmanager
    def receiving(self) -> Iterator[Path]:
        """Give a folder for the files of one upload; it is removed in the end. No photo is removed meanwhile."""
        folder = self.incoming / secrets.token_hex(8)
        with self._lock:
            self._uploads += 1
        try:
            folder.mkdir(parents=True)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            with self._lock:
                self._uploads -= 1

    @contextmanager
    def clearing(self) -> Iterator[bool]:
        """Say whether photos may be removed in the block: not while an upload might be about to use them again."""
        with self._lock:
            yield not self._uploads

    def keep(self, path: Path) -> str:
        """Take over a file of an upload and return its hash. The file is gone afterwards."""
        sha256 = hash_file(path)
        target = self.path(sha256)
        if target.exists():
            path.unlink()
        else:
            _settle(path, target)
        return sha256

    def keep_bytes(self, data: bytes, folder: Path) -> str:
        """Store bytes by way of a file in the folder of an upload, and return their hash."""
        sha256 = hashlib.sha256(data).hexdigest()
        target = self.path(sha256)
        if not target.exists():
            temporary = folder / secrets.token_hex(8)
            temporary.write_bytes(data)
            _settle(temporary, target)
        return sha256

    def read(self, sha256: str, limits: DecodeLimits) -> bytes:
        """Return a photo's bytes. Raises `PhotoError` with the reason if they cannot be read."""
        return read_photo_bytes(self.path(sha256), limits)

    def render(self, sha256: str, size: int, limits: DecodeLimits) -> tuple[bytes, str]:
        """Return a thumbnail and its media type; it is made at the first call.

        Raises `PhotoError` for what is no photo.
        """
        kept = _place(self.thumbnails / str(size), sha256)
        try:
            return kept.read_bytes(), MEDIA_TYPE
        except OSError:
            data, media_type = render_photo(self.read(sha256, limits), size, limits)
        temporary = kept.with_name(f".{secrets.token_hex(4)}")
        kept.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)  # losing one to a power failure costs only the time to make it again
        temporary.replace(kept)
        return data, media_type

    def clear_incoming(self) -> None:
        """Remove what unfinished uploads left behind. Called before any upload begins."""
        shutil.rmtree(self.incoming, ignore_errors=True)

    def remove(self, hashes: Iterable[str]) -> None:
        """Remove photos that no batch has any more, with their thumbnails."""
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
    """Move a file to its name once its bytes are on the disk, so that who finds the name finds the whole file."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    try:
        path.replace(target)
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
    sync_folder(target.parent)
