"""The protobuf encoding that ONNX files are written in, as far as a bundle needs it.

The `onnx` package is not used for this: its import alone takes several times longer than reading a bundle here.
https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_FIXED: Final = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}
_MAX_VARINT_BYTES: Final = 10
_MAX_TAG: Final = 2**29 - 1
_MORE: Final = 0x80
"""The bit that says that another byte of the number follows."""


class WireError(ValueError):
    """The bytes are not a protobuf message, or its end is missing."""


class Field(NamedTuple):
    """A field of a message. `number` is a varint's value, `content` holds the bytes of any other kind.

    The whole field, with its tag, lies at `start` to `end` of the message.
    """

    tag: int
    number: int | None
    content: memoryview
    start: int
    end: int

    def text(self) -> str:
        """Return the content as text. Raises `WireError` if it is none."""
        try:
            return bytes(self.content).decode("utf-8")
        except UnicodeDecodeError:
            raise WireError("a name in the file is not text") from None


def iter_fields(message: memoryview) -> Iterator[Field]:
    """Yield the fields of a message, in file order.

    Raises `WireError` if the bytes are no message or end in the middle of a field.
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
    """Return the text under a tag, empty when there is none."""
    return next((field.text() for field in iter_fields(message) if field.tag == tag), "")


def read_number(message: memoryview, tag: int) -> int | None:
    """Return the number under a tag, None when there is none."""
    return next((field.number for field in iter_fields(message) if field.tag == tag), None)


def encode_content(tag: int, content: bytes) -> bytes:
    """Return a field that holds bytes: a text or an inner message."""
    return _encode_varint(tag << 3 | _LENGTH) + _encode_varint(len(content)) + content


def encode_number(tag: int, number: int) -> bytes:
    """Return a field that holds a number, which is not negative."""
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
