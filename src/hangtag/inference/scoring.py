"""From the outputs of a graph to a model's answers."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from hangtag.bundle.card import Card
from hangtag.inference.path import PathDecoder
from hangtag.inference.probabilities import calibrated_log_probabilities
from hangtag.inference.scores import Scores


class Scorer:
    """Scores photos as a card says: calibrated, and with one consistent category path."""

    def __init__(self, card: Card) -> None:
        self._card = card
        self._paths = PathDecoder.from_card(card)

    def score(self, outputs: Mapping[str, npt.NDArray[np.float32]]) -> Scores:
        """Return the answers to n photos from the logits by column, float32 (n, classes), and the gate's, (n, 1)."""
        log_probabilities = {
            head.column: calibrated_log_probabilities(outputs[head.column], head.temperature)
            for head in self._card.heads
            if head.column not in self._paths.weights
        }
        probabilities = {column: np.exp(values) for column, values in log_probabilities.items()}
        chosen = {column: np.argmax(values, axis=1) for column, values in log_probabilities.items()}
        if self._paths.weights:
            of_levels, path = self._paths.weigh(outputs)
            probabilities |= of_levels
            chosen |= path
        else:
            chosen |= self._paths.choose(log_probabilities)
        columns, gate = self._card.columns, self._card.gate
        return Scores(
            {column: probabilities[column] for column in columns},
            {column: chosen[column] for column in columns},
            None if gate is None else outputs[gate.output][:, 0],
        )
