"""Changing the heads of a bundle's graph without the ONNX package, so that adapting does not need the `train` extra.

A head is changed by adding a linear function of the embedding to its logits. If the head is a single linear layer on
the embedding, the two layers are merged into one, so an adapted graph has as many layers as before.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hangtag.bundle.graph import (
    FLOAT32,
    Field,
    encode_content,
    encode_number,
    iter_fields,
    iter_messages,
    read_number,
    read_text,
)
from hangtag.domain.errors import BundleError

_GRAPH: Final = 7  # of ModelProto
_NODE, _INITIALIZER, _OUTPUT = 1, 5, 12  # of GraphProto
_NODE_INPUT, _NODE_OUTPUT, _NODE_NAME, _NODE_TYPE, _NODE_ATTRIBUTE = 1, 2, 3, 4, 5
_ATTRIBUTE_NAME, _ATTRIBUTE_FLOAT, _ATTRIBUTE_INT, _ATTRIBUTE_TYPE = 1, 2, 3, 20
_INT: Final = 2
_DIMS, _DATA_TYPE, _FLOAT_DATA, _TENSOR_NAME, _RAW_DATA = 1, 2, 4, 8, 9  # of TensorProto
_FLOAT16: Final = 10
_PREFIX: Final = "hangtag.adapted"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class HeadShift:
    """What is added to the logits of a head: `weights` float32 (classes, d) on the embedding, and `bias` (classes,).

    `known` is how many of the classes, the first ones, the head already has; it is 0 for a column without a head.
    """

    weights: Floats
    bias: Floats
    known: int

    def apply(self, embedding: Floats, logits: Floats) -> Floats:
        """Return the logits (n, classes) of the shifted head, for embeddings (n, d) and its own logits (n, known)."""
        moved: Floats = embedding @ self.weights.T + self.bias
        moved[:, : self.known] += logits
        return moved


@dataclass(frozen=True, slots=True)
class LinearHead:
    """A head that is one linear layer on the embedding: `weights` float32 (classes, d) and `bias` (classes,)."""

    weights: Floats
    bias: Floats


@dataclass(frozen=True, slots=True)
class _Node:
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    kind: str
    numbers: Mapping[str, float]
    content: bytes

    @classmethod
    def parse(cls, message: memoryview) -> "_Node":
        fields = list(iter_fields(message))
        return cls(
            tuple(field.text() for field in fields if field.tag == _NODE_INPUT),
            tuple(field.text() for field in fields if field.tag == _NODE_OUTPUT),
            read_text(message, _NODE_TYPE),
            dict(_read_attribute(field.content) for field in fields if field.tag == _NODE_ATTRIBUTE),
            bytes(message),
        )


class GraphHeads:
    """The heads of an ONNX graph, by output name, and the output that holds the embedding."""

    def __init__(self, model: bytes, embedding: str) -> None:
        self._embedding = embedding
        self._model = list(iter_fields(memoryview(model)))
        self._view = memoryview(model)
        self._graph = next(iter_messages(self._view, _GRAPH))
        self._nodes = [_Node.parse(node) for node in iter_messages(self._graph, _NODE)]
        self._made_by = {output: node for node in self._nodes for output in node.outputs}
        self._tensors = {
            read_text(tensor, _TENSOR_NAME): tensor for tensor in iter_messages(self._graph, _INITIALIZER)
        }

    def linear_head(self, column: str) -> LinearHead | None:
        """Return the layer of a head that is linear on the embedding; None for any other head."""
        node = self._made_by.get(column)
        is_plain = node is not None and node.kind == "Gemm" and len(node.inputs) == 3  # noqa: PLR2004
        if node is None or not is_plain or self._origin(node.inputs[0]) != self._origin(self._embedding):
            return None
        if any(node.numbers.get(name, 1.0) != 1 for name in ("alpha", "beta")) or node.numbers.get("transA"):
            return None
        weights, bias = (self.constant(name) for name in node.inputs[1:])
        if weights is None or bias is None:
            return None
        return LinearHead(weights if node.numbers.get("transB") else weights.T, bias.reshape(-1))

    def find_shift(self, column: str, adapted: "GraphHeads") -> HeadShift | None:
        """Return what an adapted graph adds to the logits of a head of this one; None if it adds nothing."""
        before, after = self.linear_head(column), adapted.linear_head(column)
        if after is None:
            weights, bias = (adapted.constant(f"{_PREFIX}.{column}.{name}") for name in ("weight", "bias"))
            wider = adapted.constant(f"{_PREFIX}.{column}.wider")
            if weights is None or bias is None:
                return None
            return HeadShift(weights, bias, len(bias) if wider is None else len(wider))
        if before is None:
            return None if column in self._made_by else HeadShift(after.weights, after.bias, 0)
        known = len(before.bias)
        weights, bias = after.weights.copy(), after.bias.copy()
        weights[:known] -= before.weights
        bias[:known] -= before.bias
        return HeadShift(weights, bias, known) if weights.any() or bias.any() else None

    def render(self, shifts: Mapping[str, HeadShift]) -> bytes:
        """Return the model with these heads changed, by column. All else stays unchanged, bit for bit.

        Raises `BundleError` for a head that the graph does not have, and for shifts that do not match the embedding's
        size.
        """
        added: list[bytes] = []
        dropped: set[str] = set()
        renamed: dict[str, str] = {}
        for column, shift in shifts.items():
            if shift.known and column not in self._made_by:
                raise BundleError(f"the model has no head {column!r} to change")
            linear = self.linear_head(column) if shift.known else None
            if linear is not None:
                shift = _merge(linear, shift)  # noqa: PLW2901 - the same change, written as one layer
                dropped.add(column)
            elif shift.known:
                renamed[column] = f"{_PREFIX}.{column}.before"
            added += self._render_shift(column, shift, renamed.get(column))
        graph = b"".join([*self._iter_kept(shifts, renamed, dropped), *added])
        parts = [
            encode_content(_GRAPH, graph)
            if field.tag == _GRAPH
            else bytes(self._view[field.start : field.end])
            for field in self._model
        ]
        return b"".join(parts)

    def _render_shift(self, column: str, shift: HeadShift, before: str | None) -> Iterator[bytes]:
        """Yield the fields of the graph that form a head: its weights, its nodes, and its output."""
        name = f"{_PREFIX}.{column}"
        weights, bias, moved = f"{name}.weight", f"{name}.bias", f"{name}.shift"
        yield _tensor(weights, shift.weights)
        yield _tensor(bias, shift.bias)
        product = column if before is None else moved
        yield _node("Gemm", (self._embedding, weights, bias), product, {"transB": 1})
        if before is not None:
            if shift.known < len(shift.bias):
                wider = np.eye(shift.known, len(shift.bias), dtype=np.float32)
                yield _tensor(f"{name}.wider", wider)
                yield _node("MatMul", (before, f"{name}.wider"), f"{before}.wider", {})
                before = f"{before}.wider"
            yield _node("Add", (before, moved), column, {})
        yield _output(column, len(shift.bias))

    def _iter_kept(
        self, shifts: Mapping[str, HeadShift], renamed: Mapping[str, str], dropped: set[str]
    ) -> Iterator[bytes]:
        unneeded = self._find_unneeded(dropped)
        for field in iter_fields(self._graph):
            if field.tag == _OUTPUT and read_text(field.content, 1) in shifts:
                continue
            if field.tag == _INITIALIZER and read_text(field.content, _TENSOR_NAME) in unneeded:
                continue
            if field.tag == _NODE:
                outputs = _Node.parse(field.content).outputs
                if unneeded.intersection(outputs):
                    continue
                if any(output in renamed for output in outputs):
                    yield encode_content(_NODE, _rename_outputs(field.content, renamed))
                    continue
            yield bytes(self._graph[field.start : field.end])

    def _find_unneeded(self, dropped: set[str]) -> set[str]:
        """Return the values that nothing reads once the nodes that define `dropped` are removed."""
        unneeded = set(dropped)
        waiting = [self._made_by[name] for name in dropped]
        while waiting:
            for name in waiting.pop().inputs:
                readers = [node for node in self._nodes if name in node.inputs]
                is_output = name == self._embedding or name in unneeded
                if not is_output and all(unneeded.issuperset(node.outputs) for node in readers):
                    unneeded.add(name)
                    if name in self._made_by:
                        waiting.append(self._made_by[name])
        return unneeded

    def _origin(self, name: str) -> str:
        """Return the original name of a value, through `Identity` nodes."""
        while (node := self._made_by.get(name)) is not None and node.kind == "Identity":
            name = node.inputs[0]
        return name

    def constant(self, name: str) -> Floats | None:
        """Return the numbers of a weight, including one that is stored in half precision and cast."""
        node = self._made_by.get(name)
        if node is not None and node.kind == "Cast":
            return self.constant(node.inputs[0])
        return None if name not in self._tensors else _read_tensor(self._tensors[name])


def _merge(linear: LinearHead, shift: HeadShift) -> HeadShift:
    weights, bias = shift.weights.copy(), shift.bias.copy()
    weights[: shift.known] += linear.weights
    bias[: shift.known] += linear.bias
    return HeadShift(weights, bias, shift.known)


def _read_attribute(message: memoryview) -> tuple[str, float]:
    number = read_number(message, _ATTRIBUTE_INT)
    if number is None:
        content = next(
            (field.content for field in iter_fields(message) if field.tag == _ATTRIBUTE_FLOAT), None
        )
        number_read = 0.0 if content is None else float(np.frombuffer(content, "<f4")[0])
        return read_text(message, _ATTRIBUTE_NAME), number_read
    return read_text(message, _ATTRIBUTE_NAME), number


def _read_tensor(tensor: memoryview) -> Floats | None:
    """Return the numbers of a float32 or float16 tensor; None for other types."""
    kinds = {FLOAT32: "<f4", _FLOAT16: "<f2"}
    fields = list(iter_fields(tensor))
    kind = kinds.get(read_number(tensor, _DATA_TYPE) or 0)
    shape = [size for field in fields if field.tag == _DIMS for size in _read_numbers(field)]
    raw = b"".join(bytes(field.content) for field in fields if field.tag == _RAW_DATA)
    if kind is None or (not raw and kind != kinds[FLOAT32]):
        return None
    if not raw:  # stored as a list of float32
        raw = b"".join(bytes(field.content) for field in fields if field.tag == _FLOAT_DATA)
    values = np.frombuffer(raw, kind).astype(np.float32)
    return values.reshape(shape) if values.size == np.prod(shape, dtype=int) else None


def _read_numbers(field: Field) -> Iterable[int]:
    """Return the numbers of a repeated field, which may be stored one by one or packed."""
    if field.number is not None:
        return [field.number]
    numbers, value, shift = [], 0, 0
    for byte in field.content:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:  # noqa: PLR2004 - the bit that says that more follows
            numbers.append(value)
            value, shift = 0, 0
    return numbers


def _tensor(name: str, values: Floats) -> bytes:
    parts = [encode_number(_DIMS, size) for size in values.shape]
    parts += [encode_number(_DATA_TYPE, FLOAT32), encode_content(_TENSOR_NAME, name.encode())]
    parts.append(encode_content(_RAW_DATA, np.ascontiguousarray(values, "<f4").tobytes()))
    return encode_content(_INITIALIZER, b"".join(parts))


def _node(kind: str, inputs: Iterable[str], output: str, numbers: Mapping[str, int]) -> bytes:
    parts = [encode_content(_NODE_INPUT, name.encode()) for name in inputs]
    parts.append(encode_content(_NODE_OUTPUT, output.encode()))
    parts.append(encode_content(_NODE_NAME, f"{_PREFIX}.node.{output}".encode()))
    parts.append(encode_content(_NODE_TYPE, kind.encode()))
    for name, number in numbers.items():
        attribute = encode_content(_ATTRIBUTE_NAME, name.encode()) + encode_number(_ATTRIBUTE_INT, number)
        parts.append(encode_content(_NODE_ATTRIBUTE, attribute + encode_number(_ATTRIBUTE_TYPE, _INT)))
    return encode_content(_NODE, b"".join(parts))


def _output(name: str, width: int) -> bytes:
    sizes = [encode_content(1, encode_content(2, b"count")), encode_content(1, encode_number(1, width))]
    tensor = encode_number(1, FLOAT32) + encode_content(2, b"".join(sizes))
    return encode_content(
        _OUTPUT, encode_content(1, name.encode()) + encode_content(2, encode_content(1, tensor))
    )


def _rename_outputs(node: memoryview, renamed: Mapping[str, str]) -> bytes:
    parts = []
    for field in iter_fields(node):
        is_renamed = field.tag == _NODE_OUTPUT and field.text() in renamed
        parts.append(
            encode_content(_NODE_OUTPUT, renamed[field.text()].encode())
            if is_renamed
            else bytes(node[field.start : field.end])
        )
    return b"".join(parts)
