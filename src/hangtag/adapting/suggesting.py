"""Choosing which photos to check next, so that a model learns most from each check.

First every kind of photo is covered: the typical photo of each cluster of embeddings (Hacohen, Dekel, Weinshall: Active
Learning on a Budget, ICML 2022). Then come photos that the model is uncertain of, diverse ones at a time (Ash et al.:
Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds, ICLR 2020). Of near-identical photos, only one
is suggested. Measured in `docs/decisions/`.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from hangtag.adapting.examples import group_alike

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

Why = Literal["kind", "doubt"]

COVERED: Final = 6
"""How many checks, relative to the number of labels, are spent on covering kinds of photos."""

_DIMENSIONS: Final = 48
_NEIGHBOURS: Final = 10
_ROUNDS: Final = 8
_CANDIDATES: Final = 4
_DRAWN: Final = 5
_COMPARED_AT_ONCE: Final = 1024


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A photo to check, by position, and the positions of those that look the same and can be settled with it."""

    photo: int
    alike: tuple[int, ...]


class Suggester:
    """Chooses among n photos. What depends only on the photos is computed once."""

    def __init__(self, embedding: Floats) -> None:
        self.groups = group_alike(embedding)
        self._points = _reduce(embedding)
        self._typical = _typicality(self._points)

    def suggest(self, probabilities: Floats, checked: Ints, count: int) -> list[Suggestion]:
        """Return what to check next, the most useful first: up to `count` photos.

        `probabilities` (n, classes) are the model's current ones, `checked` the positions of checked photos.
        """
        return self.suggest_with_reason(probabilities, checked, count)[0]

    def suggest_with_reason(
        self, probabilities: Floats, checked: Ints, count: int
    ) -> tuple[list[Suggestion], Why]:
        """Return the result of `suggest`, and why: kinds of photos are not covered yet, or the model is in doubt."""
        settled = np.isin(self.groups, self.groups[checked])
        first_of_group = np.unique(self.groups, return_index=True)[1]
        open_ = first_of_group[~settled[first_of_group]]
        if not len(open_):
            return [], "doubt"
        top = np.sort(probabilities[open_], axis=1)[:, ::-1]
        doubt = 1 - (top[:, 0] - top[:, 1]) if top.shape[1] > 1 else 1 - top[:, 0]
        kinds = len(np.unique(probabilities.argmax(axis=1)))
        is_covering = len(checked) < COVERED * kinds
        chosen = (
            self._cover(open_, doubt, checked, count) if is_covering else self._differ(open_, doubt, count)
        )
        found = [Suggestion(int(photo), self._find_alike(int(photo))) for photo in chosen]
        return found, "kind" if is_covering else "doubt"

    def _cover(self, open_: Ints, doubt: Floats, checked: Ints, count: int) -> Ints:
        """Return the typical photos of clusters without a check, those of large clusters first."""
        clusters = min(len(checked) + count, len(open_) + len(checked))
        rows = np.concatenate([checked, open_])
        belongs = _cluster(self._points[rows], clusters)
        covered = np.unique(belongs[: len(checked)])
        of_open = belongs[len(checked) :]
        score = self._typical[open_] * (1 + doubt)
        sizes = np.bincount(of_open, minlength=clusters)
        wanted = [
            cluster
            for cluster in np.argsort(-sizes, kind="stable")
            if sizes[cluster] and cluster not in covered
        ]
        chosen = [
            int(members[score[members].argmax()])
            for members in (np.flatnonzero(of_open == cluster) for cluster in wanted)
        ]
        rest = np.setdiff1d(np.argsort(-score, kind="stable"), chosen, assume_unique=True)
        return open_[np.array([*chosen, *rest][:count], np.int64)]

    def _differ(self, open_: Ints, doubt: Floats, count: int) -> Ints:
        """Return doubtful and typical photos that differ from each other."""
        score = doubt * np.sqrt(self._typical[open_])
        candidates = np.argsort(-score, kind="stable")[: _CANDIDATES * count]
        belongs = _cluster(self._points[open_[candidates]], min(count, len(candidates)))
        first = np.unique(belongs, return_index=True)[
            1
        ]  # candidates are sorted, so the first of a cluster is its best
        chosen = [*np.sort(first), *np.setdiff1d(np.arange(len(candidates)), first)][:count]
        return open_[candidates[np.array(chosen, np.int64)]]

    def _find_alike(self, photo: int) -> tuple[int, ...]:
        alike = np.flatnonzero(self.groups == self.groups[photo])
        return tuple(int(other) for other in alike if other != photo)


def _reduce(embedding: Floats) -> Floats:
    """Return points (n, k) on a sphere: the photos' principal components."""
    rows = embedding - embedding.mean(axis=0)
    axes = np.linalg.eigh(rows.T @ rows).eigenvectors
    points: Floats = (rows @ axes[:, -_DIMENSIONS:]).astype(np.float32)
    points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
    return points


def _typicality(points: Floats) -> Floats:
    """Return how close each photo's nearest neighbours are, (n,): 1 is the most typical."""
    found: Floats = np.empty(len(points), np.float32)
    neighbours = min(_NEIGHBOURS, len(points) - 1)
    if neighbours < 1:
        return np.ones(len(points), np.float32)
    for start in range(0, len(points), _COMPARED_AT_ONCE):
        near = points[start : start + _COMPARED_AT_ONCE] @ points.T
        closest = np.partition(near, len(points) - neighbours - 1, axis=1)[:, -neighbours - 1 :]
        distance = np.sqrt(np.maximum(2 - 2 * (closest.sum(axis=1) - 1) / neighbours, 1e-6))
        found[start : start + _COMPARED_AT_ONCE] = 1 / distance
    found /= found.max()
    return found


def _cluster(points: Floats, count: int) -> Ints:
    """Return the cluster of each point, (n,): k-means with k-means++ seeding (Arthur, Vassilvitskii 2007)."""
    dice = np.random.default_rng(0)
    centres = points[[dice.integers(len(points))]]
    distance = np.maximum(1 - points @ centres[0], 0)
    while len(centres) < count:
        total = np.cumsum(distance, dtype=np.float64)
        drawn = np.searchsorted(total, dice.random(_DRAWN) * total[-1]).clip(max=len(points) - 1)
        left = np.minimum(distance, np.maximum(1 - points[drawn] @ points.T, 0))
        best = int(left.sum(axis=1).argmin())
        centres, distance = np.concatenate([centres, points[drawn[[best]]]]), left[best]
    belongs: Ints = np.zeros(len(points), np.int64)
    for _ in range(_ROUNDS):
        belongs = (points @ centres.T).argmax(axis=1)
        sums = np.zeros_like(centres)
        np.add.at(sums, belongs, points)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(lengths > 0, sums / np.maximum(lengths, 1e-12), centres)
    return belongs
