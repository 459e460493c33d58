"""Reading the structure of an ONNX file: its metadata, inputs and outputs, and where its weights are.

The numbers are the tags of the messages in `onnx.proto`, which never change their meaning.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_FIXED: Final = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}
_MAX_VARINT_BYTES: Final = 10
_MAX_TAG: Final = 2**29 - 1
_MORE: Final = 0x80
"""The bit that marks a number as continued in the next byte."""


class WireError(ValueError):
    """The bytes are not a protobuf message, or are truncated."""


class Field(NamedTuple):
    """A field of a message. `number` is a varint's value; `content` holds the bytes of any other type.

    The whole field, with its tag, is at `start` to `end` of the message.
    """

    tag: int
    number: int | None
    content: memoryview
    start: int
    end: int

    def text(self) -> str:
        """Return the content as text. Raises `WireError` if it is not text."""
        try:
            return bytes(self.content).decode("utf-8")
        except UnicodeDecodeError:
            raise WireError("a name in the file is not text") from None


def iter_fields(message: memoryview) -> Iterator[Field]:
    """Yield the fields of a message, in file order.

    Raises `WireError` if the bytes are not a message or end within a field.
    """
    position = 0
    while position < len(message):
        start = position
        key, position = _read_varint(message, position)
        tag, kind = key >> 3, key & 7
        number = None
        if kind == _VARINT:
            number, position = _read_varint(message, position)
            length = 0
        elif kind == _LENGTH:
            length, position = _read_varint(message, position)
        elif kind in _FIXED:
            length = _FIXED[kind]
        else:
            raise WireError("the bytes are not an ONNX model")
        if not 0 < tag <= _MAX_TAG:
            raise WireError("the bytes are not an ONNX model")
        if position + length > len(message):
            raise WireError("the end of the file is missing")
        yield Field(tag, number, message[position : position + length], start, position + length)
        position += length


def iter_messages(message: memoryview, tag: int) -> Iterator[memoryview]:
    """Yield the contents of the fields with a tag: the messages inside a message."""
    return (field.content for field in iter_fields(message) if field.tag == tag)


def read_text(message: memoryview, tag: int) -> str:
    """Return the text under a tag; empty if there is none."""
    return next((field.text() for field in iter_fields(message) if field.tag == tag), "")


def read_number(message: memoryview, tag: int) -> int | None:
    """Return the number under a tag; None if there is none."""
    return next((field.number for field in iter_fields(message) if field.tag == tag), None)


def encode_content(tag: int, content: bytes) -> bytes:
    """Return a field that holds bytes: a text or a nested message."""
    return _encode_varint(tag << 3 | _LENGTH) + _encode_varint(len(content)) + content


def encode_number(tag: int, number: int) -> bytes:
    """Return a field that holds a non-negative number."""
    return _encode_varint(tag << 3 | _VARINT) + _encode_varint(number)


def _read_varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 7 * _MAX_VARINT_BYTES, 7):
        if position >= len(message):
            raise WireError("the end of the file is missing")
        byte = message[position]
        position += 1
        value |= (byte & ~_MORE) << shift
        if byte < _MORE:
            return value, position
    raise WireError("the bytes are not an ONNX model")


def _encode_varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= _MORE:
        encoded.append(value & ~_MORE & 0xFF | _MORE)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


UINT8: Final = 2
FLOAT32: Final = 1
"""Two of ONNX's element types."""

_GRAPH, _METADATA, _FUNCTION = 7, 14, 25  # of ModelProto
_NODE, _INITIALIZER, _INPUT, _OUTPUT, _SPARSE_INITIALIZER = 1, 5, 11, 12, 15  # of GraphProto
_NODE_INPUT, _NODE_OUTPUT, _NODE_ATTRIBUTE = 1, 2, 5  # of NodeProto
_ATTRIBUTE_GRAPHS: Final = (6, 11)  # of AttributeProto
_NAME_OF_PORT, _SPARSE_VALUES = 1, 1
_TENSOR_NAME, _EXTERNAL_DATA, _DATA_LOCATION = 8, 13, 14  # of TensorProto
_EXTERNAL: Final = 1

_MAX_DEPTH: Final = 64
"""The maximum nesting depth of messages."""

