"""The metadata of an ONNX file, read without the `onnx` package and without loading the weights.

An ONNX file is one protobuf message. Its metadata are small fields beside the one huge field that holds the
graph, so stepping over the graph reads a card in a millisecond, whatever the size of the model.
"""

import io
import os
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

_METADATA_FIELD: Final = 14  # ModelProto.metadata_props, a StringStringEntryProto each: key = 1, value = 2
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_MAX_VARINT_BYTES: Final = 10
_MAX_METADATA_BYTES: Final = 64_000_000


class WireError(ValueError):
    """The bytes are not a protobuf message, or its end is missing."""


class _Field(NamedTuple):
    number: int
    kind: int
    length: int


def read_metadata(file: BinaryIO) -> dict[str, str]:
    """Return the metadata of the ONNX file that is open at its beginning.

    Raises `WireError` when the bytes are no protobuf message or are cut off.
    """
    metadata = {}
    for field in _iter_fields(file):
        if field.number != _METADATA_FIELD or field.kind != _LENGTH:
            file.seek(field.length, os.SEEK_CUR)
            continue
        if field.length > _MAX_METADATA_BYTES:
            raise WireError("an entry of the metadata is too large")
        key, value = _read_entry(file.read(field.length))
        metadata[key] = value
    return metadata


def _iter_fields(file: BinaryIO) -> Iterator[_Field]:
    """Yield each field with the file standing at its content, which the caller reads or steps over."""
    start = file.tell()
    end = file.seek(0, os.SEEK_END)
    file.seek(start)
    while file.tell() < end:
        tag = _read_varint(file)
        number, kind = tag >> 3, tag & 7
        if number == 0 or kind not in (_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES):
            raise WireError("the bytes are not an ONNX model")
        if kind == _VARINT:
            _read_varint(file)
            length = 0
        else:
            length = _read_varint(file) if kind == _LENGTH else {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}[kind]
        if file.tell() + length > end:
            raise WireError("the end of the file is missing")
        yield _Field(number, kind, length)


def _read_varint(file: BinaryIO) -> int:
    value = 0
    for position in range(_MAX_VARINT_BYTES):
        byte = file.read(1)
        if not byte:
            raise WireError("the end of the file is missing")
        value |= (byte[0] & 0x7F) << (7 * position)
        if byte[0] < 0x80:  # noqa: PLR2004 - the high bit says that another byte follows
            return value
    raise WireError("the bytes are not an ONNX model")


def _read_entry(content: bytes) -> tuple[str, str]:
    file = io.BytesIO(content)
    texts = {1: "", 2: ""}
    for field in _iter_fields(file):
        try:
            texts[field.number] = file.read(field.length).decode("utf-8")
        except UnicodeDecodeError:
            raise WireError("the metadata are not text") from None
    return texts[1], texts[2]
