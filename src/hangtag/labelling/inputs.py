"""Which photos to label: files and folders, walked as they are labelled and never listed whole."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hangtag.domain.errors import PhotoError, UsageError
from hangtag.domain.reasons import Reason
from hangtag.imaging.decode import DEFAULT_LIMITS, PHOTO_SUFFIXES, DecodeLimits, read_photo_bytes


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A photo to label. `fault` is the reason, known before it is opened, why that cannot be."""

    path: str
    fault: Reason | None = None

    @property
    def name(self) -> str:
        r"""What tables call this photo: its path. Bytes that are not UTF-8 are written as `\xe9`."""
        return os.fsencode(self.path).decode("utf-8", "backslashreplace")

    def read(self, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Return the file's bytes; raises `PhotoError` with the reason why they cannot be had."""
        if self.fault is not None:
            raise PhotoError(self.fault)
        return read_photo_bytes(Path(self.path), limits)


@dataclass
class PhotoWalk:
    """The photos of the inputs, each folder in the order of its names, its sub-folders among them.

    A named file is always a photo to label. Inside a folder, names that start with a dot are passed over, and
    files that do not end like a photo are counted in `other_files`. A folder that cannot be opened is an
    entry with a reason. Memory grows with the largest single folder (its names), not with the whole.

    Raises `UsageError` when there is no input at all.
    """

    inputs: Sequence[Path]
    other_files: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if not self.inputs:
            raise UsageError("there is nothing to label", fix="Name photos or folders of photos.")

    def __iter__(self) -> Iterator[PhotoFile]:
        self.other_files = 0
        for path in self.inputs:
            if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where a folder above may not be entered
                yield from self._walk(os.fspath(path), frozenset())
            else:
                yield PhotoFile(os.fspath(path))

    def _walk(self, folder: str, above: frozenset[tuple[int, int]]) -> Iterator[PhotoFile]:
        try:
            identity = _identity(folder)
            listing = _list(folder)
        except OSError:
            yield PhotoFile(folder, Reason.UNREADABLE)
            return
        if identity in above:  # a link to a folder above itself would never end
            return
        self.other_files += listing.other_files
        for name in listing.names:
            path = os.path.join(folder, name)  # noqa: PTH118 - a Path costs more than the rest of the walk
            if name not in listing.folders:
                yield PhotoFile(path, Reason.UNREADABLE if name in listing.unopenable else None)
            else:
                yield from self._walk(path, above | {identity})


def count_photos(inputs: Sequence[Path]) -> int:
    """Count the photos of the inputs without opening any."""
    return sum(1 for _ in PhotoWalk(inputs))


_ENDINGS: Final = tuple(sorted(PHOTO_SUFFIXES))


@dataclass(slots=True)
class _Listing:
    """One folder: the sorted names of its photos and sub-folders, and which of them are no plain files."""

    names: list[str] = field(default_factory=list)
    folders: set[str] = field(default_factory=set)
    unopenable: set[str] = field(default_factory=set)
    other_files: int = 0

    def add(self, entry: os.DirEntry[str]) -> None:
        """Sort an entry into its place."""
        if entry.name.startswith("."):
            return
        if _is_folder(entry):
            self.folders.add(entry.name)
        elif not entry.name.lower().endswith(_ENDINGS):
            self.other_files += 1
            return
        elif not entry.is_file(follow_symlinks=False) and _is_special(entry.path):
            self.unopenable.add(entry.name)  # opening a pipe or a device could wait for ever
        self.names.append(entry.name)


def _list(folder: str) -> _Listing:
    listing = _Listing()
    with os.scandir(folder) as entries:
        for entry in entries:
            listing.add(entry)
    listing.names.sort()
    return listing


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Say whether an entry is a folder or leads to one; `DirEntry.is_dir` alone raises at a link to itself."""
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()  # noqa: PTH112 - it never raises


def _is_special(path: str) -> bool:
    """Say whether a path leads to something that is neither a file nor nothing."""
    return os.path.exists(path) and not os.path.isfile(path)  # noqa: PTH110, PTH113 - as above


def _identity(folder: str) -> tuple[int, int]:
    status = os.stat(folder)  # noqa: PTH116 - as in the walk
    return (status.st_dev, status.st_ino)
