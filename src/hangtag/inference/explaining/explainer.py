"""Heat maps of the parts of a photo that support its labels: `Explainer(load_model()).explain(pixels)`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import Final

import numpy as np
import numpy.typing as npt

from hangtag.bundle.card import Card
from hangtag.domain.errors import UsageError
from hangtag.imaging.heat import Heat, bring_to_photo
from hangtag.imaging.preprocess import Pixels, Preprocessing, border_colour
from hangtag.inference.engine import Engine
from hangtag.inference.explaining.activation import ClassActivation
from hangtag.inference.explaining.surface import Axis, Values, spread
from hangtag.inference.model import Model
from hangtag.inference.probabilities import PredictionBuilder

COVERS_ALONG: Final = 6
"""How many covers fit along the photo's shorter side. Chosen by measurement: `docs/heat-maps.md`."""

_UNCHANGED: Final = 8
"""An area this close to the cover's colour (of 255 levels) is not covered, as that would change nothing."""


def render_occlusion(engine: Engine, pixels: Pixels, classes: Mapping[str, int]) -> dict[str, Values]:
    """Return the evidence for these classes, by column: float32 (height, width) for uint8 pixels (height, width, 3).

    A square in the photo's own border colour is moved over it in steps of half its side. The evidence at each place
    is the loss in the log odds of the class (Zeiler and Fergus, "Visualizing and Understanding Convolutional
    Networks", ECCV 2014). Log odds are used because a probability close to 1 hides losses.
    """
    height, width = size = pixels.shape[:2]
    side = max(2, round(min(size) / COVERS_ALONG))
    rows, columns = (_centres(length, side) for length in (height, width))
    covered, places = _cover(pixels, (rows, columns), side)
    logits = engine.run(np.concatenate([pixels[None], covered]))
    found = {}
    for column, index in classes.items():
        odds = _log_odds(logits[column], index)
        lost = np.zeros((rows.count, columns.count), np.float32)
        lost[places] = odds[0] - odds[1:]
        found[column] = spread(lost, rows, columns, (height, width))
    return found


def _centres(length: int, side: int) -> Axis:
    """Return the centres of the cover, from edge to edge, so that the edges are covered as often as the middle."""
    count = 1 + max(1, round(length / (side / 2)))
    return Axis(count, 0.0, (length - 1) / (count - 1))


def _cover(
    pixels: Pixels, axes: tuple[Axis, Axis], side: int
) -> tuple[npt.NDArray[np.uint8], tuple[npt.NDArray[np.intp], ...]]:
    """Return the covered copies, uint8 (n, height, width, 3), that differ from the photo, and their places."""
    colour = border_colour(pixels)
    differs = (np.abs(pixels.astype(np.int16) - colour) > _UNCHANGED).any(axis=2)
    is_asked = np.zeros([axis.count for axis in axes], bool)
    copies = []
    for place in np.ndindex(is_asked.shape):
        window = tuple(_window(axis, position, side) for axis, position in zip(axes, place, strict=True))
        if differs[window].any():
            is_asked[place] = True
            copy = pixels.copy()
            copy[window] = colour
            copies.append(copy)
    shape = (len(copies), *pixels.shape)
    return np.array(copies, np.uint8).reshape(shape), np.nonzero(is_asked)


def _window(axis: Axis, position: int, side: int) -> slice:
    start = round(axis.first + axis.stride * position - (side - 1) / 2)
    return slice(max(0, start), start + side)


def _log_odds(logits: Values, index: int) -> npt.NDArray[np.float64]:
    """Return `log(p / (1 - p))` of a class, shape (n,); for a head with one class, its logit."""
    exact = logits.astype(float)
    others = np.delete(exact, index, axis=1)
    odds = exact[:, index] - np.logaddexp.reduce(others, axis=1) if others.shape[1] else exact[:, index]
    return np.asarray(odds, float)


USUAL_COLUMNS: Final = ("masterCategory", "articleType")
"""The columns that are explained by default, if the model has them."""


class Method(StrEnum):
    """How a heat map is made. Occlusion is the default; `docs/heat-maps.md` compares them."""

    OCCLUSION = "occlusion"
    ACTIVATION = "activation"


@dataclass(frozen=True, slots=True)
class HeatMap:
    """The heat map of a label; `heat` covers the preprocessed pixels, float32 (height, width), 0 to 1.

    The maximum is 1. If nothing supports the label, all values are 0.
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
        """Return a map for the upright photo of size (width, height): float32 (height, width), 0 to 1."""
        return bring_to_photo(self.maps[column].heat, self.preprocessing.box_of(size), size)


def usual_columns(card: Card) -> tuple[str, ...]:
    """Return the columns that are explained by default. If a model has none of the usual ones, it is its first."""
    return tuple(column for column in USUAL_COLUMNS if column in card.columns) or card.columns[:1]


class Explainer:
    """Explains a model's predictions. Safe to use from several threads.

    Heads without an activation map, those that are not one linear layer on the mean of a feature map, are explained
    by occlusion, whatever `method` says. Each `HeatMap` names its method. Nothing is compiled before it is needed.
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

        The chosen label of each column is explained, or the one in `classes`. Raises `UsageError` for an unknown column
        or label, and for pixels of another shape or type.
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
        """Yield the heat map of each column's class. Columns that use the same method are computed together."""
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
        """Return the activation maps, compiled on the first call; None if the model has none."""
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
    """Keep the positive evidence, and scale it so that the maximum is 1."""
    positive = np.maximum(evidence, np.float32(0))
    highest = positive.max()
    return positive / highest if highest > 0 else positive
