"""Where the cells of a feature map look: the centre of each one's field of view, in pixels of the input."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hangtag.inference.explaining.surface import Axis

_CONVOLUTIONS: Final = frozenset({"Convolution", "GroupConvolution"})
_POOLS: Final = frozenset({"MaxPool", "AvgPool"})
_ENDS: Final = frozenset({"Transpose", "Parameter"})
_RANK: Final = 4  # of (n, channels, rows, columns)

Pair = npt.NDArray[np.float64]
"""A number for the rows and one for the columns."""


def locate_cells(features: Any, height: int, width: int) -> tuple[Axis, Axis]:  # noqa: ANN401 - OpenVINO has no types
    """Return the rows and columns of a feature map: an output of shape (n, channels, rows, columns) inside a graph.

    Each layer's kernel, stride and padding move the field of view; composed from the map back to the input of
    `height` x `width` pixels they give its centre (Araujo, Norris and Sim, "Computing Receptive Fields of
    Convolutional Neural Networks", Distill 2019). Where something on the way is unknown, the cells are taken to share
    the input evenly.
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
    """Return by how much a layer strides and what it adds to a position, None for one that does neither."""
    kind, attributes = node.get_type_name(), node.get_attributes()
    if kind == "Pad" and node.input_value(1).get_node().get_type_name() == "Constant":
        return np.ones(2), -np.asarray(node.input_value(1).get_node().data[-2:], float)
    if kind not in _CONVOLUTIONS | _POOLS:
        return None
    kernel = attributes["kernel"] if kind in _POOLS else list(node.input_value(1).get_shape())[-2:]
    reach = (np.array(kernel) - 1) * np.array(attributes.get("dilations", [1, 1])) + 1
    return np.array(attributes["strides"], float), (reach - 1) / 2 - np.array(attributes["pads_begin"])


def _like(output: Any) -> Any | None:  # noqa: ANN401
    """Return what an operator makes its output of cell by cell: its first input of as many rows and columns."""
    inputs = (one.get_source_output() for one in output.get_node().inputs())
    return next((one for one in inputs if _spatial(one) == _spatial(output)), None)


def _spatial(output: Any) -> tuple[int, int] | None:  # noqa: ANN401
    shape = output.get_partial_shape()
    if shape.rank.is_dynamic or len(shape) != _RANK or any(size.is_dynamic for size in list(shape)[2:]):
        return None
    return shape[2].get_length(), shape[3].get_length()
