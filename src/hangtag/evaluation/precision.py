"""The accuracy cost of a faster precision: the same photos, labelled in two precisions."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from hangtag.bundle.card import REFERENCE_PRECISION
from hangtag.bundle.signatures import OWN
from hangtag.datasets.opening import Catalogue
from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.domain.errors import BundleError
from hangtag.domain.significance import SIGNIFICANT, sign_test
from hangtag.evaluation.answers import answer_photos, read_truth
from hangtag.evaluation.metrics import share
from hangtag.evaluation.photo_set import split_photos
from hangtag.inference.model import load_model
from hangtag.inference.predicting import Predictor

MAX_LOST_POINTS: Final = 0.1
"""What a head may lose, in percentage points of accuracy, for a precision to count as free."""

MAX_LOST_BY_CHANCE: Final = 0.3
"""What it may lose if that is not significant: with a few thousand photos, three labels that turn wrong and one that
turns right are 0.1 points and mean nothing."""

MIN_ROOT_AGREEMENT: Final = 0.999
"""The share of photos whose first category must stay the same."""


MAX_LOST_BY_QUANTISING: Final = {CATEGORY_COLUMNS[0]: 0.1, CATEGORY_COLUMNS[-1]: 0.3}
"""What these columns may lose, in percentage points, for `auto` to be allowed to choose an int8 form."""

MAX_LOST_ELSEWHERE: Final = 0.5
"""What any other column may lose then: on 2,000 photos, chance alone moves an uncertain one by that much."""


@dataclass(frozen=True, slots=True)
class PrecisionCost:
    """One head in two precisions: the accuracy of each, and how often both agree (shares of 0 to 1).

    The accuracies are over the `support` photos that have a label, the agreement is over all. `lost` of these photos
    were right only in the reference, `won` only in the other.
    """

    reference_accuracy: float
    accuracy: float
    agreement: float
    support: int
    lost: int = 0
    won: int = 0

    @property
    def chance(self) -> float:
        """The probability that as many changed labels turn wrong, or more, if both are equally good (0 to 1)."""
        return sign_test(self.lost, self.won)

    @property
    def lost_points(self) -> float:
        """The accuracy that is lost, in percentage points; negative if some is won."""
        return 100 * (self.reference_accuracy - self.accuracy)

    def to_json(self) -> dict[str, float]:
        """Return what a card stores of it."""
        return {
            "lost_points": round(self.lost_points, 3),
            "agreement": round(self.agreement, 5),
            "support": self.support,
        }


def is_free(costs: Mapping[str, PrecisionCost]) -> bool:
    """Return whether the loss is acceptable: no head loses too much, and the first category hardly ever changes.

    Without measurements, no precision is free.
    """
    root = costs.get(CATEGORY_COLUMNS[0])
    keeps_root = root is None or root.agreement >= MIN_ROOT_AGREEMENT
    return bool(costs) and keeps_root and all(_is_head_free(cost) for cost in costs.values())


def _is_head_free(cost: PrecisionCost) -> bool:
    by_chance = cost.chance >= SIGNIFICANT and cost.lost_points <= MAX_LOST_BY_CHANCE
    return cost.lost_points <= MAX_LOST_POINTS or by_chance


def is_worth_its_speed(costs: Mapping[str, PrecisionCost]) -> bool:
    """Return whether an int8 form stays within its limits: it is not free, but nearly so."""
    return bool(costs) and all(
        cost.lost_points <= MAX_LOST_BY_QUANTISING.get(column, MAX_LOST_ELSEWHERE)
        for column, cost in costs.items()
    )


def allow_precisions(
    bundle: Path, split_table: pa.Table, catalogue: Catalogue
) -> tuple[tuple[str, ...], dict[str, PrecisionCost]]:
    """Return the precisions that a bundle's card may list, and what bf16 loses on the validation photos, by column.

    bf16 is listed if it is free. If the processor does not support it, or it fails the golden check, nothing is
    compared. Raises as `split_photos` does.
    """
    exact = load_model(bundle, precision=REFERENCE_PRECISION, trusted=OWN)
    try:
        fast = load_model(bundle, precision="bf16", trusted=OWN)
    except BundleError:
        return (REFERENCE_PRECISION,), {}
    if fast.engine.precision == REFERENCE_PRECISION:
        return (REFERENCE_PRECISION,), {}
    costs = compare_precisions(exact, fast, split_table, catalogue)
    return ((REFERENCE_PRECISION, fast.engine.precision) if is_free(costs) else (REFERENCE_PRECISION,)), costs


def compare_precisions(
    reference: Predictor,
    faster: Predictor,
    split_table: pa.Table,
    catalogue: Catalogue,
    split: str = "validation",
) -> dict[str, PrecisionCost]:
    """Return, for each head that the split has labels for, what `faster` loses against `reference`.

    Both must be the same bundle. Raises as `split_photos` does.
    """
    photos = split_photos(split_table, catalogue, split)
    expected, found = answer_photos(reference, photos), answer_photos(faster, photos)
    costs = {}
    for head in reference.card.heads:
        if head.column not in split_table.column_names:
            continue
        truth = read_truth(expected.rows, head)
        counted = truth.counted
        if not counted.any():  # the accuracy of no photos is undefined
            continue
        exact, fast = (answers.predictions.label_indices[head.column] for answers in (expected, found))
        exact_hits, fast_hits = ((labels == truth.indices)[counted] for labels in (exact, fast))
        costs[head.column] = PrecisionCost(
            reference_accuracy=share(exact_hits),
            accuracy=share(fast_hits),
            agreement=share(np.equal(exact, fast)),
            support=int(counted.sum()),
            lost=int((exact_hits & ~fast_hits).sum()),
            won=int((fast_hits & ~exact_hits).sum()),
        )
    return costs