_TENSOR: Final = "tensor"
_PARTS: Final = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: _TENSOR, 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: _TENSOR, 6: "graph", 10: _TENSOR, 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: _TENSOR, 2: _TENSOR},
}
"""The message type under each tag, for messages that may contain weights."""


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output: its name, its ONNX element type, its sizes (None for a free one)."""

    name: str
    kind: int
    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """The facts of an ONNX file.

    `outside` names the weights stored in other files. `undefined` names the values that a node reads before any other
    defines them (none in a valid file). `functions` is the number of operators that the file defines itself.
    """

    metadata: dict[str, str]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    outside: tuple[str, ...]
    undefined: tuple[str, ...]
    functions: int


def read_graph(data: bytes) -> Graph:
    """Read the facts of an ONNX file. Raises `WireError` if it is not one or is truncated."""
    model = memoryview(data)
    inputs: list[Port] = []
    outputs: list[Port] = []
    weights = set()
    for graph in iter_messages(model, _GRAPH):
        for field in iter_fields(graph):
            if field.tag == _INITIALIZER:
                weights.add(read_text(field.content, _TENSOR_NAME))
            elif field.tag in (_INPUT, _OUTPUT):
                (inputs if field.tag == _INPUT else outputs).append(_read_port(field.content))
    return Graph(
        metadata=read_metadata(data),
        inputs=tuple(port for port in inputs if port.name not in weights),
        outputs=tuple(outputs),
        outside=tuple(_iter_outside(model, "model", 0)),
        undefined=tuple(name for graph in iter_messages(model, _GRAPH) for name in _iter_undefined(graph)),
        functions=sum(1 for _ in iter_messages(model, _FUNCTION)),
    )


def read_metadata(data: bytes) -> dict[str, str]:
    """Return the metadata of an ONNX file. Raises `WireError` if it is not one or is truncated."""
    return dict(_read_entry(field) for field in iter_fields(memoryview(data)) if field.tag == _METADATA)


def replace_metadata(data: bytes, key: str, value: str | None) -> bytes:
    """Return an ONNX file with the metadata entry `key` set to a value, or removed for None. Nothing else changes.

    Raises `WireError` if `data` is not an ONNX file.
    """
    view = memoryview(data)
    kept = [
        view[field.start : field.end]
        for field in iter_fields(view)
        if not (field.tag == _METADATA and _read_entry(field)[0] == key)
    ]
    if value is None:
        return b"".join(kept)
    entry = encode_content(1, key.encode("utf-8")) + encode_content(2, value.encode("utf-8"))
    return b"".join([*kept, encode_content(_METADATA, entry)])


def _read_entry(field: Field) -> tuple[str, str]:
    return read_text(field.content, 1), read_text(field.content, 2)


def _read_port(message: memoryview) -> Port:
    """Read a ValueInfoProto. Types other than tensors, such as sequences, have the element type 0."""
    kind, shape = 0, []
    for tensor in (tensor for kinds in iter_messages(message, 2) for tensor in iter_messages(kinds, 1)):
        kind = read_number(tensor, 1) or 0
        shape = [
            read_number(size, 1) for sizes in iter_messages(tensor, 2) for size in iter_messages(sizes, 1)
        ]
    return Port(read_text(message, 1), kind, tuple(shape))


def _iter_outside(message: memoryview, what: str, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        raise WireError("the graph is nested too deep")
    for field in iter_fields(message):
        inner = _PARTS[what].get(field.tag)
        if inner == _TENSOR:
            if _lies_outside(field.content):
                yield read_text(field.content, _TENSOR_NAME)
        elif inner is not None:
            yield from _iter_outside(field.content, inner, depth + 1)


def _lies_outside(tensor: memoryview) -> bool:
    return any(
        field.tag == _EXTERNAL_DATA or (field.tag == _DATA_LOCATION and field.number == _EXTERNAL)
        for field in iter_fields(tensor)
    )


def _iter_undefined(graph: memoryview, outer: tuple[set[str], ...] = ()) -> Iterator[str]:
    """Yield the values that a node of a GraphProto reads before any other defines them. A valid graph has none.

    ONNX requires this order. The engine does not refuse a graph with a cycle: it searches for the cycle's beginning
    until the memory is full, which kills the whole process.

    A graph nested in a node also sees the names in `outer`. Raises `WireError` for graphs nested too deep.
    """
    if len(outer) > _MAX_DEPTH:
        raise WireError("the graph is nested too deep")
    known = _given(graph)
    scopes = (*outer, known)
    for node in iter_messages(graph, _NODE):
        fields = list(iter_fields(node))
        read = [field.text() for field in fields if field.tag == _NODE_INPUT]
        yield from (name for name in read if name and not any(name in scope for scope in scopes))
        for attribute in (field.content for field in fields if field.tag == _NODE_ATTRIBUTE):
            for inner in (inner for tag in _ATTRIBUTE_GRAPHS for inner in iter_messages(attribute, tag)):
                yield from _iter_undefined(inner, scopes)
        known.update(field.text() for field in fields if field.tag == _NODE_OUTPUT)


def _given(graph: memoryview) -> set[str]:
    """Return the names that exist before the first node: inputs and weights."""
    inputs = (read_text(port, _NAME_OF_PORT) for port in iter_messages(graph, _INPUT))
    weights = (read_text(tensor, _TENSOR_NAME) for tensor in iter_messages(graph, _INITIALIZER))
    sparse = (
        read_text(values, _TENSOR_NAME)
        for tensor in iter_messages(graph, _SPARSE_INITIALIZER)
        for values in iter_messages(tensor, _SPARSE_VALUES)
    )
    return {*inputs, *weights, *sparse}
