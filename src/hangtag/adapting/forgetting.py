"""What a model loses at home when it learns a shop, told by the statistics of the photos that it learned from."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hangtag.bundle.heads import GraphHeads, HeadShift
from hangtag.bundle.statistics import EmbeddingStatistics

ALLOWED_POINTS: Final = 0.3
"""How many points a head may lose at home before it is held harder."""

TOLD_POINTS: Final = 0.1
"""From which loss on, of the mean of the heads, the user is told.

Real photos lose three to four times as much as drawn embeddings: 0.3 points (`docs/decisions/0020-adapting.md`).
"""

_DRAWN: Final = 2000
_SMALLEST_SPREAD: Final = 1e-3

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Home:
    """Embeddings (m, d) as base photos of a column have them, their true classes, and what the head answers."""

    rows: Floats
    labels: npt.NDArray[np.int64]
    logits: Floats


class HomeCheck:
    """Measures what shifts cost at home. No base photo is needed.

    Embeddings are drawn from the normal distributions that the statistics describe, one around each class's mean, and a
    head answers them as it was and as it is. A head that sees more than the embedding cannot answer them.
    """

    def __init__(self, statistics: EmbeddingStatistics, heads: GraphHeads) -> None:
        self._statistics = statistics
        self._heads = heads
        self._drawn: dict[str, _Home | None] = {}
        self._noise = np.random.default_rng(0).standard_normal(
            (_DRAWN, len(statistics.covariance)), np.float32
        )

    def lost_points(self, column: str, shift: HeadShift) -> float | None:
        """Return by how many points a head is right less often at home; None if that cannot be told."""
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
        within = self._statistics.covariance - (around * shares[:, None]).T @ around
        spread = max(float(np.trace(within)) / len(within), 1e-12)
        root = _root(within, spread)
        labels = np.random.default_rng(0).choice(len(means), _DRAWN, p=shares)
        rows = means[labels] + self._noise @ root.T
        return _Home(rows, labels, rows @ linear.weights.T + linear.bias)


def _root(covariance: npt.NDArray[np.floating], spread: float) -> Floats:
    """Return a matrix whose product with its transpose is the covariance, a little of `spread` added until there is."""
    added = _SMALLEST_SPREAD * spread
    while True:
        try:
            root: Floats = np.linalg.cholesky(covariance + added * np.eye(len(covariance))).astype(np.float32)
        except np.linalg.LinAlgError:
            added *= 10
        else:
            return root
