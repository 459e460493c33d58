"""What a model loses on its original photos when it learns a shop, estimated from their statistics."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from hangtag.adapting.fitting import BaseMetric
from hangtag.bundle.heads import GraphHeads, HeadShift
from hangtag.bundle.statistics import EmbeddingStatistics

ALLOWED_POINTS: Final = 0.3
"""How many points a head other than the leaf of the category may lose before the penalty is increased."""

WARNING_POINTS: Final = 0.6
"""The mean loss of the heads on drawn embeddings from which the user is warned.

Real photos should not lose more than 0.3 without a warning. In two shops, they lost less than drawn embeddings on
average, but single heads lost more (`docs/decisions/0020-adapting.md`).
"""

_DRAWN: Final = 2000
_SMALLEST_SPREAD: Final = 1e-3

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Home:
    """Embeddings (m, d) distributed like a column's base photos, their true classes, and the head's logits."""

    rows: Floats
    labels: npt.NDArray[np.int64]
    logits: Floats


class HomeCheck:
    """Measures what shifts cost on the base's photos, without any of these photos.

    Embeddings are drawn from the normal distributions that the statistics describe, one around each class's mean, and
    the head is applied before and after the shift. This does not work for a head that has other inputs than the
    embedding.
    """

    def __init__(self, statistics: EmbeddingStatistics, heads: GraphHeads, metric: BaseMetric) -> None:
        self._metric = metric
        self._statistics = statistics
        self._heads = heads
        self._drawn: dict[str, _Home | None] = {}

    @cached_property
    def _noise(self) -> "_Noise":
        return _Noise(self._metric.variances, self._metric.axes)

    def lost_points(self, column: str, shift: HeadShift) -> float | None:
        """Return by how many points a head's accuracy on the base's photos falls; None if unknown."""
        if column not in self._drawn:
            self._drawn[column] = self._draw(column)
        home = self._drawn[column]
        if home is None:
            return None
        after = home.rows @ shift.weights.T + shift.bias
        after[:, : shift.known] += home.logits
        before = home.logits.argmax(axis=1) == home.labels
        return 100 * float(before.mean() - (after.argmax(axis=1) == home.labels).mean())

    def _draw(self, column: str) -> _Home | None:
        linear = self._heads.linear_head(column)
        if linear is None or column not in self._statistics.class_means:
            return None
        means, counts = self._statistics.class_means[column], self._statistics.counts[column]
        if not counts.sum() or len(means) != len(linear.bias):
            return None
        shares = counts / counts.sum()
        around = means - shares @ means
        dice = np.random.default_rng(0)
        labels = dice.choice(len(means), _DRAWN, p=shares)
        rows = means[labels] + self._noise.within(around * np.sqrt(shares)[:, None])
        logits = rows @ linear.weights.T + linear.bias
        return _Home(rows, labels, logits.astype(np.float32, copy=False))


class _Noise:
    """Samples that vary like embeddings around their classes' means. Columns share the expensive parts.

    With the covariance C and its between-class part B'B, C - B'B = S (I - U l U') S, where S is the square root of C,
    and U and l are the axes of S^-1 B'B S^-1. So samples for a column are those for all embeddings with their parts
    along a few axes reduced. An l above 1, due to rounding, counts as 1.
    """

    def __init__(self, variances: Floats, axes: Floats) -> None:
        least = _SMALLEST_SPREAD * max(float(variances.mean()), 1e-12)
        self._spread = np.sqrt(variances + least).astype(np.float32)
        self._axes = axes
        self._drawn = np.random.default_rng(1).standard_normal((_DRAWN, len(variances)), np.float32)
        self._noise: Floats = (self._drawn * self._spread) @ self._axes.T

    def within(self, between: npt.NDArray[np.floating]) -> Floats:
        """Return samples (m, d); `between` (classes, d) is B."""
        whitened = (between @ self._axes / self._spread).astype(np.float32)
        values, turned = np.linalg.eigh(whitened @ whitened.T)
        kept = values > 1e-6 * max(float(values[-1]), 1e-12)
        along = whitened.T @ turned[:, kept] / np.sqrt(values[kept])
        smaller = 1 - np.sqrt(np.maximum(1 - values[kept], 0))
        less: Floats = (self._drawn @ along * smaller) @ ((along.T * self._spread) @ self._axes.T)
        return self._noise - less
