"""The answers of a model to some photos, as arrays."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Scores:
    """The answers to n photos: calibrated probabilities, float32 (n, classes), and chosen class indices (n,) by column.

    The chosen class is the most probable one, except where the category levels would contradict each other. `gate`
    says how little each photo looks like a product, float32 (n,); None for a model without a gate.
    """

    probabilities: Mapping[str, npt.NDArray[np.float32]]
    chosen: Mapping[str, npt.NDArray[np.int64]]
    gate: npt.NDArray[np.float32] | None = None

    def confidence(self, column: str) -> npt.NDArray[np.float32]:
        """Return the probability of the chosen class, shape (n,)."""
        return np.take_along_axis(self.probabilities[column], self.chosen[column][:, None], axis=1)[:, 0]
