"""The category tree of a catalogue: which paths from the root to a leaf exist."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

CategoryPath = tuple[str, ...]
SEPARATOR = " › "


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """The category paths that exist. `levels` are the names of the levels, from the root to the leaf.

    A leaf may have two parents: real catalogues file wallets under both `Wallets` and `Bags`.

    Raises `ValueError` if a path does not have one label per level.
    """

    levels: tuple[str, ...]
    paths: tuple[CategoryPath, ...]

    def __post_init__(self) -> None:
        for path in self.paths:
            if len(path) != len(self.levels) or not all(path):
                raise ValueError(f"the path {path!r} does not have one label for each of {self.levels}")

    @classmethod
    def from_paths(cls, levels: Sequence[str], paths: Iterable[Sequence[str]]) -> "Taxonomy":
        """Build the taxonomy of all distinct paths, sorted; a path with an empty label is left out."""
        complete = {tuple(path) for path in paths if all(path)}
        return cls(tuple(levels), tuple(sorted(complete)))

    def labels(self, level: str) -> tuple[str, ...]:
        """Return the distinct labels of one level, sorted."""
        position = self.levels.index(level)
        return tuple(sorted({path[position] for path in self.paths}))


def format_path(path: Sequence[str]) -> str:
    """Format a path for people: `Apparel › Topwear › Tshirts`."""
    return SEPARATOR.join(path)
