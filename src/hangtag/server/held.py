"""The memory that uploads take: one budget for all requests together."""

from dataclasses import dataclass, field

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.decode import DEFAULT_LIMITS, DecodeLimits
from hangtag.server.problems import QueueFullError


@dataclass(slots=True)
class HeldBytes:
    """How many bytes of uploads are in memory now."""

    limit: int
    now: int = 0

    def add(self, count: int) -> None:
        """Count further bytes; raises `QueueFullError` when there would be too many."""
        if self.now + count > self.limit:
            raise QueueFullError(
                f"uploads take {self.now:,} bytes of memory already", fix="Try again in a second."
            )
        self.now += count

    def remove(self, count: int) -> None:
        """Count bytes that are let go of."""
        self.now -= count


@dataclass(slots=True)
class UploadedPhoto:
    """A photo of a form, kept in memory: what takes its bytes, and where they are read again.

    Of a file over `max_bytes` nothing is kept; it becomes an answer with a reason, beside the good ones.
    """

    name: str
    max_bytes: int
    held: HeldBytes
    size: int = 0
    _pieces: list[bytes] = field(default_factory=list)

    def write(self, data: bytes) -> None:
        """Take the next bytes; raises `QueueFullError`."""
        if self.size > self.max_bytes:
            return
        if self.size + len(data) > self.max_bytes:
            self.release()
            self.size = self.max_bytes + 1
            return
        self.held.add(len(data))
        self._pieces.append(data)
        self.size += len(data)

    def close(self) -> None:
        """Know that the file is whole."""
        if len(self._pieces) > 1:
            self._pieces = [b"".join(self._pieces)]

    def release(self) -> None:
        """Let go of the bytes."""
        self.held.remove(sum(map(len, self._pieces)))
        self._pieces = []

    def read(self, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Return the photo's bytes; raises `PhotoError` when they were too many."""
        if self.size > min(self.max_bytes, limits.max_bytes):
            raise PhotoError(
                Reason.TOO_MANY_BYTES,
                f"the file is larger than {min(self.max_bytes, limits.max_bytes):,} bytes",
            )
        return b"".join(self._pieces)
