"""What hangtag says about one photo."""

from collections.abc import Mapping
from dataclasses import dataclass

from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.domain.flags import Flag
from hangtag.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class Label:
    """One value of one column, and the calibrated probability (0 to 1) that it is right."""

    value: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """The label of one photo: for each column its candidates, the chosen one first.

    The chosen category labels always form a path of the model's taxonomy, so the first candidate of a category column
    is not always the one with the highest confidence. `sure_levels` says how many levels of that path, from the root
    on, the model is sure of; None where it does not know. `flags` say what is wrong with the photo.
    """

    photo: str
    candidates: Mapping[str, tuple[Label, ...]]
    sure_levels: int | None = None
    flags: tuple[Flag, ...] = ()

    def __getitem__(self, column: str) -> Label:
        """Return the chosen label of a column; `KeyError` if the model has no such head."""
        return self.candidates[column][0]

    @property
    def path(self) -> tuple[str, ...]:
        """The chosen category path, from the root to the leaf, of the levels that the model answers."""
        return tuple(self[column].value for column in self._levels)

    @property
    def answer(self) -> tuple[str, ...]:
        """The path down to the deepest level that is sure, which may be none; all of it where no level is doubted."""
        return self.path[: self.sure_levels]

    @property
    def answer_level(self) -> str | None:
        """The column of the answer's last label, None for an empty answer."""
        answered = self._levels[: self.sure_levels]
        return answered[-1] if answered else None

    @property
    def _levels(self) -> tuple[str, ...]:
        return tuple(column for column in CATEGORY_COLUMNS if column in self.candidates)


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason why one photo has no label."""

    photo: str
    reason: Reason
    detail: str


Outcome = Prediction | Failure
"""Every photo gets an answer or a reason."""
