"""Prefetching remote photos on more threads than decode, since these mostly wait.

Fetched photos wait for a decoder, some of them in memory and the rest in files.
"""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol

from hangtag.domain.errors import PhotoError, UsageError
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DEFAULT_LIMITS, DecodeLimits
from hangtag.labelling.inputs.photo import Extra, InputPhoto

MEMORY_BYTES: Final = 64 * 1024 * 1024
"""How many bytes wait in memory: many photos of a shop, a few of a camera."""


@dataclass(slots=True)
class KeptBytes:
    """The bytes of one photo, to be taken once. They are freed with this object."""

    store: "ByteStore"
    length: int
    data: bytes | None = None
    file: Path | None = None

    def __del__(self) -> None:
        """Free bytes that nobody took, for example of a photo that was already labelled."""
        if self.file is not None:
            self.file.unlink(missing_ok=True)
        elif self.data is not None:
            self.store.release(self.length)

    def take(self) -> bytes:
        """Return the bytes and free their room."""
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
    """Keeps bytes until they are taken: the first `memory_bytes` in memory, the rest in temporary files.

    Nothing ever waits for room, so fetching and decoding cannot block each other. Thread-safe.
    """

    memory_bytes: int = MEMORY_BYTES
    _used: int = field(default=0, init=False)
    _files: int = field(default=0, init=False)
    _folder: TemporaryDirectory[str] | None = field(default=None, init=False)
    _lock: threading.RLock = field(
        default_factory=threading.RLock, init=False
    )  # garbage collection may free bytes while others are stored

    def keep(self, data: bytes) -> KeptBytes:
        """Store bytes. Raises `UsageError` if the disk is full."""
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
        """Record that this many bytes are no longer in memory."""
        with self._lock:
            self._used -= length

    def close(self) -> None:
        """Delete the files of bytes that nobody took."""
        with self._lock:
            if self._folder is not None:
                self._folder.cleanup()
                self._folder = None


_LOOKED_UP_S: Final = 0.5
"""How often a thread that waits for a photo checks whether the run was stopped."""


class Prefetch:
    """Fetches photos on `connections` threads; they wait in `store`."""

    def __init__(self, connections: int, store: ByteStore, limits: DecodeLimits = DEFAULT_LIMITS) -> None:
        self._store = store
        self._limits = limits
        self.has_ended = False
        self._pool = ThreadPoolExecutor(connections, thread_name_prefix="fetch")

    def start(self, photo: InputPhoto) -> Future[KeptBytes]:
        """Start to fetch a photo."""
        return self._pool.submit(self._fetch, photo)

    def give_up(self) -> None:
        """Fetch nothing more, and end all waits for photos that have not arrived."""
        self.has_ended = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Fetch nothing more, and wait for requests in progress."""
        self.give_up()
        self._pool.shutdown()

    def _fetch(self, photo: InputPhoto) -> KeptBytes:
        return self._store.keep(photo.read(self._limits))


class AddressedPhoto(InputPhoto, Protocol):
    """A remote photo; `url` works from every machine."""

    @property
    def url(self) -> str:
        """The full address, including parts that are not shown."""
        ...


@dataclass(slots=True)
class RemotePhoto:
    """A photo whose fetching can start before it is read."""

    photo: AddressedPhoto
    prefetch: Prefetch
    _arriving: Future[KeptBytes] | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        """The photo's name."""
        return self.photo.name

    @property
    def extra(self) -> Extra:
        """The photo's extra values."""
        return self.photo.extra

    def start(self) -> None:
        """Start to fetch the photo."""
        self._arriving = self.prefetch.start(self.photo)

    def read(self, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Return the photo's bytes once they arrive. Raises `PhotoError` with the reason if they do not."""
        if self._arriving is None:
            return self.photo.read(limits)
        arriving, self._arriving = self._arriving, None
        while not self.prefetch.has_ended:
            # Not `result` with a timeout: its TimeoutError could not be told from one of the fetch.
            if wait([arriving], _LOOKED_UP_S).done:
                return arriving.result().take()
        raise PhotoError(Reason.UNREACHABLE, "the run was stopped")


class FetchingAhead:
    """Prefetches the remote photos of a walk.

    The consumer decides how far ahead it gets: a decoder takes a limited number of batches.
    """

    def __init__(self) -> None:
        self._prefetch: Prefetch | None = None

    def start(self, photos: Iterable[InputPhoto]) -> Iterator[InputPhoto]:
        """Yield photos, and start to fetch each remote one."""
        for photo in photos:
            if isinstance(photo, RemotePhoto):
                self._prefetch = photo.prefetch
                photo.start()
            yield photo

    def end_waits(self) -> None:
        """End all waits for photos. Takes no lock, so a signal handler may call it."""
        if self._prefetch is not None:
            self._prefetch.has_ended = True

    def give_up(self) -> None:
        """Fetch nothing more, and end all waits."""
        if self._prefetch is not None:
            self._prefetch.give_up()
