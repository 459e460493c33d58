"""From model outputs for photos to the labels of products, and from labels and decisions to their state."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypedDict

import numpy as np
import numpy.typing as npt

from hangtag.bundle.card import Card
from hangtag.domain.prediction import Flag
from hangtag.imaging.visibility import Flagged
from hangtag.inference.predictions import FLAGS, Floats, Predictions
from hangtag.inference.probabilities import PredictionBuilder
from hangtag.store.vocabulary import Vocabulary

CANDIDATES: Final = 9
"""How many candidates of an attribute are shown: one for each of the keys 1 to 9."""

DISAGREES_FROM: Final = 0.5
"""A photo disagrees with its product if its own label differs and has at least this confidence."""

_DIGITS: Final = 5
_BITS: Final[Mapping[Flag, int]] = {
    Flag.NOT_A_PRODUCT: 1,
    Flag.BLANK: 2,
    Flag.TOO_SMALL: 4,
    Flag.TOO_DARK: 8,
    Flag.BLURRED: 16,
}
"""The bits of a photo's stored flags. The meaning of a bit must never change."""

Said = Mapping[str, Mapping[str, Any]]
"""People's labels by attribute: `{"value", "state": "confirmed" | "corrected", "by", "at"}`."""


class Predicted(TypedDict):
    """A product's prediction as stored: value and confidence by attribute, and what is doubtful about it.

    `depth` counts the levels of the path that the model is confident of, `doubtful` lists the attributes below their
    thresholds, `split` those on which the photos disagree, and `flags` what is wrong with all its photos.
    """

    values: dict[str, list[Any]]
    depth: int
    doubtful: list[str]
    split: list[str]
    flags: list[str]


class PhotoAnswer(TypedDict):
    """A model's outputs for a photo as stored."""

    logits: bytes
    ood_score: float | None
    flags: int


@dataclass(frozen=True)
class Labeller:
    """Turns one model's outputs into labels. `thresholds` are confidences by attribute."""

    card: Card
    thresholds: Mapping[str, float]

    @cached_property
    def builder(self) -> PredictionBuilder:
        """The builder of predictions, for photos and products alike."""
        return PredictionBuilder(self.card)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The classes and paths that a person may choose from."""
        return Vocabulary.from_card(self.card)

    def pack(self, found: Predictions) -> list[PhotoAnswer | None]:
        """Return what is stored for each photo; None for one without labels."""
        rows = np.concatenate([found.logits[column] for column in self.card.columns], axis=1)
        bits = found.flagged @ np.array([_BITS[flag] for flag in FLAGS], np.int64)
        scores = None if found.ood_score is None else found.ood_score.tolist()
        return [
            {
                "logits": row.astype("<f4").tobytes(),
                "ood_score": None if scores is None else scores[position],
                "flags": int(bits[position]),
            }
            if is_labelled
            else None
            for position, (row, is_labelled) in enumerate(zip(rows, found.is_labelled.tolist(), strict=True))
        ]

    def unpack(self, answers: Sequence[Mapping[str, Any]]) -> Predictions:
        """Return the predictions that `pack` stored, without embeddings and names."""
        return self.builder.build(*self.read_outputs(answers))

    def read_outputs(self, answers: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Floats], Flagged]:
        """Return the outputs and the quality flags that `pack` stored; embeddings are empty, (n, 0)."""
        width = sum(len(head.classes) for head in self.card.heads)
        joined = b"".join(answer["logits"] for answer in answers)
        rows = np.frombuffer(joined, "<f4").reshape(len(answers), width).astype(np.float32)
        outputs: dict[str, Floats] = {}
        start = 0
        for head in self.card.heads:
            outputs[head.column] = rows[:, start : start + len(head.classes)]
            start += len(head.classes)
        if self.card.ood_detector is not None:
            scores = [answer["ood_score"] for answer in answers]
            outputs[self.card.ood_detector.output] = np.array(scores, np.float32).reshape(-1, 1)
        if self.card.embedding is not None:
            outputs[self.card.embedding.output] = np.empty((len(answers), 0), np.float32)
        bits = np.array([answer["flags"] for answer in answers], np.int64)[:, None]
        return outputs, (bits & np.array([_BITS[flag] for flag in FLAGS[1:]], np.int64)) > 0

    def combine(self, photos: Predictions, starts: npt.NDArray[np.int64]) -> list[Predicted]:
        """Return the predictions of products, whose photos are grouped by product and begin at `starts`."""
        found = self.builder.combine(photos, starts)
        split = find_disagreements(photos, found, starts)
        columns = found.columns
        values = {column: found.labels(column) for column in columns}
        confidences = {column: found.confidence(column).astype(float).tolist() for column in columns}
        flags, depths = found.flags, found.confident_depth.tolist()
        ends = [*starts.tolist()[1:], len(photos)]
        return [
            {
                "values": {
                    column: [values[column][row], round(confidences[column][row], _DIGITS)]
                    for column in columns
                },
                "depth": depths[row],
                "doubtful": [
                    column for column in columns if confidences[column][row] < self.thresholds[column]
                ],
                "split": [column for column in columns if split[column][start:end].any()],
                "flags": [flag.value for flag in flags[row]],
            }
            for row, (start, end) in enumerate(zip(starts.tolist(), ends, strict=True))
        ]


def find_disagreements(
    photos: Predictions, products: Predictions, starts: npt.NDArray[np.int64]
) -> dict[str, npt.NDArray[np.bool_]]:
    """Return by column which photos confidently disagree with their product, bool (photos,)."""
    owner = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(photos)))
    return {
        column: (photos.label_indices[column] != products.label_indices[column][owner])
        & (photos.confidence(column) >= DISAGREES_FROM)
        for column in photos.columns
    }


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a product: its current label, its state, and what a person should check about it."""

    labels: dict[str, Any]
    state: str
    needs: str | None
    why: str | None
    confidence: float | None


