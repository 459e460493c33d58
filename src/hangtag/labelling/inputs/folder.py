"""Photos in folders and from patterns such as `photos/**/*.jpg`, walked in name order, one folder at a time."""

import fnmatch
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol

from hangtag.domain.errors import PhotoError, UsageError
from hangtag.domain.reasons import Reason
from hangtag.imaging.decode import PHOTO_SUFFIXES
from hangtag.labelling.inputs.photo import FaultyPhoto, InputPhoto, PhotoFile

_ANY_DEPTH: Final = "**"
_WILD: Final = re.compile(r"[*?\[]")


class Pattern(Protocol):
    """Which files of a folder are wanted."""

    def enter(self, folder: str) -> "Pattern | None":
        """Return the pattern for a subfolder; None if it need not be searched."""
        ...

    def accepts(self, file: str) -> bool:
        """Return whether a file with this name is wanted."""
        ...


class _Everything:
    """Every name that does not start with a dot."""

    def enter(self, folder: str) -> Pattern | None:
        return None if folder.startswith(".") else self

    def accepts(self, file: str) -> bool:
        return not file.startswith(".")


EVERYTHING: Final[Pattern] = _Everything()


@dataclass(frozen=True, slots=True)
class PathPattern:
    """The parts of a pattern, and how many of them may be matched by the path to this folder.

    `*`, `?` and `[abc]` match within one name, but not a dot at its start. The part `**` matches any number of folders.
    `reached` are the positions of the parts that may come next: several, since `**` may end or continue.
    """

    parts: tuple[str, ...]
    reached: frozenset[int]

    @classmethod
    def from_text(cls, text: str) -> "PathPattern":
        """Parse the parts of a pattern after its folder. A pattern that ends with a slash matches everything below."""
        text = text.replace(os.sep, "/")
        parts = [part for part in text.split("/") if part not in ("", ".")]
        if text.endswith("/"):
            parts.append(_ANY_DEPTH)
        if not parts or parts[-1] == _ANY_DEPTH:
            parts.append("*")
        return cls(tuple(parts), _with_open_ends(parts, {0}))

    def enter(self, folder: str) -> "PathPattern | None":
        """Return the pattern for a subfolder; None if it need not be searched."""
        last = len(self.parts) - 1
        onwards = {
            position if self.parts[position] == _ANY_DEPTH else position + 1
            for position in self.reached
            if (self.parts[position] == _ANY_DEPTH or position < last) and _fits(self.parts[position], folder)
        }
        return PathPattern(self.parts, _with_open_ends(self.parts, onwards)) if onwards else None

    def accepts(self, file: str) -> bool:
        """Return whether a file with this name is wanted."""
        return len(self.parts) - 1 in self.reached and _fits(self.parts[-1], file)


def is_pattern(text: str) -> bool:
    """Return whether a name contains wildcards."""
    return _WILD.search(text) is not None


def split_pattern(text: str) -> tuple[str, PathPattern]:
    """Split a pattern into its starting folder (empty for the current one) and the pattern within it."""
    folder, rest = "", text
    while not is_pattern(head := rest.partition("/")[0]) and "/" in rest:
        folder = f"{folder}{head}/"
        rest = rest.partition("/")[2]
    return (folder if folder.strip("/") == "" else folder.rstrip("/")), PathPattern.from_text(rest)


def find_start(text: str, folder: Path, name: str) -> Path | None:
    """Return the starting folder of a pattern that matches a file of this name in `folder`; None if it does not."""
    if not is_pattern(text) or os.path.lexists(text):
        return None
    first, pattern = split_pattern(text)
    start = Path(first or ".")
    if not folder.resolve().is_relative_to(start.resolve()):
        return None
    reached: Pattern | None = pattern
    for part in folder.resolve().relative_to(start.resolve()).parts:
        reached = None if reached is None else reached.enter(part)
    return start if reached is not None and reached.accepts(name) else None


def _with_open_ends(parts: tuple[str, ...] | list[str], positions: set[int]) -> frozenset[int]:
    """Add the positions after every `**`, which may match no folder at all."""
    found = set(positions)
    for position, part in enumerate(parts):
        if position in found and part == _ANY_DEPTH:
            found.add(position + 1)
    return frozenset(found)


def _fits(part: str, name: str) -> bool:
    if name.startswith(".") and not part.startswith("."):
        return False
    return part == _ANY_DEPTH or _compile(part).match(name) is not None


@lru_cache(maxsize=256)
def _compile(part: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(part))


