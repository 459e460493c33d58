"""People's labels for a shop's photos, in the form that heads learn from."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from hangtag.bundle.card import Card
from hangtag.bundle.statistics import EmbeddingStatistics
from hangtag.domain.errors import UsageError
from hangtag.domain.taxonomy import Taxonomy
from hangtag.inference.predictions import NO_LABEL
from hangtag.inference.probabilities import PredictionBuilder

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

FEWEST_OF_NEW: Final = 3
"""The smallest number of examples from which a new class is learned."""

FEWEST_LABELS: Final = 10
"""With fewer labels in a column, its head stays unchanged."""

_ALIKE: Final = 0.985
_COMPARED_AT_ONCE: Final = 2048
_PROJECTED: Final = 96
_FEW: Final = 3000
_LARGEST_GROUP: Final = 10
_LARGEST_SHARE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Examples:
    """Labelled photos of a shop: the model's outputs and people's labels.

    `outputs` holds the bundle's outputs for n photos by name, including the embedding. `labels` holds n labels by
    column, None where there is none; a column that the model does not have is a new attribute.
    """

    outputs: Mapping[str, Floats]
    labels: Mapping[str, Sequence[str | None]]

    def __post_init__(self) -> None:
        sizes = {len(values) for values in (*self.outputs.values(), *self.labels.values())}
        if len(sizes) != 1:
            raise UsageError("outputs and labels are not of the same photos", where="examples")

    def __len__(self) -> int:
        return len(next(iter(self.outputs.values())))


@dataclass(frozen=True, slots=True)
class Lesson:
    """What to learn: the classes of each column, the model's own first, and n class indices by column.

    `targets` is `NO_LABEL` where there is no label. `left_out` counts, by column and label, those with too few
    examples.
    """

    classes: Mapping[str, tuple[str, ...]]
    targets: Mapping[str, Ints]
    taxonomy: Taxonomy
    left_out: Mapping[str, Mapping[str, int]]


def plan_lesson(card: Card, examples: Examples) -> Lesson:
    """Return what a model can learn from examples, leaving out columns with too few labels.

    Raises `UsageError` if there is nothing to learn.
    """
    labels = _with_parents(card, examples)
    classes: dict[str, tuple[str, ...]] = {}
    targets: dict[str, Ints] = {}
    left_out: dict[str, dict[str, int]] = {}
    for column, said in labels.items():
        known = tuple(card.head(column).classes) if column in card.columns else ()
        counts = Counter(label for label in said if label)
        new = sorted(label for label in counts if label not in known and counts[label] >= FEWEST_OF_NEW)
        few = {label: counts[label] for label in sorted(counts) if label not in known and label not in new}
        if few:
            left_out[column] = few
        indices = {label: index for index, label in enumerate((*known, *new))}
        found = np.array([indices.get(label or "", NO_LABEL) for label in said], np.int64)
        if (found != NO_LABEL).sum() >= FEWEST_LABELS and len(indices) > 1:
            classes[column], targets[column] = (*known, *new), found
    if not classes:
        raise UsageError(
            f"no column has {FEWEST_LABELS} labels to learn from",
            fix="Label more photos, and name the columns of labels as the model does.",
        )
    return Lesson(classes, targets, _extend_taxonomy(card, classes, labels), left_out)


def group_alike(embedding: Floats) -> Ints:
    """Return a group for each photo, (n,). Near-identical photos share one, so that none is tested on its twin.

    If very many photos look alike, that is the shop's style, and each photo is a group by itself.
    """
    rows = embedding - embedding.mean(axis=0)
    if len(rows) > _FEW:
        dice = np.random.default_rng(0)
        rows = rows @ dice.normal(0, 1, (rows.shape[1], _PROJECTED)).astype(np.float32)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    groups = np.arange(len(rows))
    for start in range(0, len(rows), _COMPARED_AT_ONCE):
        alike = rows[start : start + _COMPARED_AT_ONCE] @ rows.T > _ALIKE
        first = alike.argmax(axis=1)
        for position, earlier in enumerate(first.tolist(), start):
            if alike[position - start, earlier]:
                groups[position] = groups[min(earlier, position)]
    sizes = np.bincount(groups, minlength=len(rows))
    too_large = sizes[groups] > max(_LARGEST_GROUP, _LARGEST_SHARE * len(rows))
    return np.where(too_large, np.arange(len(rows)), groups)


def extend_statistics(
    statistics: EmbeddingStatistics, embedding: Floats, lesson: Lesson, gained: set[str]
) -> EmbeddingStatistics:
    """Return the statistics with the learned classes added: their means, and their numbers of examples."""
    means, counts = dict(statistics.class_means), dict(statistics.counts)
    for column in gained:
        known = len(counts.get(column, ()))
        targets = lesson.targets[column]
        new = range(known, len(lesson.classes[column]))
        rows = [embedding[targets == index].mean(axis=0, keepdims=True) for index in new]
        size = embedding.shape[1]
        means[column] = np.concatenate([means.get(column, np.empty((0, size), np.float32)), *rows]).astype(
            np.float32
        )
        more = [int((targets == index).sum()) for index in new]
        counts[column] = np.concatenate([counts.get(column, np.empty(0, np.int64)), np.array(more, np.int64)])
    return replace(statistics, class_means=means, counts=counts)


def _with_parents(card: Card, examples: Examples) -> dict[str, list[str | None]]:
    """Return the labels, with the parent levels of each leaf filled in where they are missing.

    A leaf that the taxonomy does not have gets the parents that the model predicts for most of its examples.
    """
    labels = {column: list(said) for column, said in examples.labels.items()}
    levels = [level for level in card.taxonomy.levels if level in card.columns]
    if not levels or levels[-1] not in labels:
        return labels
    leaves = labels[levels[-1]]
    parents = _find_parents(card, levels, leaves, examples)
    for depth, level in enumerate(levels[:-1]):
        said = labels.setdefault(level, [None] * len(leaves))
        for position, leaf in enumerate(leaves):
            if leaf and not said[position] and leaf in parents:
                said[position] = parents[leaf][depth]
    return labels


def _find_parents(
    card: Card, levels: Sequence[str], leaves: Sequence[str | None], examples: Examples
) -> dict[str, tuple[str, ...]]:
    places = [card.taxonomy.levels.index(level) for level in levels]
    known: dict[str, set[tuple[str, ...]]] = {}
    for path in card.taxonomy.paths:
        known.setdefault(path[places[-1]], set()).add(tuple(path[place] for place in places[:-1]))
    parents = {leaf: next(iter(paths)) for leaf, paths in known.items() if len(paths) == 1}
    new = {leaf for leaf in leaves if leaf} - set(known)
    if new and all(column in examples.outputs for column in card.columns):
        found = PredictionBuilder(card).build(examples.outputs).label_indices
        guesses = list(zip(*(_names(card, level, found[level]) for level in levels[:-1]), strict=True))
        for leaf in new:
            at = [guess for guess, said in zip(guesses, leaves, strict=True) if said == leaf]
            parents[leaf] = Counter(at).most_common(1)[0][0]
    return parents


def _names(card: Card, column: str, indices: Ints) -> list[str]:
    classes = card.head(column).classes
    return [classes[index] for index in indices.tolist()]


def _extend_taxonomy(
    card: Card, classes: Mapping[str, tuple[str, ...]], labels: Mapping[str, Sequence[str | None]]
) -> Taxonomy:
    """Return the taxonomy extended by the paths in the examples.

    If the model has only some of the levels, a new path takes the others from the most similar known path.
    """
    levels = card.taxonomy.levels
    places = [place for place, level in enumerate(levels) if level in card.columns and level in labels]
    if not card.taxonomy.paths or not places or any(levels[place] not in labels for place in places):
        return card.taxonomy
    known = {
        levels[place]: set(classes.get(levels[place]) or card.head(levels[place]).classes) for place in places
    }
    existing = {tuple(path[place] for place in places) for path in card.taxonomy.paths}
    added = []
    for shown in sorted(
        {row for row in zip(*(labels[levels[place]] for place in places), strict=True) if all(row)}
    ):
        path = tuple(map(str, shown))
        is_learnt = all(label in known[levels[place]] for label, place in zip(path, places, strict=True))
        if path not in existing and is_learnt:
            added.append(_complete_path(card.taxonomy, places, path))
    return Taxonomy.from_paths(levels, [*card.taxonomy.paths, *added])


def _complete_path(taxonomy: Taxonomy, places: Sequence[int], labels: Sequence[str]) -> list[str]:
    likeness = [
        sum(path[place] == label for place, label in zip(places, labels, strict=True))
        for path in taxonomy.paths
    ]
    complete = list(taxonomy.paths[int(np.argmax(likeness))])
    for place, label in zip(places, labels, strict=True):
        complete[place] = label
    return complete
