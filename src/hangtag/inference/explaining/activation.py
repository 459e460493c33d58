"""Class activation maps: a linear head on the mean of a feature map shows which part of a photo supports a class.

Such heads are found in the graph, and so are the positions of the feature map's cells: the centre of each one's
receptive field, in input pixels.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from hangtag.imaging.preprocess import Pixels
from hangtag.inference.engine import Engine
from hangtag.inference.explaining.surface import Axis, Shifts, Values, Views
from hangtag.inference.runtime import load_runtime

Weights = npt.NDArray[np.float32]
"""The weights of one head, float32 of shape (classes, channels)."""

_MAX_OPERATORS: Final = 12
"""How many operators to follow between the parts of a head: exporters write one layer in several ways."""

_SHIFTS: Final = frozenset({"Add", "Subtract", "Convert", "Reshape", "Squeeze"})
"""Operators that may follow the product of features and weights."""

_SHAPES: Final = frozenset({"Reshape", "Squeeze", "Unsqueeze", "Gather", "Convert"})
"""Operators that may come between the mean and the product: they move numbers without changing them."""


@dataclass(frozen=True, slots=True)
class LinearHeads:
    """A feature map (an output inside a graph, shape (n, channels, rows, columns)) and the linear heads on its mean."""

    features: Any
    weights: dict[str, Weights]


def find_linear_heads(graph: Any, columns: Sequence[str]) -> LinearHeads | None:  # noqa: ANN401 - OpenVINO has no types
    """Return the heads that look like a linear layer on the mean of the first such head's feature map, or None.

    `graph` is an OpenVINO model. The structure is no proof: the weighted sums still have to be compared with the
    logits.
    """
    found: LinearHeads | None = None
    for result in graph.results:
        column = result.input_value(0).get_any_name()
        head = _trace(result.input_value(0)) if column in columns else None
        if head is None:
            continue
        features, weights = head
        if found is None:
            found = LinearHeads(features, {})
        if _is_same(found.features, features):
            found.weights[column] = weights
    return found


def _trace(logits: Any) -> tuple[Any, Weights] | None:  # noqa: ANN401
    """Follow the graph from the logits back to the feature map. Return the map and the weights, or None."""
    product = _last(_walk(logits, _SHIFTS))
    if product.get_node().get_type_name() != "MatMul":
        return None
    weights = _weights_of(product.get_node())
    mean = _last(_walk(product.get_node().input_value(0), _SHAPES))
    if weights is None or mean.get_node().get_type_name() != "ReduceMean":
        return None
    features = mean.get_node().input_value(0)
    shape = features.get_partial_shape()
    is_map = shape.rank.is_static and len(shape) == 4 and all(size.is_static for size in list(shape)[1:])  # noqa: PLR2004
    return (features, weights) if is_map and shape[1].get_length() == weights.shape[1] else None


def _walk(output: Any, through: frozenset[str]) -> Iterator[Any]:  # noqa: ANN401
    """Yield an output and its sources, back to the first output of an operator other than these."""
    for _ in range(_MAX_OPERATORS):
        yield output
        node = output.get_node()
        is_scaled_by_one = node.get_type_name() == "Multiply" and _is_one(node.input_value(1))
        if node.get_type_name() not in through and not is_scaled_by_one:
            return
        output = node.input_value(0)


def _last(outputs: Iterator[Any]) -> Any:  # noqa: ANN401
    *_, last = outputs
    return last


def _weights_of(product: Any) -> Weights | None:  # noqa: ANN401
    values = _constant(product.input_value(1))
    attributes = product.get_attributes()
    if values is None or values.ndim != 2 or attributes["transpose_a"]:  # noqa: PLR2004
        return None
    return np.ascontiguousarray(values if attributes["transpose_b"] else values.T)


def _constant(output: Any) -> Weights | None:  # noqa: ANN401
    """Return the value of a constant, including one stored in half precision; None for a computed value."""
    node = output.get_node()
    if node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return np.asarray(node.data, np.float32) if node.get_type_name() == "Constant" else None


def _is_one(output: Any) -> bool:  # noqa: ANN401
    values = _constant(output)
    return values is not None and bool((values == 1).all())


def _is_same(one: Any, other: Any) -> bool:  # noqa: ANN401
    names = [(output.get_node().get_name(), output.get_index()) for output in (one, other)]
    return names[0] == names[1]


_CONVOLUTIONS: Final = frozenset({"Convolution", "GroupConvolution"})
_POOLS: Final = frozenset({"MaxPool", "AvgPool"})
_ENDS: Final = frozenset({"Transpose", "Parameter"})
_RANK: Final = 4  # of (n, channels, rows, columns)

Pair = npt.NDArray[np.float64]
"""A number for the rows and one for the columns."""


def locate_cells(features: Any, height: int, width: int) -> tuple[Axis, Axis]:  # noqa: ANN401 - OpenVINO has no types
    """Return the row and column axes of a feature map: an output of shape (n, channels, rows, columns) inside a graph.

    Each layer's kernel, stride and padding move the receptive field. Composed from the map back to the input of
    `height` x `width` pixels, they give its centre (Araujo, Norris and Sim, "Computing Receptive Fields of
    Convolutional Neural Networks", Distill 2019). If an operator on the way is unknown, the cells are assumed to
    divide the input evenly.
    """
    counts, sizes = _spatial(features), np.array([height, width], float)
    if counts is None:
        raise ValueError("a feature map has rows and columns")
    found = _compose(features, (height, width))
    first, stride = ((sizes / counts - 1) / 2, sizes / counts) if found is None else found
    rows, columns = (Axis(counts[axis], float(first[axis]), float(stride[axis])) for axis in (0, 1))
    return rows, columns


def _compose(output: Any, size: tuple[int, int]) -> tuple[Pair, Pair] | None:  # noqa: ANN401
    first, stride = np.zeros(2), np.ones(2)
    while output is not None and output.get_node().get_type_name() not in _ENDS:
        step = _step(output.get_node())
        if step is None:
            output = _like(output)
            continue
        # A cell at `p` sees its layer's input around `p * by + offset`.
        by, offset = step
        first, stride = first * by + offset, stride * by
        output = output.get_node().input_value(0)
    return (first, stride) if output is not None and _spatial(output) == size else None


def _step(node: Any) -> tuple[Pair, Pair] | None:  # noqa: ANN401
    """Return a layer's stride and the offset that it adds to a position; None for a layer that has neither."""
    kind, attributes = node.get_type_name(), node.get_attributes()
    if kind == "Pad" and node.input_value(1).get_node().get_type_name() == "Constant":
        return np.ones(2), -np.asarray(node.input_value(1).get_node().data[-2:], float)
    if kind not in _CONVOLUTIONS | _POOLS:
        return None
    kernel = attributes["kernel"] if kind in _POOLS else list(node.input_value(1).get_shape())[-2:]
    reach = (np.array(kernel) - 1) * np.array(attributes.get("dilations", [1, 1])) + 1
    return np.array(attributes["strides"], float), (reach - 1) / 2 - np.array(attributes["pads_begin"])


def _like(output: Any) -> Any | None:  # noqa: ANN401
    """Return the input that an operator maps cell by cell: the first one with as many rows and columns."""
    inputs = (port.get_source_output() for port in output.get_node().inputs())
    return next((source for source in inputs if _spatial(source) == _spatial(output)), None)


def _spatial(output: Any) -> tuple[int, int] | None:  # noqa: ANN401
    shape = output.get_partial_shape()
    if shape.rank.is_dynamic or len(shape) != _RANK or any(size.is_dynamic for size in list(shape)[2:]):
        return None
    return shape[2].get_length(), shape[3].get_length()


_PROBES: Final = 3
_TOLERANCE: Final = 1e-3
"""How far a head's sums may differ from its logits, relative to the largest. Everything is float32 here."""


class ClassActivation:
    """A model's graph compiled to also return its feature map, and the heads that are linear on its mean."""

    def __init__(self, compiled: Any, heads: LinearHeads, views: Views) -> None:  # noqa: ANN401 - OpenVINO has no types
        self._compiled = compiled
        self._heads = heads
        self._views = views

    @classmethod
    def of(cls, engine: Engine) -> Self | None:
        """Compile the graph of an engine. Returns None if it has no head that is linear on the mean of a feature map.

        Such heads are found by the graph's structure, and kept only if their sums equal their logits.
        """
        graph = engine.copy_graph()
        heads = find_linear_heads(graph, engine.card.columns)
        if heads is None:
            return None
        preprocessing = engine.card.preprocessing
        rows, columns = locate_cells(heads.features, preprocessing.height, preprocessing.width)
        graph.add_outputs([heads.features])
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": engine.threads}
        compiled = load_runtime().compile_model(graph, "CPU", settings)
        found = cls(compiled, heads, Views(Shifts.of(rows), Shifts.of(columns)))
        found._drop_unproven(engine)
        return found if heads.weights else None

    @property
    def columns(self) -> frozenset[str]:
        """The columns that have activation maps."""
        return frozenset(self._heads.weights)

    def render(self, pixels: Pixels, classes: Mapping[str, int]) -> dict[str, Values]:
        """Return the evidence for these classes by column, float32 (height, width), in uint8 pixels (height, width, 3).

        The evidence of a cell for a class is the sum of its features, weighted like their mean in the head. Over all
        cells it adds up to the class's logit (Zhou et al., "Learning Deep Features for Discriminative Localization",
        CVPR 2016), and it equals Grad-CAM for such a network (Selvaraju et al., ICCV 2017). Since cells are large,
        copies of the photo that are mirrored and shifted by parts of a cell are used too, and their maps interleaved
        (shift-and-stitch: Long, Shelhamer and Darrell, CVPR 2015).
        """
        weights = np.stack([self._heads.weights[column][index] for column, index in classes.items()])
        evidence = np.zeros((len(classes), *pixels.shape[:2]), np.float32)
        for turn in (1, -1):
            features = self._run(self._views.copy(pixels[:, ::turn]))[0]
            maps = np.einsum("kc,nchw->knhw", weights, features, optimize=True)
            evidence += self._views.stitch(maps, pixels.shape[:2])[..., ::turn]
        return dict(zip(classes, evidence, strict=True))

    def _run(self, pixels: npt.NDArray[np.uint8]) -> tuple[Values, dict[str, Values]]:
        """Return the feature map, float32 (n, channels, rows, columns), and the logits by column, for n photos."""
        request = self._compiled.create_infer_request()
        request.infer([pixels])
        outputs = self._compiled.outputs
        answers = [np.array(request.get_output_tensor(position).data) for position in range(len(outputs))]
        names = [output.get_names() for output in outputs]
        logits = {
            column: answer
            for column in self._heads.weights
            for answer, known in zip(answers, names, strict=True)
            if column in known
        }
        return answers[-1], logits

    def _drop_unproven(self, engine: Engine) -> None:
        """Drop the heads whose weighted sums differ from their logits by more than a constant bias."""
        preprocessing = engine.card.preprocessing
        shape = (_PROBES, preprocessing.height, preprocessing.width, 3)
        features, logits = self._run(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
        means = features.mean(axis=(2, 3))
        for column, found in logits.items():
            offsets = found - means @ self._heads.weights[column].T
            if not np.ptp(offsets, axis=0).max() <= _TOLERANCE * np.abs(found).max():  # also drops NaN
                del self._heads.weights[column]
