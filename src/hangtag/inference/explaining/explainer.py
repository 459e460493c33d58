"""Heat maps of the parts of a photo that support its labels: `Explainer(load_model()).explain(pixels)`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import Final

import numpy as np

from hangtag.bundle.card import Card
from hangtag.domain.errors import UsageError
from hangtag.imaging.heat import Heat, bring_to_photo
from hangtag.imaging.preprocess import Pixels, Preprocessing
from hangtag.inference.explaining.activation import ClassActivation
from hangtag.inference.explaining.occlusion import render_occlusion
from hangtag.inference.explaining.surface import Values
from hangtag.inference.model import Model
from hangtag.inference.probabilities import PredictionBuilder

USUAL_COLUMNS: Final = ("masterCategory", "articleType")
"""The decisions that are explained when nothing else is asked for, of those that a model makes."""


class Method(StrEnum):
    """How a heat map is made. Occlusion is the usual one: `docs/heat-maps.md` has the figures."""

    OCCLUSION = "occlusion"
    ACTIVATION = "activation"


@dataclass(frozen=True, slots=True)
class HeatMap:
    """The heat map of a label; `heat` is on the preprocessed pixels, float32 (height, width), 0 to 1.

    The strongest place has 1. If nothing supports the label, all values are 0.
    """

    column: str
    label: str
    confidence: float
    method: Method
    heat: Heat


@dataclass(frozen=True, slots=True)
class Explanation:
    """The heat maps of one photo, by column."""

    maps: Mapping[str, HeatMap]
    preprocessing: Preprocessing

    def heat_of_photo(self, column: str, size: tuple[int, int]) -> Heat:
        """Return a map on the upright photo of this size (width, height): float32 (height, width), 0 to 1."""
        return bring_to_photo(self.maps[column].heat, self.preprocessing.box_of(size), size)


def usual_columns(card: Card) -> tuple[str, ...]:
    """Return the columns that are explained when none is named: of a model without the usual ones, its first."""
    return tuple(column for column in USUAL_COLUMNS if column in card.columns) or card.columns[:1]


class Explainer:
    """Explains a model's decisions. Safe to use from several threads.

    A head that is not one linear layer on the mean of a feature map has no activation map and is explained by
    occlusion, whatever `method` says; each `HeatMap` names its own. Nothing is compiled before it is needed.
    """

    def __init__(self, model: Model, method: Method = Method.OCCLUSION) -> None:
        self.model = model
        self._lock = Lock()
        self._activation: ClassActivation | None = None
        self._is_prepared = method is Method.OCCLUSION

    def explain(
        self,
        pixels: Pixels,
        columns: Sequence[str] | None = None,
        classes: Mapping[str, str] | None = None,
    ) -> Explanation:
        """Return the heat maps of a preprocessed photo, uint8 (height, width, 3), for these columns.

        What is explained is the chosen label of each column, or the one that `classes` names for it. Raises
        `UsageError` for a column or label that the model does not know, and for pixels of another shape or type.
        """
        card, others = self.model.card, classes or {}
        asked = dict.fromkeys([*(usual_columns(card) if columns is None else columns), *others])
        unknown = sorted(set(asked) - set(card.columns))
        if unknown:
            raise UsageError(f"the model does not predict {', '.join(unknown)}")
        found = PredictionBuilder(card).build(self.model.run(pixels[None]))
        indices = {
            column: _find_class(card, column, others[column])
            if column in others
            else int(found.label_indices[column][0])
            for column in asked
        }
        maps = {}
        for column, method, heat in self._iter_heat(pixels, indices):
            label = card.head(column).classes[indices[column]]
            confidence = float(found.probabilities[column][0, indices[column]])
            maps[column] = HeatMap(column, label, confidence, method, heat)
        return Explanation({column: maps[column] for column in asked}, card.preprocessing)

    def _iter_heat(self, pixels: Pixels, indices: Mapping[str, int]) -> Iterator[tuple[str, Method, Heat]]:
        """Yield the heat of each column's class; the columns of one method share their work."""
        activation = self._prepare()
        known = frozenset() if activation is None else activation.columns
        active = {column: index for column, index in indices.items() if column in known}
        if activation is not None and active:
            for column, evidence in activation.render(pixels, active).items():
                yield column, Method.ACTIVATION, _scale(evidence)
        occluded = {column: index for column, index in indices.items() if column not in known}
        if occluded:
            for column, evidence in render_occlusion(self.model.engine, pixels, occluded).items():
                yield column, Method.OCCLUSION, _scale(evidence)

    def _prepare(self) -> ClassActivation | None:
        """Return what gives activation maps, compiled at the first call; None if there are none."""
        with self._lock:
            if not self._is_prepared:
                self._activation = ClassActivation.of(self.model.engine)
                self._is_prepared = True
            return self._activation


def _find_class(card: Card, column: str, label: str) -> int:
    classes = list(card.head(column).classes)
    if label not in classes:
        raise UsageError(f"the model knows no {column} {label!r}")
    return classes.index(label)


def _scale(evidence: Values) -> Heat:
    """Keep what spoke for the class, and let the strongest place be 1."""
    positive = np.maximum(evidence, np.float32(0))
    highest = positive.max()
    return positive / highest if highest > 0 else positive
