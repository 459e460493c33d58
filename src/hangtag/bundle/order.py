"""Whether the nodes of an ONNX graph stand in an order in which they can be run.

ONNX demands it. A graph that runs in a circle is not refused by the engine: it searches for the circle's beginning
until the memory is full, and takes the whole process with it.
"""

from collections.abc import Iterator
from typing import Final

from hangtag.bundle.wire import WireError, iter_fields, iter_messages, read_text

MAX_DEPTH: Final = 64
"""How deep messages may lie in each other."""

_NODE, _INITIALIZER, _INPUT, _SPARSE_INITIALIZER = 1, 5, 11, 15  # of GraphProto
_NODE_INPUT, _NODE_OUTPUT, _NODE_ATTRIBUTE = 1, 2, 5  # of NodeProto
_ATTRIBUTE_GRAPHS: Final = (6, 11)  # of AttributeProto
_TENSOR_NAME, _PORT_NAME, _SPARSE_VALUES = 8, 1, 1


def iter_undefined(graph: memoryview, outer: tuple[set[str], ...] = ()) -> Iterator[str]:
    """Yield the values that a node of a GraphProto reads before any other makes them; in a valid graph there are none.

    A graph inside a node also sees what `outer` names. Raises `WireError` for graphs nested too deep.
    """
    if len(outer) > MAX_DEPTH:
        raise WireError("the graph is nested too deep")
    known = _given(graph)
    scopes = (*outer, known)
    for node in iter_messages(graph, _NODE):
        fields = list(iter_fields(node))
        read = [field.text() for field in fields if field.tag == _NODE_INPUT]
        yield from (name for name in read if name and not any(name in scope for scope in scopes))
        for attribute in (field.content for field in fields if field.tag == _NODE_ATTRIBUTE):
            for inner in (inner for tag in _ATTRIBUTE_GRAPHS for inner in iter_messages(attribute, tag)):
                yield from iter_undefined(inner, scopes)
        known.update(field.text() for field in fields if field.tag == _NODE_OUTPUT)


def _given(graph: memoryview) -> set[str]:
    """Return the names that exist before the first node: inputs and weights."""
    inputs = (read_text(port, _PORT_NAME) for port in iter_messages(graph, _INPUT))
    weights = (read_text(tensor, _TENSOR_NAME) for tensor in iter_messages(graph, _INITIALIZER))
    sparse = (
        read_text(values, _TENSOR_NAME)
        for tensor in iter_messages(graph, _SPARSE_INITIALIZER)
        for values in iter_messages(tensor, _SPARSE_VALUES)
    )
    return {*inputs, *weights, *sparse}
