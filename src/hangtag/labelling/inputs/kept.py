"""Bytes that were read ahead and wait for a decoder: some in memory, the rest in files."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hangtag.domain.errors import UsageError

MEMORY_BYTES: Final = 64 * 1024 * 1024
"""How many bytes wait in memory: many photos of a shop, a few of a camera."""


@dataclass(slots=True)
class KeptBytes:
    """The bytes of one photo, to be taken once; they go when this does."""

    store: "ByteStore"
    length: int
    data: bytes | None = None
    file: Path | None = None

    def __del__(self) -> None:
        """Make room when nobody took the bytes, as when a photo is labelled already and is passed over."""
        if self.file is not None:
            self.file.unlink(missing_ok=True)
        elif self.data is not None:
            self.store.release(self.length)

    def take(self) -> bytes:
        """Return the bytes and make room for others."""
        if self.file is not None:
            data = self.file.read_bytes()
            self.file.unlink()
            self.file = None
            return data
        kept, self.data = self.data, None
        if kept is None:
            raise RuntimeError("these bytes have been taken before")
        self.store.release(self.length)
        return kept


@dataclass
class ByteStore:
    """Keeps bytes until they are taken: the first `memory_bytes` in memory, what comes on top in temporary files.

    Nobody ever waits for room, so that readers and decoders cannot block each other. Safe to use from any thread.
    """

    memory_bytes: int = MEMORY_BYTES
    _used: int = field(default=0, init=False)
    _files: int = field(default=0, init=False)
    _folder: TemporaryDirectory[str] | None = field(default=None, init=False)
    _lock: threading.RLock = field(
        default_factory=threading.RLock, init=False
    )  # freeing may happen while keeping

    def keep(self, data: bytes) -> KeptBytes:
        """Keep bytes; raises `UsageError` when there is no room for them."""
        with self._lock:
            if self._used + len(data) <= self.memory_bytes:
                self._used += len(data)
                return KeptBytes(self, len(data), data)
            self._folder = self._folder or TemporaryDirectory(prefix="hangtag-")
            self._files += 1
            file = Path(self._folder.name) / str(self._files)
        try:
            file.write_bytes(data)
        except OSError as error:
            problem = f"there is no room for photos that were read ahead ({error.strerror})"
            raise UsageError(problem, where=file.parent, fix="Let TMPDIR name a larger disk.") from None
        return KeptBytes(self, len(data), file=file)

    def release(self, length: int) -> None:
        """Say that so many bytes are no longer kept in memory."""
        with self._lock:
            self._used -= length

    def close(self) -> None:
        """Remove the files of bytes that nobody took."""
        with self._lock:
            if self._folder is not None:
                self._folder.cleanup()
                self._folder = None