def find_standing(product: Mapping[str, Any], levels: Sequence[str], trouble: str | None) -> Standing:
    """Return the state of a product, given its stored fields and the levels of its category path.

    `trouble` is why it has no prediction: `no_photo`, `unreadable`, `waiting`, or None.
    """
    predicted: Predicted | None = product["predicted"]
    said: Said = product["said"]
    values = {} if predicted is None else dict(predicted["values"])
    labels = {column: value for column, (value, _) in values.items()}
    labels |= {column: entry["value"] for column, entry in said.items()}
    leaf = next((level for level in reversed(levels) if level in labels), next(iter(labels), None))
    confidence = values[leaf][1] if leaf is not None and leaf in values and leaf not in said else None
    needs, why = _find_need(product, levels, trouble)
    if any(entry["state"] == "corrected" for entry in said.values()) or product["overruled"] is not None:
        state = "corrected"
    else:
        state = "checked" if product["checked"] or (said and why is None) else "to_check"
    return Standing(labels, state, needs, why, confidence)


def _find_need(
    product: Mapping[str, Any], levels: Sequence[str], trouble: str | None
) -> tuple[str | None, str | None]:
    """Return the one thing about a product that a person should check, as attribute and reason."""
    predicted: Predicted | None = product["predicted"]
    said: Said = product["said"]
    if product["checked"]:
        return None, None
    if predicted is None:
        return (None, trouble) if trouble != "waiting" and not said else (None, None)
    doubt = _find_doubt(predicted, product, levels)
    is_flagged = Flag.NOT_A_PRODUCT in predicted["flags"] and product["overruled"] is None
    return (None, "not_a_product") if is_flagged and doubt[1] != "suspected" else doubt


def _find_doubt(
    predicted: Predicted, product: Mapping[str, Any], levels: Sequence[str]
) -> tuple[str | None, str | None]:
    """Return the most doubtful attribute, and why. Attributes that a person has set do not count."""
    said: Said = product["said"]
    suspected: str | None = product["suspected"]
    if suspected in predicted["values"] and suspected not in said:
        return suspected, "suspected"
    known: Mapping[str, str] = product["known"] or {}
    for column, value in known.items():
        own = predicted["values"].get(column, [None])[0]
        if own is not None and own.casefold() != value.casefold() and column not in said:
            return column, "differs_from_sheet"
    order = [*levels, *(column for column in predicted["values"] if column not in levels)]
    open_ = [column for column in order if column not in said]
    for column in open_:
        if column in predicted["doubtful"]:
            return column, "photos_disagree" if column in predicted["split"] else "unsure"
    return None, None


def decode_flags(bits: int) -> list[str]:
    """Return the codes of a photo's stored flags."""
    return [flag.value for flag, bit in _BITS.items() if bits & bit]


FindThresholds = Callable[[Card], Mapping[str, float]]
"""Returns by column the confidence below which a label is doubtful."""
