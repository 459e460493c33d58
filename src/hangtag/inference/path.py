"""The category levels, answered together: the labels that are chosen always form a path of the taxonomy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hangtag.bundle.card import Card

_LEVELS_OF_A_PATH = 2


@dataclass(frozen=True, slots=True)
class PathDecoder:
    """The taxonomy's paths as class indices: for each level that the model answers, an array of shape (paths,)."""

    levels: Mapping[str, npt.NDArray[np.int64]]

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
        return cls(
            {
                level: np.array([indices[level][path[depth]] for path in paths], np.int64)
                for depth, (_, level) in enumerate(answered)
            }
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


def _positions(classes: Sequence[str]) -> dict[str, int]:
    return {name: index for index, name in enumerate(classes)}
