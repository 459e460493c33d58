"""Decoding in isolated processes: few, started in advance, replaced when one dies, with pixels in shared memory.

A decoder may take minutes or gigabytes for a file of a few kilobytes, and nothing within a process can stop it. So
photos that may be expensive are decoded by `decoder_process`, which the system kills when its time is up.
"""

import atexit
import json
import mmap
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

from PIL import Image

import hangtag
from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DEFAULT_LIMITS, DecodeLimits
from hangtag.imaging.cost import count_pixels, has_coefficients

MOST_DECODERS: Final = 4
"""More decoders would only take memory: few photos are decoded in them."""

WAIT_FACTOR: Final = 15
"""How much longer than its processor time a decoder may take by the clock, as the processors may be busy."""

_GRACE_S: Final = 5.0
"""The system kills a decoder whose time is up. If that fails, it is killed from here after this additional time."""

_END_S: Final = 0.5
"""How long an idle decoder may take to exit by itself. It has nothing to lose."""

_START: Final = (
    "import sys; sys.path.append(sys.argv[1]); from hangtag.imaging.decoder_process import main;"
    "main(int(sys.argv[2]), int(sys.argv[3]))"
)
"""Starts the decoder with the same hangtag as this process."""

ROOM_BYTES: Final = 256 << 20
"""The approximate memory limit for all photos that are decoded at the same time."""

_JPEG_BYTES: Final = 3
_PROGRESSIVE_BYTES: Final = 9
_OTHER_BYTES: Final = 8
_WEBP_BYTES: Final = 12
"""The memory per pixel while a photo is decoded and handed over."""

_UNKNOWN_BYTES: Final = 64 << 20
_SMALL_SHARE: Final = 1 / 16
"""A photo that needs at most this share of the memory does not wait."""

_AT_ONCE: Final = {"MALLOC_MMAP_THRESHOLD_": "1048576", "MALLOC_TRIM_THRESHOLD_": "1048576"}
"""Makes the C library return freed memory to the system at once. Otherwise a process keeps much of it."""

_KEPT_BYTES: Final = 4 << 20
_ANSWER_BYTES: Final = 4096
_BROKEN: Final = "the decoder crashed"


_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class DecodeRequest:
    """How to decode a photo: in full, or only as large as a (width, height) `at_least` needs.

    With `most_pixels`, a photo with more pixels is reduced to a half, a third or less of its sides. With
    `is_inspected`, the file is also described, and its pictures are counted.
    """

    limits: DecodeLimits = DEFAULT_LIMITS
    at_least: tuple[int, int] | None = None
    is_inspected: bool = False
    most_pixels: int | None = None


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """What a file stores, in Pillow's terms, and the number of pictures (counted only if requested)."""

    format: str
    mode: str
    is_transparent: bool
    frames: int = 1


@dataclass(frozen=True, slots=True)
class PhotoCopy:
    """A copy for storage, and the (width, height) of the photo."""

    data: bytes
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class DecodedPhoto:
    """An upright RGB image, what its file stores, and the photo's full (width, height)."""

    image: Image.Image
    stored: StoredPhoto
    size: tuple[int, int]


def decode_apart(data: bytes, request: DecodeRequest) -> DecodedPhoto:
    """Decode a photo in another process, which is killed if it exceeds the limits.

    Raises `PhotoError` with the reason if the photo cannot be decoded.
    """
    return _open_decoders().decode(data, request)


def copy_apart(data: bytes, limits: DecodeLimits, *, is_upright: bool = False) -> PhotoCopy:
    """Do the same as `copies.copy_photo` in another process, which is killed if it exceeds the limits.

    With `is_upright`, the copy is upright and in sRGB. Raises the same errors.
    """
    return _open_decoders().copy(data, limits, is_upright=is_upright)


def close_decoders() -> None:
    """Stop the decoders. They are started again when needed."""
    _open_decoders().close()
    _open_decoders.cache_clear()


def abort_decoders() -> None:
    """Stop the decoders in the middle of their work. Waiting callers get a `PhotoError`."""
    _open_decoders().abort()


