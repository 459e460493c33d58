"""The memory that uploads may use: one budget shared by all requests."""

import ctypes
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DEFAULT_LIMITS, DecodeLimits
from hangtag.server.problems import QueueFullError


@dataclass(slots=True)
class UploadMemory:
    """The bytes of uploads that are in memory, and their limit."""

    limit_bytes: int
    used_bytes: int = 0
    used_by: Counter[str] = field(default_factory=Counter)

    def check(self, declared: str, client: str = "") -> None:
        """Refuse a request unread if it declares more bytes than there is room for. Raises `QueueFullError`."""
        if declared.isdecimal() and int(declared) <= self.limit_bytes:
            self.reserve(int(declared), client)
            self.release(int(declared), client)

    def reserve(self, count: int, client: str = "") -> None:
        """Reserve bytes for a client. Raises `QueueFullError` beyond the limit, or beyond half of it for one client."""
        if client and 2 * (self.used_by[client] + count) > self.limit_bytes:
            raise QueueFullError(
                f"your uploads already use {self.used_by[client]:,} bytes of memory",
                fix="Send fewer photos at a time.",
            )
        if self.used_bytes + count > self.limit_bytes:
            raise QueueFullError(
                f"uploads already use {self.used_bytes:,} bytes of memory", fix="Try again in a second."
            )
        self.used_bytes += count
        self.used_by[client] += count

    def release(self, count: int, client: str = "") -> None:
        """Return bytes of a client to the budget."""
        self.used_bytes -= count
        self.used_by[client] -= count
        if not self.used_by[client]:
            del self.used_by[client]


def trim_memory() -> None:
    """Return freed memory to the system. glibc keeps freed pieces that are between used ones."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@dataclass(slots=True)
class UploadedPhoto:
    """A photo of a form, kept in memory.

    A file larger than `max_bytes` is discarded: reading it raises the reason, and the other photos of the request are
    still labelled.
    """

    name: str
    max_bytes: int
    memory: UploadMemory
    client: str = ""
    size: int = 0
    _pieces: list[bytes] = field(default_factory=list)

    def write(self, data: bytes) -> None:
        """Append bytes; raises `QueueFullError`."""
        if self.size > self.max_bytes:
            return
        if self.size + len(data) > self.max_bytes:
            self.release()
            self.size = self.max_bytes + 1
            return
        self.memory.reserve(len(data), self.client)
        self._pieces.append(data)
        self.size += len(data)

    def close(self) -> None:
        """Mark the file as complete."""
        if len(self._pieces) > 1:
            self._pieces = [b"".join(self._pieces)]

    def release(self) -> None:
        """Drop the bytes and return them to the budget."""
        self.memory.release(sum(map(len, self._pieces)), self.client)
        self._pieces = []

    def read(self, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Return the photo's bytes; raises `PhotoError` if the file was too large."""
        if self.size > min(self.max_bytes, limits.max_bytes):
            raise PhotoError(
                Reason.TOO_MANY_BYTES,
                f"the file is larger than {min(self.max_bytes, limits.max_bytes):,} bytes",
            )
        return b"".join(self._pieces)
