"""Heads that are one linear layer on the mean of a feature map: found in a graph by its structure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.float32]
"""The weights of one head, float32 of shape (classes, channels)."""

_ROUNDABOUT: Final = 12
"""How many operators may stand between the parts of a head: exporters write one layer in several ways."""

_SHIFTS: Final = frozenset({"Add", "Subtract", "Convert", "Reshape", "Squeeze"})
"""What may follow the product of features and weights."""

_SHAPES: Final = frozenset({"Reshape", "Squeeze", "Unsqueeze", "Gather", "Convert"})
"""What may stand between the mean and the product: it moves numbers and changes none."""


@dataclass(frozen=True, slots=True)
class LinearHeads:
    """A feature map, which is an output inside a graph of shape (n, channels, rows, columns), and heads on its mean."""

    features: Any
    weights: dict[str, Weights]


def find_linear_heads(graph: Any, columns: Sequence[str]) -> LinearHeads | None:  # noqa: ANN401 - OpenVINO has no types
    """Return those heads that look like a linear layer on the mean of the first such head's feature map, or None.

    `graph` is an OpenVINO model. That a head looks like one is no proof: its sums have to be compared with its logits.
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
    """Walk from the logits back to the feature map; return it and the weights on the way, or None."""
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
    """Yield an output and those that it is made of, back to the first that another operator than these makes."""
    for _ in range(_ROUNDABOUT):
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
    """Return the numbers of a constant, also of one that is stored in half precision; None for what is computed."""
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
