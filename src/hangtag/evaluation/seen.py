"""Whether a model may have been trained on the photos that it is measured on, judging by its card and the table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from hangtag.bundle.card import Card
from hangtag.datasets.splits import TRAIN, VALIDATION, data_fingerprint
from hangtag.evaluation.photo_set import CUSTOM, KEPT_BACK_OF, PhotoSet

_SPLIT_FACTS: Final = "split"


class Verdict(StrEnum):
    """The relation between the photos of a set and the training of a model."""

    HELD_OUT = "held_out"
    KEPT_BACK = "kept_back"
    TUNED_ON = "tuned_on"
    TRAINED_ON = "trained_on"
    PERHAPS_TRAINED_ON = "perhaps_trained_on"
    UNKNOWN = "unknown"


FLATTERED: Final = frozenset({Verdict.TUNED_ON, Verdict.TRAINED_ON, Verdict.PERHAPS_TRAINED_ON})
"""The verdicts that make the figures too good."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A verdict and the sentence that explains it."""

    verdict: Verdict
    reason: str

    def to_json(self) -> dict[str, str]:
        """Return it as JSON values."""
        return {"verdict": self.verdict.value, "reason": self.reason}


def judge(card: Card, photos: PhotoSet) -> Seen:
    """Return whether the photos were used in training a card's model."""
    if "figures_of" in card.data and (photos.split_table is not None or KEPT_BACK_OF in photos.facts):
        return Seen(
            Verdict.TRAINED_ON,
            f"{card.name} was trained on all photos, validation and test included: the figures say what it remembers, "
            "not what it can do. The figures in its card are those of its twin, which was trained without them.",
        )
    if photos.split_table is not None:
        return _judge_split(card, photos)
    if KEPT_BACK_OF in photos.facts:  # whatever its name, the rest of that set was learned from
        return _judge_kept_back(card)
    if photos.name == CUSTOM:
        return _judge_custom(card)
    if photos.facts.get("catalogue") in {card.data.get("catalogue"), *_adapted_to(card)}:
        return Seen(
            Verdict.PERHAPS_TRAINED_ON,
            f"{card.name} was trained on the catalogue that these photos come from: some of them may have been in its "
            "training, so the figures may be too high.",
        )
    return Seen(Verdict.UNKNOWN, f"hangtag cannot tell whether {card.name} saw these photos in its training.")


def is_own_table(card: Card, photos: PhotoSet) -> bool:
    """Return whether the photos' split table has exactly the rows and labels that the model was trained with."""
    is_whole = not (_was_limited(card) or _has_other_labels(card))
    return _has_same_hash(card, photos) or (_is_same_split(card, photos) and is_whole)


def _has_same_hash(card: Card, photos: PhotoSet) -> bool:
    table = photos.split_table
    if table is None or not set(card.columns) <= set(table.column_names):
        return False
    return data_fingerprint(table, card.columns, card.preprocessing) == card.data.get("sha256")


def _is_same_split(card: Card, photos: PhotoSet) -> bool:
    """Return whether a run with other rows or labels than the table was split in the same way."""
    if not (_joined(card.data) or _was_limited(card) or _has_other_labels(card)):
        return False
    return bool(photos.facts) and card.data.get(_SPLIT_FACTS) == photos.facts


def _was_limited(card: Card) -> bool:
    """Return whether the model was trained on fewer photos than its split had."""
    split = card.data.get(_SPLIT_FACTS)
    counts = split.get("counts") if isinstance(split, dict) else None
    return isinstance(counts, dict) and card.data.get("train_photos") != counts.get(TRAIN)


def _has_other_labels(card: Card) -> bool:
    """Return whether the model was trained without some labels of the split table, or with corrected ones."""
    corrections = card.data.get("corrections")
    counts = [
        card.data.get("without_suspects"),
        corrections.get("labels") if isinstance(corrections, dict) else None,
    ]
    return any(isinstance(found, dict) and any(found.values()) for found in counts)


def _judge_split(card: Card, photos: PhotoSet) -> Seen:
    if "sha256" not in card.data:
        reason = f"The card of {card.name} does not say what it was trained on: whether it saw these photos is unknown."
        return Seen(Verdict.UNKNOWN, reason)
    if not (_has_same_hash(card, photos) or _is_same_split(card, photos)):
        return Seen(
            Verdict.PERHAPS_TRAINED_ON,
            f"The split table is not the one that {card.name} was trained with: some of these photos may have been in "
            "its training, so the figures may be too high.",
        )
    if photos.name == TRAIN:
        reason = (
            f"{card.name} was trained on these photos: the figures say what it remembers, not what it can do."
        )
        return Seen(Verdict.TRAINED_ON, reason)
    if photos.name == VALIDATION:
        reason = f"{card.name} was tuned on these photos, so the figures are slightly too high."
        return Seen(Verdict.TUNED_ON, reason)
    return Seen(Verdict.HELD_OUT, f"{card.name} never saw these photos in its training.")


def _judge_kept_back(card: Card) -> Seen:
    reason = (
        f"{card.name} did not learn from these photos, which were held out from a set that it learned from."
    )
    if card.ood_detector is not None:
        reason += " The threshold of its OOD detector was chosen with such photos, too, so that it flags few of them."
    return Seen(Verdict.KEPT_BACK, reason)


def _judge_custom(card: Card) -> Seen:
    if CUSTOM in _joined(card.data):
        reason = f"{card.name} was trained on the custom set too: it saw these photos, so the figures are too high."
        return Seen(Verdict.TRAINED_ON, reason)
    if "catalogue" not in card.data:
        reason = f"The card of {card.name} does not say what it was trained on: whether it saw these photos is unknown."
        return Seen(Verdict.UNKNOWN, reason)
    return Seen(Verdict.HELD_OUT, f"{card.name} was not trained on the custom set.")


def _joined(data: Mapping[str, Any]) -> list[Any]:
    joined = data.get("joined")
    return joined if isinstance(joined, list) else []


def _adapted_to(card: Card) -> Sequence[str]:
    """Return the names of the labelled sets that a model was adapted to."""
    adapted = card.data.get("adapted")
    labelled = adapted.get("labelled") if isinstance(adapted, Mapping) else None
    return labelled if isinstance(labelled, list) else ()
