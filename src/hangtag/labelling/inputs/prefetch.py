"""Fetching remote photos ahead, with more threads than decode, since they mostly wait.

What was read ahead waits for a decoder, some of it in memory and the rest in files.
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
        """Keep bytes; raises `UsageError` if there is no room for them."""
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


_LOOKED_UP_S: Final = 0.5
"""How often whoever waits for a photo checks whether the run still runs."""


class Prefetch:
    """Fetches photos on `connections` threads; what has arrived waits in `store`."""

    def __init__(self, connections: int, store: ByteStore, limits: DecodeLimits = DEFAULT_LIMITS) -> None:
        self._store = store
        self._limits = limits
        self.has_ended = False
        self._pool = ThreadPoolExecutor(connections, thread_name_prefix="fetch")

    def start(self, photo: InputPhoto) -> Future[KeptBytes]:
        """Begin to fetch a photo."""
        return self._pool.submit(self._fetch, photo)

    def give_up(self) -> None:
        """Fetch nothing more, and end all waits for what has not arrived."""
        self.has_ended = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Fetch nothing more, and wait for what is under way."""
        self.give_up()
        self._pool.shutdown()

    def _fetch(self, photo: InputPhoto) -> KeptBytes:
        return self._store.keep(photo.read(self._limits))


class AddressedPhoto(InputPhoto, Protocol):
    """A photo that is far away; `url` leads to it from every machine."""

    @property
    def url(self) -> str:
        """The whole address, also what is not shown of it."""
        ...


@dataclass(slots=True)
class FarPhoto:
    """A photo that can begin to be fetched before it is read."""

    photo: AddressedPhoto
    prefetch: Prefetch
    _arriving: Future[KeptBytes] | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        """The photo's name."""
        return self.photo.name

    @property
    def extra(self) -> Extra:
        """What the photo carries."""
        return self.photo.extra

    def start(self) -> None:
        """Begin to fetch the photo."""
        self._arriving = self.prefetch.start(self.photo)

    def read(self, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Return the photo's bytes when they have come; raises `PhotoError` with the reason why they did not."""
        if self._arriving is None:
            return self.photo.read(limits)
        arriving, self._arriving = self._arriving, None
        while not self.prefetch.has_ended:
            # Not `result` with a timeout: its TimeoutError could as well be that of the fetch.
            if wait([arriving], _LOOKED_UP_S).done:
                return arriving.result().take()
        raise PhotoError(Reason.UNREACHABLE, "the run was stopped")


class FetchingAhead:
    """Begins to fetch the photos of a walk that are far away.

    How far ahead it gets is up to whoever takes them: a decoder takes so many batches and no more.
    """

    def __init__(self) -> None:
        self._prefetch: Prefetch | None = None

    def start(self, photos: Iterable[InputPhoto]) -> Iterator[InputPhoto]:
        """Yield photos, and begin to fetch each that is far away."""
        for photo in photos:
            if isinstance(photo, FarPhoto):
                self._prefetch = photo.prefetch
                photo.start()
            yield photo

    def end_waits(self) -> None:
        """Let nobody wait for a photo any more. This takes no lock, so that a signal may call it."""
        if self._prefetch is not None:
            self._prefetch.has_ended = True

    def give_up(self) -> None:
        """Fetch nothing more, and let nobody wait; the photos of a walk share their threads."""
        if self._prefetch is not None:
            self._prefetch.give_up()
