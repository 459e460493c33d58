"""What a run comes to: how many photos were labelled, why others were not, and what was seen."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hangtag.bundle.card import Card
from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.domain.reasons import Reason
from hangtag.labelling.label import LabelledBatch


@dataclass
class Summary:
    """Counts over a run. `categories` counts, by model, the answers at its highest category level."""

    photos: int = 0
    reasons: Counter[Reason] = field(default_factory=Counter)
    categories: dict[str, Counter[str]] = field(default_factory=dict)
    other_files: int = 0
    seconds: float = 0.0

    @property
    def failed(self) -> int:
        """How many photos have no label."""
        return self.reasons.total()

    @property
    def labelled(self) -> int:
        """How many photos have their labels."""
        return self.photos - self.failed

    @property
    def images_per_second(self) -> float:
        """Photos a second, failed ones included, from the first file read to the last row written."""
        return self.photos / self.seconds if self.seconds else 0.0

    def add(self, batch: LabelledBatch, cards: Mapping[str, Card]) -> None:
        """Count a batch. `cards` are the models' by name."""
        self.photos += len(batch.names)
        self.reasons.update(reason for reason in batch.reasons if reason is not None)
        for (name, card), scores in zip(cards.items(), batch.scores, strict=True):
            column = summary_column(card)
            counts = np.bincount(scores.chosen[column], minlength=len(card.head(column).classes)).tolist()
            found = {
                label: count for label, count in zip(card.head(column).classes, counts, strict=True) if count
            }
            self.categories.setdefault(name, Counter()).update(found)


def summary_column(card: Card) -> str:
    """Return the column that a summary counts: the highest category level of the model, or its first head."""
    answered = [column for column in CATEGORY_COLUMNS if column in card.columns]
    return (*answered, *card.columns)[0]
