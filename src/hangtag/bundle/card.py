"""The card of a model: all facts about it, stored as JSON inside its file."""

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from hangtag.domain.errors import BundleError
from hangtag.domain.taxonomy import Taxonomy
from hangtag.imaging.preprocess import Preprocessing

CARD_FORMAT: Final = 3
"""The newest card format that this version of hangtag reads, and the one that it writes."""

REFERENCE_PRECISION: Final = "fp32"
"""The reference precision."""

QUANTISED_PRECISION: Final = "int8"
"""The only precision of an int8 form, which is a separate bundle (`bundle/quantised.py`)."""

Json = dict[str, Any]
"""A JSON object without a fixed schema: a recipe, figures, a record of one epoch."""


LARGEST_TOLERANCE: Final = 1.0
"""The largest allowed golden tolerance. With a wider one, other weights would pass the check."""


@dataclass(frozen=True, slots=True)
class HeadCard:
    """One head: the column that it predicts and its classes in the order of its logits.

    Probabilities are `softmax(logits / temperature)`, unless the category levels have a `path_weight`: then a path's
    probability is the `softmax`, over all paths, of the sum of `path_weight * logits`, and a label's is the sum over
    the paths that contain it. A label below `threshold` is doubtful. Raises `BundleError` for invalid values.
    """

    column: str
    classes: Sequence[str]
    temperature: float = 1.0
    threshold: float | None = None
    path_weight: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))
        if not self.column:
            raise BundleError("a head has no column name")
        head = f"the head {self.column!r}"
        if not self.classes or not all(self.classes):
            raise BundleError(f"{head} has no classes, or one without a name")
        if len(set(self.classes)) != len(self.classes):
            raise BundleError(f"{head} names a class twice")
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise BundleError(f"{head} has the temperature {self.temperature}, not a positive number")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise BundleError(f"{head} has the threshold {self.threshold}, not between 0 and 1")
        weight = self.path_weight
        if weight is not None and not (math.isfinite(weight) and weight > 0):
            raise BundleError(f"{head} has the path weight {weight}, not a positive number")


@dataclass(frozen=True, slots=True)
class OodDetectorCard:
    """The out-of-distribution detector: scores how unlike a product a photo is, and flags it above a threshold.

    `output` is the graph's output with the score, float32 (N, 1); photos over `threshold` are flagged. `method`
    describes the score in words. Raises `BundleError` for invalid values.
    """

    output: str
    threshold: float
    method: str

    def __post_init__(self) -> None:
        if not self.output:
            raise BundleError("the OOD detector has no output")
        if not math.isfinite(self.threshold):
            raise BundleError(f"the OOD detector has the threshold {self.threshold}, not a finite number")


@dataclass(frozen=True, slots=True)
class EmbeddingCard:
    """The embedding of a photo: the graph's output that holds it, float32 (N, `size`).

    Raises `BundleError` for invalid values.
    """

    output: str
    size: int

    def __post_init__(self) -> None:
        if not self.output:
            raise BundleError("the embedding has no output")
        if self.size < 1:
            raise BundleError(f"the embedding has {self.size} numbers")


@dataclass(frozen=True, slots=True)
class SourceCard:
    """A set of photos that the model was trained on: its name, number of photos, licence, and whom to credit.

    `licence` and `attribution` are empty if nothing is stated. Raises `BundleError` for invalid values.
    """

    name: str
    photos: int
    licence: str = ""
    attribution: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            raise BundleError("a source has no name")
        if self.photos < 0:
            raise BundleError(f"the source {self.name!r} has {self.photos} photos")