PHOTO_ENDINGS: Final = tuple(sorted(PHOTO_SUFFIXES))

_PHOTO: Final = "p"
_FOLDER: Final = "f"
_SPECIAL: Final = "s"


@dataclass
class FolderWalk:
    """The photos in a folder and its subfolders that match a pattern, each folder in name order.

    Names that start with a dot are skipped unless the pattern asks for them. Files without a photo's ending are counted
    in `other_files`. A folder that cannot be opened is an entry with a reason. Only the names in one folder and its
    parents are in memory at a time.
    """

    folder: str
    pattern: Pattern = EVERYTHING
    other_files: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[PhotoFile]:
        self.other_files = 0
        return self._walk(self.folder, self.pattern, frozenset())

    def count(self) -> int:
        """Count the photos in a separate walk, without opening any."""
        return sum(1 for _ in FolderWalk(self.folder, self.pattern))

    def _walk(self, folder: str, pattern: Pattern, above: frozenset[tuple[int, int]]) -> Iterator[PhotoFile]:
        try:
            identity = _identity(folder)
            if identity in above:  # following a link to a parent folder would never end
                return
            entries = sorted(self._list(folder, pattern))
        except OSError:
            yield PhotoFile(folder, Reason.UNREADABLE)
            return
        for name, kind in entries:
            path = os.path.join(folder, name)  # noqa: PTH118 - a Path costs more than the rest of the walk
            if kind != _FOLDER:
                yield PhotoFile(path, Reason.UNREADABLE if kind == _SPECIAL else None)
            elif (inner := pattern.enter(name)) is not None:
                yield from self._walk(path, inner, above | {identity})

    def _list(self, folder: str, pattern: Pattern) -> Iterator[tuple[str, str]]:
        with os.scandir(folder or os.curdir) as entries:
            for entry in entries:
                name = entry.name
                if _is_folder(entry):
                    if pattern.enter(name) is not None:
                        yield name, _FOLDER
                elif not pattern.accepts(name):
                    continue
                elif not name.lower().endswith(PHOTO_ENDINGS):
                    self.other_files += 1
                elif not entry.is_file(follow_symlinks=False) and _is_special(entry.path):
                    yield name, _SPECIAL  # opening a pipe or a device could block forever
                else:
                    yield name, _PHOTO


class PatternWalk:
    """The photos that match a pattern. A pattern without a match is a missing file, as in a shell."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._walk = FolderWalk(*split_pattern(text))

    def __iter__(self) -> Iterator[InputPhoto]:
        found = False
        for photo in self._walk if is_folder(self._walk.folder or os.curdir) else ():
            found = True
            yield photo
        if not found and not self.other_files:
            yield FaultyPhoto(self._text, PhotoError(Reason.NOT_FOUND, "no file matches this pattern"))

    @property
    def other_files(self) -> int:
        """How many matching files do not end like a photo."""
        return self._walk.other_files

    def count(self) -> int:
        """Count the photos in a separate walk, without opening any."""
        return self._walk.count()


@dataclass
class PhotoWalk:
    """The photos of files and folders. A file that is named is always labelled, whatever its ending.

    Raises `UsageError` if there is no input at all.
    """

    inputs: Sequence[Path]
    other_files: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if not self.inputs:
            raise UsageError("there is nothing to label", fix="Pass photos or folders of photos.")

    def __iter__(self) -> Iterator[PhotoFile]:
        self.other_files = 0
        for path in self.inputs:
            if not is_folder(path):
                yield PhotoFile(os.fspath(path))
                continue
            walk = FolderWalk(os.fspath(path))
            yield from walk
            self.other_files += walk.other_files

    def count(self) -> int:
        """Count the photos in a separate walk, without opening any."""
        return sum(1 for _ in PhotoWalk(self.inputs))


def is_folder(path: str | Path) -> bool:
    """Return whether a path is a folder. `Path.is_dir` raises if a parent folder is not accessible."""
    return os.path.isdir(path)  # noqa: PTH112 - see above


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder or links to one. `DirEntry.is_dir` alone raises for a link to itself."""
    return is_folder(entry.path) if entry.is_symlink() else entry.is_dir()


def _is_special(path: str) -> bool:
    """Return whether a path exists but is not a file, such as a pipe or a device."""
    return os.path.exists(path) and not os.path.isfile(path)  # noqa: PTH110, PTH113 - as in the walk


def _identity(folder: str) -> tuple[int, int]:
    status = os.stat(folder or os.curdir)  # noqa: PTH116 - as in the walk
    return (status.st_dev, status.st_ino)
