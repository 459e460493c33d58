"""The decoder process for photos that are not certainly cheap; `apart` starts it.

It gets the descriptors of two in-memory files: for a photo's bytes, and for its pixels. Requests and answers are lines
of JSON.

The process itself only supervises a child that does the work, and forks another one as soon as it dies. That takes
milliseconds, as everything is already loaded. The child sets its own timers, at which the system kills it; no decoder
can block them.
"""

import json
import math
import mmap
import os
import resource
import signal
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import AvifImagePlugin, Image, ImageCms, TiffImagePlugin, WebPImagePlugin

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.apart import WAIT_FACTOR, PhotoCopy, StoredPhoto, read_image, write_shared
from hangtag.imaging.boxes import load_heic
from hangtag.imaging.budget import DecodeLimits
from hangtag.imaging.colour import find_white, to_rgb
from hangtag.imaging.copies import MOST_PIXELS, keep_pixels, reencode_photo
from hangtag.imaging.decode import JPEG_FORMATS, SIDEWAYS, drafted_size, open_photo, read_orientation

LOADED: Final = (AvifImagePlugin, ImageCms, TiffImagePlugin, WebPImagePlugin)
"""The modules to load before the first photo, so that they are not loaded again after each death."""

_STRIP_PIXELS: Final = 1 << 20
_REDUCED_FROM_PIXELS: Final = 4_000_000
"""Larger photos are reduced while they are converted, as far as `at_least` allows."""

_REDUCING_GAP: Final = 3
"""How much larger than `at_least` a photo stays, so that the better filter that follows has enough to work with."""

_NICE: Final = 5
_TOLD_BYTES: Final = 65_536
_TOO_LARGE: Final = {"reason": Reason.TOO_EXPENSIVE, "detail": "decoding the photo takes too much memory"}
_TIME_IS_UP: Final = frozenset({signal.SIGPROF, signal.SIGALRM, signal.SIGXCPU})

Pixels = npt.NDArray[np.uint8]


def main(given: int, shown: int) -> None:
    """Keep a child running until the requests end."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        os.nice(_NICE)
    Image.preinit()
    load_heic()
    working_on = mmap.mmap(-1, 8)
    while True:
        child = os.fork()
        if not child:
            _work(given, shown, working_on)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        id_ = int.from_bytes(working_on[:8], "little")
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            return
        if id_:  # otherwise it died between two photos, and nobody is waiting
            working_on[:8] = bytes(8)
            _answer({"id": id_} | _describe_death(status))


def _work(given: int, shown: int, working_on: mmap.mmap) -> None:
    while line := os.read(0, _TOLD_BYTES):
        request = json.loads(line)
        working_on[:8] = request["id"].to_bytes(8, "little")
        limits = DecodeLimits(**request["limits"])
        _set_limits(limits, request["bytes"])
        with mmap.mmap(given, request["bytes"], access=mmap.ACCESS_READ) as file:
            data = file[:]
        answer = (_copy if "is_copied" in request else _decode)(data, shown, request, limits)
        del data
        _lift_limits()
        working_on[:8] = bytes(8)
        _answer({"id": request["id"]} | answer)


def _answer(answer: dict[str, Any]) -> None:
    os.write(1, json.dumps(answer).encode())


def _describe_death(status: int) -> dict[str, str]:
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if number in _TIME_IS_UP:
        return {"reason": Reason.TOO_EXPENSIVE, "detail": "decoding the photo takes too long"}
    if number == signal.SIGKILL:  # by the system, when memory ran out
        return _TOO_LARGE
    return {"reason": Reason.CORRUPT, "detail": "the decoder crashed"}


def _set_limits(limits: DecodeLimits, file_bytes: int) -> None:
    signal.setitimer(signal.ITIMER_PROF, limits.max_seconds)
    signal.setitimer(signal.ITIMER_REAL, WAIT_FACTOR * limits.max_seconds)
    _set_soft(resource.RLIMIT_AS, _used_bytes() + limits.max_memory_bytes + 2 * file_bytes)


def _lift_limits() -> None:
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    _set_soft(resource.RLIMIT_AS, resource.RLIM_INFINITY)


def _set_soft(kind: int, limit: int) -> None:
    _, highest = resource.getrlimit(kind)
    if highest != resource.RLIM_INFINITY:
        limit = highest if limit == resource.RLIM_INFINITY else min(limit, highest)
    with suppress(OSError, ValueError):  # not every system has this limit
        resource.setrlimit(kind, (limit, highest))


def _used_bytes() -> int:
    """Return the size of this process's address space; 0 if the system does not report it."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - no path to be built
            return int(file.read().split()[0]) * mmap.PAGESIZE
    except OSError:
        return 1 << 40


