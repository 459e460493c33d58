"""What labelling and evaluation need of a model: the port that `Model` fills, and a fake in tests."""

from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from hangtag.bundle.card import Card
from hangtag.inference.scores import Scores


class AnsweringModel(Protocol):
    """Answers preprocessed photos, batch by batch."""

    @property
    def card(self) -> Card:
        """Everything that is true about the model."""
        ...

    def iter_label(self, batches: Iterable[npt.NDArray[np.uint8]]) -> Iterator[Scores]:
        """Yield the answers to each batch, uint8 of shape (n, height, width, 3), n from 0 up, in order."""
        ...
