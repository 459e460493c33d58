"""The prediction for one photo: a row of `hangtag.inference.predictions.Predictions`."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hangtag.domain.reasons import Reason


class Flag(StrEnum):
    """Why a label should be checked. The value is the stable code; `explanation` is for people."""

    NOT_A_PRODUCT = "not_a_product"
    BLANK = "blank"
    TOO_SMALL = "too_small"
    TOO_DARK = "too_dark"
    BLURRED = "blurred"

    @property
    def explanation(self) -> str:
        """One short sentence for people."""
        return _EXPLANATIONS[self]


_EXPLANATIONS = {
    Flag.NOT_A_PRODUCT: "the photo does not look like a fashion product",
    Flag.BLANK: "the photo shows nothing",
    Flag.TOO_SMALL: "the photo is too small for the detail that the model needs",
    Flag.TOO_DARK: "the photo is too dark",
    Flag.BLURRED: "the photo is blurred",
}


@dataclass(frozen=True, slots=True)
class Label:
    """One value of one column, and the calibrated probability (0 to 1) that it is right."""

    value: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """The labels of one photo: for each column its candidates, the chosen one first.

    `path` is the chosen category path, from the root to the leaf. It always exists in the model's taxonomy, so the
    first candidate of a category column is not always the one with the highest confidence. `answer` is the part of
    `path` that the model is confident of, which may be empty, and `answer_level` the column of its last label.
    `flags` say what is wrong with the photo.
    """

    photo: str
    candidates: Mapping[str, tuple[Label, ...]]
    path: tuple[str, ...] = ()
    answer: tuple[str, ...] = ()
    answer_level: str | None = None
    flags: tuple[Flag, ...] = ()

    def __getitem__(self, column: str) -> Label:
        """Return the chosen label of a column; `KeyError` if the model has no such head."""
        return self.candidates[column][0]


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason why one photo has no labels."""

    photo: str
    reason: Reason
    detail: str


Outcome = Prediction | Failure
"""The outcome for a photo: its labels, or the reason why it has none."""