class Room:
    """A memory budget shared by decoders, first come, first served. A request for more than all of it gets all."""

    def __init__(self, most: int) -> None:
        self._most = self._left = most
        self._turn = threading.Lock()
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, wanted: int) -> Iterator[None]:
        """Wait until this much is free, and hold it during the block."""
        if wanted <= self._most * _SMALL_SHARE:
            yield
            return
        wanted = min(wanted, self._most)
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._left >= wanted)
            self._left -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._left += wanted
                self._changed.notify()


class Decoders:
    """Up to `most` decoder processes, started on first use. Thread-safe.

    Large photos, which need much memory, are only decoded at the same time if there is enough of it.
    """

    def __init__(self, most: int, most_bytes: int = ROOM_BYTES) -> None:
        self._free = threading.BoundedSemaphore(most)
        self._room = Room(most_bytes)
        self._idle: list[_Decoder] = []
        self._busy: set[_Decoder] = set()

    def decode(self, data: bytes, request: DecodeRequest) -> DecodedPhoto:
        """Do the same as `decode_apart`. Waits if all decoders are busy or there is too little memory."""
        return self._ask(data, asdict(request), _read_decoded)

    def copy(self, data: bytes, limits: DecodeLimits, *, is_upright: bool = False) -> PhotoCopy:
        """Do the same as `copy_apart`. Waits if all decoders are busy or there is too little memory."""
        question = {"limits": asdict(limits), "is_copied": True, "is_upright": is_upright}
        return self._ask(data, question, _read_copy)

    @property
    def idle_ids(self) -> list[int]:
        """The ids of the idle processes. Each leads its own process group."""
        return [decoder.id for decoder in self._idle]

    def abort(self) -> None:
        """Kill the busy processes. The threads waiting for them notice and clean up."""
        for decoder in list(self._busy):
            decoder.abort()

    def close(self) -> None:
        """Stop the idle processes."""
        while self._idle:
            self._idle.pop().end()

    def _ask(
        self, data: bytes, question: dict[str, Any], read: Callable[[int, dict[str, Any]], _Answer]
    ) -> _Answer:
        with self._room.hold(estimate_memory(data)), self._free:
            decoder = self._take()
            self._busy.add(decoder)
            try:
                found = decoder.ask(data, question, read)
            except PhotoError:
                self._give_back(decoder)
                raise
            except BaseException:
                decoder.kill()
                raise
            finally:
                self._busy.discard(decoder)
            self._give_back(decoder)
            return found

    def _take(self) -> "_Decoder":
        with suppress(IndexError):
            return self._idle.pop()
        try:
            return _Decoder()
        except OSError as error:
            raise PhotoError(Reason.UNREADABLE, f"no process can be started to decode it ({error})") from None

    def _give_back(self, decoder: "_Decoder") -> None:
        if decoder.is_alive:
            self._idle.append(decoder)


