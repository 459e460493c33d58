"""Patterns of paths, `photos/**/*.jpg`, followed folder by folder while these are walked."""

import fnmatch
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

_ANY_DEPTH: Final = "**"
_WILD: Final = re.compile(r"[*?\[]")


class Pattern(Protocol):
    """What of a folder is asked for."""

    def enter(self, folder: str) -> "Pattern | None":
        """Return what is asked for in a sub-folder, None when it need not be looked into."""
        ...

    def accepts(self, file: str) -> bool:
        """Say whether the file with this name is asked for."""
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
    """A pattern's parts, and how far they may have been matched on the way to this folder.

    `*`, `?` and `[abc]` stand for something within one name, and for no dot at its start; the part `**` for any number
    of folders. `reached` are the positions of the parts that may come next: several, since `**` may end or go on.
    """

    parts: tuple[str, ...]
    reached: frozenset[int]

    @classmethod
    def from_text(cls, text: str) -> "PathPattern":
        """Read the parts of a pattern that come after its folder. With a slash at its end it asks for all below."""
        text = text.replace(os.sep, "/")
        parts = [part for part in text.split("/") if part not in ("", ".")]
        if text.endswith("/"):
            parts.append(_ANY_DEPTH)
        if not parts or parts[-1] == _ANY_DEPTH:
            parts.append("*")
        return cls(tuple(parts), _with_open_ends(parts, {0}))

    def enter(self, folder: str) -> "PathPattern | None":
        """Return what is asked for in a sub-folder, None when it need not be looked into."""
        last = len(self.parts) - 1
        onwards = {
            position if self.parts[position] == _ANY_DEPTH else position + 1
            for position in self.reached
            if (self.parts[position] == _ANY_DEPTH or position < last) and _fits(self.parts[position], folder)
        }
        return PathPattern(self.parts, _with_open_ends(self.parts, onwards)) if onwards else None

    def accepts(self, file: str) -> bool:
        """Say whether the file with this name is asked for."""
        return len(self.parts) - 1 in self.reached and _fits(self.parts[-1], file)


def is_pattern(text: str) -> bool:
    """Say whether a name has signs that stand for others."""
    return _WILD.search(text) is not None


def split_pattern(text: str) -> tuple[str, PathPattern]:
    """Return the folder that a pattern starts from (empty for the current one), and what it asks for in there."""
    folder, rest = "", text
    while not is_pattern(head := rest.partition("/")[0]) and "/" in rest:
        folder = f"{folder}{head}/"
        rest = rest.partition("/")[2]
    return (folder if folder.strip("/") == "" else folder.rstrip("/")), PathPattern.from_text(rest)


def _with_open_ends(parts: tuple[str, ...] | list[str], positions: set[int]) -> frozenset[int]:
    """Add the positions behind every `**` that may stand for no folder at all."""
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