@dataclass(frozen=True, slots=True)
class GoldenCheck:
    """A tiny photo (a PNG file, base64) and the float32 logits by column that the model must return for it."""

    photo_png_base64: str
    logits: Mapping[str, Sequence[float]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "logits", {column: tuple(row) for column, row in self.logits.items()})
        try:
            base64.b64decode(self.photo_png_base64, validate=True)
        except (binascii.Error, ValueError):
            raise BundleError("a golden photo is not base64") from None
        if not all(math.isfinite(value) for row in self.logits.values() for value in row):
            raise BundleError("a golden answer is not a finite number")

    @classmethod
    def from_png(cls, png: bytes, logits: Mapping[str, Sequence[float]]) -> "GoldenCheck":
        """Build from the bytes of a PNG file and the logits by column."""
        return cls(base64.b64encode(png).decode("ascii"), logits)

    @property
    def photo(self) -> bytes:
        """The bytes of the PNG file."""
        return base64.b64decode(self.photo_png_base64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """All facts about a model. The class order is stored here and nowhere else.

    A `taxonomy` without levels means that the model has none. `golden_tolerance` is the largest absolute difference of
    a logit that the golden check allows in float32. `precisions` were measured to be as accurate as float32; only these
    may be chosen automatically. `target_accuracy` is the share of answers (0 to 1) that should be right, for which the
    heads' thresholds were chosen. A head without a threshold does not reach it; without `target_accuracy`, no label is
    doubtful. `sources` are the sets of photos that the model was trained on.

    Raises `BundleError` if the parts contradict each other.
    """

    name: str
    version: str
    description: str
    licence: str
    created: str
    architecture: str
    recipe: Json
    heads: Sequence[HeadCard]
    taxonomy: Taxonomy
    preprocessing: Preprocessing
    data: Json = field(default_factory=dict)
    metrics: Json = field(default_factory=dict)
    history: Sequence[Json] = ()
    golden: Sequence[GoldenCheck] = ()
    golden_tolerance: float = 1e-3
    precisions: Sequence[str] = (REFERENCE_PRECISION,)
    target_accuracy: float | None = None
    ood_detector: OodDetectorCard | None = None
    embedding: EmbeddingCard | None = None
    sources: Sequence[SourceCard] = ()
    format: int = CARD_FORMAT

    def __post_init__(self) -> None:
        for name in ("heads", "history", "golden", "precisions", "sources"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.format != CARD_FORMAT:
            raise BundleError(f"cards are written in format {CARD_FORMAT}, not {self.format}")
        if not self.name:
            raise BundleError("the card has no name")
        _check_created(self.created)
        if not 0 < self.golden_tolerance <= LARGEST_TOLERANCE:
            problem = (
                f"the golden tolerance is {self.golden_tolerance}, not between 0 and {LARGEST_TOLERANCE:g}"
            )
            raise BundleError(problem)
        if REFERENCE_PRECISION not in self.precisions and self.precisions != (QUANTISED_PRECISION,):
            raise BundleError(
                f"the card's precisions lack {REFERENCE_PRECISION}, by which all others are measured"
            )
        if self.target_accuracy is not None and not 0 < self.target_accuracy <= 1:
            raise BundleError(f"the target accuracy is {self.target_accuracy}, not over 0 and up to 1")
        _check_heads(self.heads)
        _check_other_outputs(self)
        _check_taxonomy(self)
        _check_path_weights(self)
        for check in self.golden:
            _check_golden(check, self.heads)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the model predicts, in the order of its heads."""
        return tuple(head.column for head in self.heads)

    @property
    def output_widths(self) -> dict[str, int]:
        """The width of each output of the graph, by name. The heads come first."""
        widths = {head.column: len(head.classes) for head in self.heads}
        if self.ood_detector is not None:
            widths[self.ood_detector.output] = 1
        if self.embedding is not None:
            widths[self.embedding.output] = self.embedding.size
        return widths

    def head(self, column: str) -> HeadCard:
        """Return the head of a column; `KeyError` if the model has none."""
        for head in self.heads:
            if head.column == column:
                return head
        raise KeyError(column)

    def figure(self, *keys: str) -> float | None:
        """Return the number in the metrics under these keys (split, then metric); None if there is none."""
        found: object = self.metrics
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, int | float) else None


def _check_created(created: str) -> None:
    try:
        datetime.fromisoformat(created)
    except ValueError:
        raise BundleError(f"the card was created on {created!r}, which is not an ISO date") from None


def _check_heads(heads: Sequence[HeadCard]) -> None:
    columns = [head.column for head in heads]
    if not columns:
        raise BundleError("the card has no heads")
    if len(set(columns)) != len(columns):
        raise BundleError(f"the card names a head twice: {', '.join(columns)}")


def _check_other_outputs(card: Card) -> None:
    for what, part in (("OOD detector", card.ood_detector), ("embedding", card.embedding)):
        if part is not None and part.output in card.columns:
            raise BundleError(f"the output {part.output!r} of the {what} is that of a head")
    if card.ood_detector and card.embedding and card.ood_detector.output == card.embedding.output:
        raise BundleError(
            f"the OOD detector and the embedding have the same output, {card.embedding.output!r}"
        )


def _check_taxonomy(card: Card) -> None:
    for level in set(card.taxonomy.levels) & set(card.columns):
        unknown = sorted(set(card.taxonomy.labels(level)) - set(card.head(level).classes))
        if unknown:
            raise BundleError(
                f"the taxonomy has labels of {level} that the head cannot answer: {', '.join(unknown[:5])}",
                fix="Build the taxonomy from the rows that the model was trained on.",
            )


def _check_path_weights(card: Card) -> None:
    weighted = {head.column for head in card.heads if head.path_weight is not None}
    if weighted and weighted != set(card.taxonomy.levels) & set(card.columns):
        raise BundleError(
            f"only {', '.join(sorted(weighted))} have a path weight; every level of the path needs one"
        )


def _check_golden(check: GoldenCheck, heads: Sequence[HeadCard]) -> None:
    expected = {head.column: len(head.classes) for head in heads}
    found = {column: len(row) for column, row in check.logits.items()}
    if found != expected:
        raise BundleError(f"a golden answer has the sizes {found}, the heads have {expected}")