def _copy(data: bytes, shown: int, request: dict[str, Any], limits: DecodeLimits) -> dict[str, Any]:
    try:
        copy = keep_pixels(data, limits, is_upright=request["is_upright"])
        if copy is None:
            copy = _remake(data, shown, limits)
    except PhotoError as error:
        return {"reason": error.reason, "detail": error.detail[:500]}
    except MemoryError:
        return _TOO_LARGE
    write_shared(shown, copy.data)
    return {"copied": len(copy.data), "whole": copy.size}


def _remake(data: bytes, shown: int, limits: DecodeLimits) -> PhotoCopy:
    with open_photo(data, limits) as photo:
        size = _show(photo, shown, {"at_least": None, "most_pixels": MOST_PIXELS})
        whole = _whole_size(photo)
        photo.close()  # its pixels take more memory than the image
    image = read_image(shown, size)
    os.truncate(shown, 0)
    _set_limits(limits, len(data))  # the next step begins
    return reencode_photo(image, whole, limits.max_bytes)


def _decode(data: bytes, shown: int, request: dict[str, Any], limits: DecodeLimits) -> dict[str, Any]:
    try:
        with open_photo(data, limits) as photo:
            stored = StoredPhoto(str(photo.format), photo.mode, photo.has_transparency_data)
            size = _show(photo, shown, request)
            whole = _whole_size(photo)
            if request["is_inspected"] and photo.format not in JPEG_FORMATS:
                stored = StoredPhoto(stored.format, stored.mode, stored.is_transparent, _count_frames(photo))
    except PhotoError as error:
        return {"reason": error.reason, "detail": error.detail[:500]}
    except MemoryError:
        return _TOO_LARGE
    return {"size": size, "whole": whole, "stored": asdict(stored)}


def _show(photo: Image.Image, shown: int, request: dict[str, Any]) -> tuple[int, int]:
    """Write a photo's upright sRGB pixels to shared memory. Return their (width, height)."""
    at_least = request["at_least"]
    if at_least is not None and photo.format in JPEG_FORMATS:
        photo.draft(None, drafted_size(photo.size, at_least))
    _load(photo)
    factor = _reducing_factor(photo.size, at_least)
    if request["most_pixels"] is not None:
        factor = max(factor, math.ceil(math.sqrt(photo.width * photo.height / request["most_pixels"])))
    size = (-(-photo.width // factor), -(-photo.height // factor))
    turn = read_orientation(photo)
    width, height = size[::-1] if turn >= SIDEWAYS else size
    if os.fstat(shown).st_size < 3 * width * height:
        os.truncate(shown, 3 * width * height)
    with mmap.mmap(shown, 3 * width * height) as shared:
        upright: Pixels = np.frombuffer(shared, np.uint8).reshape(height, width, 3)
        _convert_strips(photo, factor, _as_stored(upright, turn))
        del upright
    return width, height


def _load(photo: Image.Image) -> None:
    """Decode a photo's pixels. Pillow keeps a WebP's canvases, twice the image's size, while it makes the image."""
    if not isinstance(photo, WebPImagePlugin.WebPImageFile):
        photo.load()
        return
    prepare = photo.load_prepare

    def release() -> None:
        photo._decoder = None  # noqa: SLF001 - nothing else ends it
        prepare()

    photo.load_prepare = release  # type: ignore[method-assign]
    try:
        photo.load()
    finally:
        del photo.load_prepare  # otherwise the photo would keep itself alive


def _whole_size(photo: Image.Image) -> tuple[int, int]:
    return photo.size[::-1] if read_orientation(photo) >= SIDEWAYS else photo.size


def _convert_strips(photo: Image.Image, factor: int, target: Pixels) -> None:
    """Write a photo's sRGB pixels, reduced by a factor, to uint8 (height, width, 3), a few rows at a time."""
    white = find_white(photo)
    rows = factor * max(1, _STRIP_PIXELS // (photo.width * factor))
    for top in range(0, photo.height, rows):
        strip = to_rgb(photo.crop((0, top, photo.width, min(top + rows, photo.height))), white)
        if factor > 1:
            strip = strip.reduce(factor)
        start = top // factor
        target[start : start + strip.height] = np.asarray(strip)


def _reducing_factor(size: tuple[int, int], at_least: tuple[int, int] | None) -> int:
    if at_least is None or size[0] * size[1] <= _REDUCED_FROM_PIXELS:
        return 1
    width, height = drafted_size(size, at_least)
    return max(1, min(size[0] // (_REDUCING_GAP * width), size[1] // (_REDUCING_GAP * height)))


def _as_stored(upright: Pixels, turn: int) -> Pixels:
    """Return upright pixels, (height, width, 3), in the order in which a photo with an EXIF orientation is stored."""
    if turn >= SIDEWAYS:
        upright = upright.swapaxes(0, 1)
    return {
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        6: upright[::-1],
        7: upright[::-1, ::-1],
        8: upright[:, ::-1],
    }.get(turn, upright)


def _count_frames(photo: Image.Image) -> int:
    with suppress(Exception):  # only the first picture has to be intact
        return int(getattr(photo, "n_frames", 1))
    return 1
