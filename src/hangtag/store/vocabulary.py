"""The classes of a model, and the labels that a person may set."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hangtag.bundle.card import Card
from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.domain.errors import InvalidField, InvalidFieldsError
from hangtag.domain.taxonomy import Taxonomy, format_path

Labels = Mapping[str, str]
"""One label by column."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The classes of each column of a model, and the category paths that exist."""

    classes: Mapping[str, tuple[str, ...]]
    taxonomy: Taxonomy

    @classmethod
    def from_card(cls, card: Card) -> "Vocabulary":
        """Return the vocabulary of a card."""
        return cls({head.column: tuple(head.classes) for head in card.heads}, card.taxonomy)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Vocabulary":
        """Build from the result of `to_json`."""
        taxonomy = Taxonomy(tuple(value["levels"]), tuple(tuple(path) for path in value["paths"]))
        return cls({column: tuple(classes) for column, classes in value["classes"].items()}, taxonomy)

    def to_json(self) -> dict[str, Any]:
        """Return the vocabulary as JSON."""
        classes = {column: list(names) for column, names in self.classes.items()}
        paths = [list(path) for path in self.taxonomy.paths]
        return {"classes": classes, "levels": list(self.taxonomy.levels), "paths": paths}

    def extended(self, own: Iterable[Sequence[Any]]) -> "Vocabulary":
        """Return the vocabulary extended by a shop's own classes.

        Each is given as its attribute, its name, and the labels above it in a category path.
        """
        classes = {column: list(names) for column, names in self.classes.items()}
        levels = self.taxonomy.levels
        paths = dict.fromkeys(self.taxonomy.paths)
        for attribute, name, parents in own:
            is_answered = attribute not in levels or attribute in self.classes
            names = classes.setdefault(attribute, []) if is_answered else []
            if name not in names:
                names.append(name)
            path = (*parents, name)
            if levels and attribute == levels[-1] and len(path) == len(levels):
                paths[path] = None
        extended = {column: tuple(names) for column, names in classes.items()}
        return Vocabulary(extended, Taxonomy(levels, tuple(paths)))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the model."""
        return tuple(self.classes)

    @property
    def leaf(self) -> str:
        """The column whose confidence stands for the photo's: the deepest category level, or else the first column."""
        answered = [column for column in CATEGORY_COLUMNS if column in self.classes]
        return answered[-1] if answered else self.columns[0]

    def complete(self, said: Labels, current: Labels) -> dict[str, str]:
        """Return the labels that a person set, with the rest of their category path.

        `current` are the present labels, which decide between several possible paths. Raises `InvalidFieldsError` for
        an unknown column or label, and for category labels that form no path or fit several equally well.
        """
        unknown = [
            InvalidField(column, self._why_unknown(column, label))
            for column, label in said.items()
            if label not in self.classes.get(column, ())
        ]
        if unknown:
            raise InvalidFieldsError(*unknown)
        said_levels = {level: said[level] for level in self._levels if level in said}
        return {**said, **self._choose_path(said_levels, current)} if said_levels else dict(said)

    @property
    def _levels(self) -> tuple[str, ...]:
        return tuple(level for level in self.taxonomy.levels if level in self.classes)

    def _choose_path(self, said: Labels, current: Labels) -> dict[str, str]:
        """Return the path with the given labels that keeps most of the current ones, from the root down."""
        found = {
            tuple(label for level, label in named.items() if level in self.classes): named
            for named in (dict(zip(self.taxonomy.levels, path, strict=True)) for path in self.taxonomy.paths)
            if all(named[level] == label for level, label in said.items())
        }
        if not found:
            if not self.taxonomy.paths:
                return dict(said)
            raise _invalid(said, f"{format_path(list(said.values()))} is not part of a category path")

        def kept(path: tuple[str, ...]) -> tuple[bool, ...]:
            return tuple(current.get(level) == label for level, label in zip(self._levels, path, strict=True))

        best = max(map(kept, found))
        paths = [path for path in found if kept(path) == best]
        if len(paths) > 1:
            choices = ", ".join(format_path(path) for path in paths[:5])
            raise _invalid(said, f"several category paths match; set the other levels, too: {choices}")
        return dict(zip(self._levels, paths[0], strict=True))

    def _why_unknown(self, column: str, label: str) -> str:
        if column not in self.classes:
            return f"the model has no such column; it has {', '.join(self.classes)}"
        return f"{label!r} is not a class of {column}"


def _invalid(said: Labels, message: str) -> InvalidFieldsError:
    return InvalidFieldsError(InvalidField(next(iter(said)), message))