class _Decoder:
    """A decoder process, and the two in-memory files through which it gets bytes and returns pixels."""

    def __init__(self) -> None:
        self._given, self._shown = _open_shared("photo"), _open_shared("pixels")
        self._asked = 0
        arguments = [str(Path(hangtag.__file__).parents[1]), str(self._given), str(self._shown)]
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-P", "-c", _START, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(self._given, self._shown),
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"} | _AT_ONCE,
            bufsize=0,
            process_group=0,  # Ctrl-C is for the parent; a new session would get its own share of the processors
        )
        self.id = self._process.pid
        self.is_alive = True

    def ask(
        self, data: bytes, question: dict[str, Any], read: Callable[[int, dict[str, Any]], _Answer]
    ) -> _Answer:
        """Send a question about a photo. `read` builds the result from the file with the pixels and the answer."""
        self._asked += 1
        write_shared(self._given, data)
        question |= {"id": self._asked, "bytes": len(data)}
        steps = 2 if "is_copied" in question else 1
        try:
            answer = self._ask(question, steps * WAIT_FACTOR * question["limits"]["max_seconds"] + _GRACE_S)
            if "reason" in answer:
                raise PhotoError(Reason(answer["reason"]), answer["detail"])
            return read(self._shown, answer)
        finally:
            if self.is_alive:
                _shrink(self._given)
                _shrink(self._shown)

    def end(self) -> None:
        """Let the process exit, which it does when its input is closed."""
        if self.is_alive and self._process.stdin is not None:
            self._process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_S)
        self.kill()

    def abort(self) -> None:
        """Kill the process from another thread than the one that waits for it."""
        if not self.is_alive:  # its id may have been reused
            return
        with suppress(ProcessLookupError):
            os.killpg(self.id, signal.SIGKILL)

    def kill(self) -> None:
        """Kill the process and release its memory."""
        if not self.is_alive:
            return
        self.is_alive = False
        with suppress(ProcessLookupError):
            os.killpg(self.id, signal.SIGKILL)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()
        os.close(self._given)
        os.close(self._shown)

    def _ask(self, question: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Return the answer. If there is none, kill the process and raise the `PhotoError` that explains it."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None  # noqa: S101 - for the type checker
        assert stdout is not None  # noqa: S101
        try:
            stdin.write(json.dumps(question).encode() + b"\n")
            ready = select.poll()
            ready.register(stdout, select.POLLIN)
            while ready.poll(1000 * seconds):
                line = os.read(stdout.fileno(), _ANSWER_BYTES)
                if not line:
                    break
                answer: dict[str, Any] = json.loads(line)
                if answer["id"] == question["id"]:
                    return answer
            else:
                self.kill()
                raise PhotoError(Reason.TOO_EXPENSIVE, "decoding the photo takes too long")
        except (OSError, ValueError):
            pass
        self.kill()
        raise PhotoError(Reason.CORRUPT, _BROKEN)


def estimate_memory(data: bytes) -> int:
    """Return about how many bytes decoding a photo takes."""
    pixels = count_pixels(data)
    if pixels is None:
        return _UNKNOWN_BYTES + len(data)
    if data.startswith(b"\xff\xd8"):
        return pixels * (_PROGRESSIVE_BYTES if has_coefficients(data) else _JPEG_BYTES)
    return pixels * (_WEBP_BYTES if data.startswith(b"RIFF") else _OTHER_BYTES)


@cache
def _open_decoders() -> Decoders:
    decoders = Decoders(max(1, min(MOST_DECODERS, _count_processors())))
    atexit.register(decoders.close)
    return decoders


def _count_processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if hasattr(os, "register_at_fork"):
    # A forked process inherits the pipes to its parent's decoders, and would take the parent's answers.
    os.register_at_fork(after_in_child=_open_decoders.cache_clear)


def _open_shared(name: str) -> int:
    """Return the descriptor of a file in memory, or at least of one without a name that others could open."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(f"hangtag-{name}")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _shrink(descriptor: int) -> None:
    """Release memory after a large photo. A little is kept, as allocating it again takes longer."""
    if os.fstat(descriptor).st_size > _KEPT_BYTES:
        os.truncate(descriptor, 0)


def write_shared(descriptor: int, data: bytes) -> None:
    """Write all bytes to the beginning of a file."""
    rest, position = memoryview(data), 0
    while rest:
        count = os.pwrite(descriptor, rest, position)
        rest, position = rest[count:], position + count


def _read_decoded(shown: int, answer: dict[str, Any]) -> DecodedPhoto:
    width, height = answer["size"]
    image = read_image(shown, (width, height))
    return DecodedPhoto(image, StoredPhoto(**answer["stored"]), tuple(answer["whole"]))


def _read_copy(shown: int, answer: dict[str, Any]) -> PhotoCopy:
    return PhotoCopy(os.pread(shown, answer["copied"], 0), tuple(answer["whole"]))


def read_image(descriptor: int, size: tuple[int, int]) -> Image.Image:
    """Return the RGB image of a (width, height) whose pixels are in a file."""
    with mmap.mmap(descriptor, 3 * size[0] * size[1], access=mmap.ACCESS_READ) as pixels:
        return Image.frombytes("RGB", size, pixels)  # type: ignore[arg-type]  # any buffer will do
