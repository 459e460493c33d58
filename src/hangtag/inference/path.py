"""The category levels, answered together: the labels that are chosen always form a path of the taxonomy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hangtag.bundle.card import Card
from hangtag.inference.probabilities import calibrated_log_probabilities

_LEVELS_OF_A_PATH = 2


@dataclass(frozen=True, slots=True)
class PathDecoder:
    """The taxonomy's paths as class indices: for each level that the model answers, an array of shape (paths,).

    `weights` say by level how much its logits count in the score of a path. They are empty for a model whose levels
    were calibrated each for itself.
    """

    levels: Mapping[str, npt.NDArray[np.int64]]
    weights: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_card(cls, card: Card) -> "PathDecoder":
        """Build from the levels that the model has a head for; of a single one there is nothing to make consistent."""
        answered = [
            (position, level) for position, level in enumerate(card.taxonomy.levels) if level in card.columns
        ]
        if len(answered) < _LEVELS_OF_A_PATH or not card.taxonomy.paths:
            return cls({})
        paths = sorted({tuple(path[position] for position, _ in answered) for path in card.taxonomy.paths})
        indices = {level: _positions(card.head(level).classes) for _, level in answered}
        weights = {level: card.head(level).path_weight for _, level in answered}
        return cls(
            {
                level: np.array([indices[level][path[depth]] for path in paths], np.int64)
                for depth, (_, level) in enumerate(answered)
            },
            {level: weight for level, weight in weights.items() if weight is not None},
        )

    def choose(
        self, log_probabilities: Mapping[str, npt.NDArray[np.float32]]
    ) -> dict[str, npt.NDArray[np.int64]]:
        """Return the chosen class index by level, each of shape (n,): the path whose labels are together most likely.

        `log_probabilities` holds an array (n, classes) for each level. Empty when the model has no path to keep.
        """
        if not self.levels:
            return {}
        scores = sum(log_probabilities[level][:, classes] for level, classes in self.levels.items())
        best = np.argmax(scores, axis=1)
        return {level: classes[best] for level, classes in self.levels.items()}

    def weigh(
        self, logits: Mapping[str, npt.NDArray[np.float32]]
    ) -> tuple[dict[str, npt.NDArray[np.float32]], dict[str, npt.NDArray[np.int64]]]:
        """Return by level the probabilities, float32 (n, classes), and the chosen class index, shape (n,).

        The probability of a path is the softmax, over all paths, of the weighted sum of its labels' logits; that of a
        label is the sum over the paths that hold it. So a label with one parent is never surer than that parent.
        """
        # `take` gives rows that lie together for every n; those of `[:, classes]` do for a single photo alone, and are
        # then added up in another order.
        scores = sum(
            np.float32(self.weights[level]) * np.take(logits[level], classes, axis=1)
            for level, classes in self.levels.items()
        )
        log_shares = calibrated_log_probabilities(np.asarray(scores, np.float32), 1.0)
        best, shares = np.argmax(log_shares, axis=1), np.exp(log_shares)
        probabilities = {
            level: _sum_by_class(shares, classes, logits[level].shape[1])
            for level, classes in self.levels.items()
        }
        return probabilities, {level: classes[best] for level, classes in self.levels.items()}


def _sum_by_class(
    shares: npt.NDArray[np.float32], classes: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.float32]:
    """Add up the shares (n, paths) of the paths that hold each of `count` classes: (n, classes).

    A matrix product would give other bits for other n.
    """
    order = np.argsort(classes, kind="stable")
    present, starts = np.unique(classes[order], return_index=True)
    sums = np.zeros((len(shares), count), np.float32)
    sums[:, present] = np.minimum(np.add.reduceat(shares[:, order], starts, axis=1), 1)
    return sums


def _positions(classes: Sequence[str]) -> dict[str, int]:
    return {name: index for index, name in enumerate(classes)}
