"""What the graph of a bundle must look like, compared with its card."""

from collections.abc import Iterator
from typing import Final

import onnx
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto

from hangtag.bundle.card import Card
from hangtag.domain.errors import BundleError

INPUT: Final = "photos"
"""The name of the one input: uint8 of shape (N, height, width, 3), RGB, N free."""

_RANK_OF_PHOTOS: Final = 4
_RANK_OF_LOGITS: Final = 2


def check_structure(model: onnx.ModelProto, card: Card) -> None:
    """Compare a graph with the card that is to describe it.

    Raises `BundleError` when the input is not the one that the preprocessing makes, an output is missing or
    unknown, a head has another number of outputs than classes, or weights lie outside of the file.
    """
    check_self_contained(model)
    _check_input(model.graph, card)
    _check_outputs(model.graph, card)


def check_self_contained(model: onnx.ModelProto) -> None:
    """Refuse weights that lie in another file: a model could name any file of the machine that opens it."""
    for tensor in _iter_tensors(model):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise BundleError(
                f"the weights {tensor.name!r} lie outside of the file",
                fix="A bundle is one file: export it with all its weights inside.",
            )


def _check_input(graph: GraphProto, card: Card) -> None:
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if [value.name for value in inputs] != [INPUT]:
        names = ", ".join(repr(value.name) for value in inputs) or "none"
        raise BundleError(f"the model should have the one input {INPUT!r}, it has {names}")
    kind, shape = _kind_and_shape(inputs[0])
    expected = [None, card.preprocessing.height, card.preprocessing.width, 3]
    if kind != TensorProto.UINT8 or shape != expected:
        raise BundleError(
            f"the input {INPUT!r} is {_name(kind)} {_render(shape)}, the card's preprocessing makes "
            f"uint8 {_render(expected)}"
        )


def _check_outputs(graph: GraphProto, card: Card) -> None:
    outputs = {value.name: value for value in graph.output}
    missing, unknown = sorted(set(card.columns) - set(outputs)), sorted(set(outputs) - set(card.columns))
    if missing:
        raise BundleError(f"the card describes heads that the model does not have: {', '.join(missing)}")
    if unknown:
        raise BundleError(f"the model has outputs that the card does not describe: {', '.join(unknown)}")
    for head in card.heads:
        kind, shape = _kind_and_shape(outputs[head.column])
        if kind != TensorProto.FLOAT or len(shape) != _RANK_OF_LOGITS:
            raise BundleError(
                f"the output {head.column!r} is {_name(kind)} {_render(shape)}, not float32 logits"
            )
        if shape[1] != len(head.classes):
            found = str(shape[1] or "an unknown number of")
            raise BundleError(
                f"the head {head.column!r} has {found} outputs, and its card names {len(head.classes)} classes"
            )


def _kind_and_shape(value: ValueInfoProto) -> tuple[int, list[int | None]]:
    """Return the element type and the sizes, None for one that is free."""
    tensor = value.type.tensor_type
    return tensor.elem_type, [
        size.dim_value if size.HasField("dim_value") else None for size in tensor.shape.dim
    ]


def _name(kind: int) -> str:
    return TensorProto.DataType.Name(kind).lower() if kind in TensorProto.DataType.values() else "of no type"


def _render(shape: list[int | None]) -> str:
    return "(" + ", ".join("N" if size is None else str(size) for size in shape) + ")"


def _iter_tensors(model: onnx.ModelProto) -> Iterator[TensorProto]:
    yield from _iter_graph_tensors(model.graph)
    for function in model.functions:
        for node in function.node:
            yield from _iter_node_tensors(node)


def _iter_graph_tensors(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        yield from _iter_node_tensors(node)


def _iter_node_tensors(node: NodeProto) -> Iterator[TensorProto]:
    for attribute in node.attribute:
        yield from _iter_attribute_tensors(attribute)


def _iter_attribute_tensors(attribute: AttributeProto) -> Iterator[TensorProto]:
    yield attribute.t
    yield from attribute.tensors
    for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
        yield from (sparse.values, sparse.indices)
    for graph in (attribute.g, *attribute.graphs):
        yield from _iter_graph_tensors(graph)
