"""The labels that exist, to check labels written by people and to fill in upper category levels."""

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Final, NamedTuple

import pyarrow as pa

from hangtag.bundle.card import Card
from hangtag.domain.columns import CATEGORY_COLUMNS, LABEL_COLUMNS
from hangtag.domain.taxonomy import CategoryPath, Taxonomy, format_path
from hangtag.domain.text import did_you_mean

ALIKE: Final = 0.75
"""From this similarity on (difflib's ratio, 0 to 1), a category counts as having the same name as its parent."""

SLIP_SHARE: Final = 0.05
"""A path with less than this share of the usual path's products counts as a mistake in the catalogue."""


class CheckedLabels(NamedTuple):
    """Labels in the taxonomy's spelling with the upper levels filled in, and problems with rejected ones.

    `others` are other possible paths for the category.
    """

    labels: dict[str, str]
    problems: list[str]
    others: list[CategoryPath]


@dataclass(frozen=True)
class KnownLabels:
    """The labels of each column, the category paths and, if known, the number of products of each path."""

    classes: Mapping[str, Sequence[str]]
    taxonomy: Taxonomy
    counts: Mapping[CategoryPath, int] = field(default_factory=dict)

    @classmethod
    def from_card(cls, card: Card) -> "KnownLabels":
        """Return the labels that a model knows."""
        levels = {level: card.taxonomy.labels(level) for level in card.taxonomy.levels}
        return cls(levels | {head.column: tuple(head.classes) for head in card.heads}, card.taxonomy)

    @classmethod
    def from_table(cls, cleaned: pa.Table) -> "KnownLabels":
        """Return the labels of a catalogue's cleaned table."""
        columns = {name: cleaned[name].to_pylist() for name in LABEL_COLUMNS if name in cleaned.column_names}
        classes = {name: sorted({value for value in values if value}) for name, values in columns.items()}
        levels = [name for name in CATEGORY_COLUMNS if name in columns]
        counts = Counter(path for path in zip(*(columns[name] for name in levels), strict=True) if all(path))
        return cls(classes, Taxonomy.from_paths(levels, counts), counts)

    @property
    def levels(self) -> tuple[str, ...]:
        """The category columns, the root first."""
        return self.taxonomy.levels or tuple(name for name in CATEGORY_COLUMNS if name in self.classes)

    def find(self, column: str, label: str) -> str | None:
        """Return a label in the taxonomy's spelling, ignoring case; None if the column does not have it."""
        return {known.casefold(): known for known in self.classes.get(column, ())}.get(label.casefold())

    def check(self, given: Mapping[str, str]) -> CheckedLabels:
        """Check labels by column. Columns without known labels are passed on unchanged."""
        labels: dict[str, str] = {}
        problems: list[str] = []
        for column, label in given.items():
            found = self.find(column, label) if column in self.classes else label
            if found is None:
                problems.append(
                    f"there is no {column} {label}. {did_you_mean(label, self.classes[column])}".strip()
                )
            else:
                labels[column] = found
        category = {level: labels.pop(level) for level in self.levels if level in labels}
        paths = self._paths_of(category)
        if not paths and len(category) > 1:
            return CheckedLabels(labels, [*problems, self._describe_contradiction(category)], [])
        best = dict(zip(self.levels, paths[0], strict=False)) if paths else category
        return CheckedLabels(best | labels, problems, self._plausible(paths)[1:])

    def read_folders(self, names: Sequence[str]) -> CheckedLabels:
        """Check the names of folders around a photo, the outermost first. Each may be a label of any column.

        A name that is a label of several levels is taken for the root, or else for the deepest level that fits the
        others.
        """
        options = [[column for column in self._by_likeliness() if self.find(column, name)] for name in names]
        unknown = [name for name, columns in zip(names, options, strict=True) if not columns]
        if unknown:
            every = [label for labels in self.classes.values() for label in labels]
            problems = [f"there is no label {name}. {did_you_mean(name, every)}".strip() for name in unknown]
            return CheckedLabels({}, problems, [])
        for columns in product(*options):
            depths = [self.levels.index(column) for column in columns if column in self.levels]
            is_path = len(set(columns)) == len(columns) and depths == sorted(depths)
            if is_path and not (checked := self.check(dict(zip(columns, names, strict=True)))).problems:
                return checked
        return CheckedLabels({}, [f"{'/'.join(names)} is not a path of the taxonomy"], [])

    def _by_likeliness(self) -> list[str]:
        """Return the columns in the order in which a folder's name is looked up."""
        return list(dict.fromkeys((*self.levels[:1], *reversed(self.levels), *self.classes)))

    def _paths_of(self, category: Mapping[str, str]) -> list[CategoryPath]:
        """Return the paths down to the lowest given level that have these labels, the usual one first."""
        if not category:
            return []
        depth = max(self.levels.index(level) for level in category) + 1
        if not self.taxonomy.levels:
            return (
                [tuple(category.get(level, "") for level in self.levels[:depth])]
                if depth == len(category)
                else []
            )
        wanted = {self.levels.index(level): label for level, label in category.items()}
        matching = [
            path
            for path in self.taxonomy.paths
            if all(path[place] == label for place, label in wanted.items())
        ]
        return sorted({path[:depth] for path in matching}, key=self._usualness, reverse=True)

    def _usualness(self, path: CategoryPath) -> tuple[int, bool, int, CategoryPath]:
        """Rank the paths to one label: by products, or else by a parent with the same name, or by the largest family.

        Real catalogues have single products under a wrong parent, such as a T-shirt among the belts.
        """
        products = sum(count for longer, count in self.counts.items() if longer[: len(path)] == path)
        above = path[-2] if len(path) > 1 else ""
        alike = difflib.SequenceMatcher(None, above.lower(), path[-1].lower()).ratio() > ALIKE
        family = sum(sibling[: len(path) - 1] == path[:-1] for sibling in self.taxonomy.paths)
        return products, alike, family, path

    def _plausible(self, paths: Sequence[CategoryPath]) -> list[CategoryPath]:
        """Return the paths that are not mistakes in the catalogue, judging by its counts."""
        products = [self._usualness(path)[0] for path in paths]
        return [
            path for path, count in zip(paths, products, strict=True) if count >= SLIP_SHARE * max(products)
        ]

    def _describe_contradiction(self, category: Mapping[str, str]) -> str:
        lowest, label = list(category.items())[-1]
        real = " or ".join(format_path(path) for path in self._paths_of({lowest: label}))
        above = format_path([label for level, label in category.items() if level != lowest])
        return f"the {lowest} {label} is not under {above}. It is {real}"
