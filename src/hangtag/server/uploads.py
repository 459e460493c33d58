"""Forms with files, read while they arrive: every limit holds before the bytes are kept."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar
from urllib.parse import unquote

from fastapi import Request
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from hangtag.server.problems import (
    InvalidRequestError,
    TooLargeError,
    TooManyFilesError,
    UnsupportedMediaError,
    UploadStalledError,
)
from hangtag.server.schemas import InvalidValue

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_QUOTED: Final = re.compile(rb'"(?:\\.|[^"\\])*"')
_EXTENDED_NAME: Final = re.compile(rb";\s*filename\*\s*=\s*([\w.:-]*)'[^']*'([^;\s]*)", re.IGNORECASE)
MAX_FIELDS: Final = 100
MAX_FIELD_BYTES: Final = 64 * 1024
MAX_NAME_CHARACTERS: Final = 1000
"""What is kept of a file's name. It is shown, and never becomes the name of a file here."""


class FileSink(Protocol):
    """What takes the bytes of one file of a form. Both methods may raise to refuse the whole form."""

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        ...

    def close(self) -> None:
        """Know that the file is whole."""
        ...


Sink = TypeVar("Sink", bound=FileSink)


@dataclass(frozen=True, slots=True)
class FormLimits:
    """What a form may hold, and how many seconds may pass between two pieces of it."""

    max_bytes: int
    max_files: int
    timeout_s: float


@dataclass(slots=True)
class Form(Generic[Sink]):
    """A form: its fields, and its files with the field that each was in, both in order."""

    fields: list[tuple[str, str]] = field(default_factory=list)
    files: list[tuple[str, Sink]] = field(default_factory=list)


class FormReader(Generic[Sink]):
    """Takes a multipart body piece by piece; `open_file(field, name)` gives the sink for each file.

    Raises `UnsupportedMediaError` for a body of another kind.
    """

    def __init__(self, content_type: str, limits: FormLimits, open_file: Callable[[str, str], Sink]) -> None:
        self.form: Form[Sink] = Form()
        self._limits = limits
        self._open_file = open_file
        self._received = 0
        self._header, self._value, self._disposition = b"", b"", b""
        self._field, self._text = "", bytearray()
        self._sink: Sink | None = None
        self._is_whole = False
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin,
            "on_header_field": self._add_header,
            "on_header_value": self._add_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._open,
            "on_part_data": self._add_data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(_boundary(content_type), callbacks)
        except FormParserError as error:
            raise _broken(error) from None

    def feed(self, data: bytes) -> None:
        """Take the next bytes; raises `TooLargeError`, `TooManyFilesError` or `InvalidRequestError`."""
        self._received += len(data)
        check_size(self._received, self._limits.max_bytes)
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise _broken(error) from None

    def finish(self) -> Form[Sink]:
        """Return the form; raises `InvalidRequestError` when it is cut off."""
        if self._received and not self._is_whole:
            raise InvalidRequestError(InvalidValue(field="body", message="the form is cut off"))
        return self.form

    def _begin(self) -> None:
        self._header, self._value, self._disposition = b"", b"", b""
        self._text = bytearray()
        self._sink = None

    def _add_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def _open(self) -> None:
        _, options = parse_options_header(self._disposition)
        extended = _extended_name(self._disposition)
        if b"filename" not in options and extended is not None:
            options[b"filename"] = extended
        if b"name" not in options:
            raise InvalidRequestError(InvalidValue(field="body", message="a part of the form has no name"))
        self._field = _text(options[b"name"])
        if b"filename" not in options:
            if len(self.form.fields) >= MAX_FIELDS:
                raise InvalidRequestError(InvalidValue(field="body", message="the form has too many fields"))
            return
        if len(self.form.files) >= self._limits.max_files:
            raise TooManyFilesError(
                f"the request has more than {self._limits.max_files:,} files",
                fix="Send them in several requests, or as a job.",
            )
        name = _file_name(options[b"filename"])[:MAX_NAME_CHARACTERS]
        self._sink = self._open_file(self._field, name)

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if self._sink is not None:
            self._sink.write(piece)
            return
        if len(self._text) + len(piece) > MAX_FIELD_BYTES:
            raise InvalidRequestError(InvalidValue(field=self._field, message="the value is too long"))
        self._text += piece

    def _end_part(self) -> None:
        if self._sink is None:
            self.form.fields.append((self._field, _text(bytes(self._text))))
        else:
            self._sink.close()
            self.form.files.append((self._field, self._sink))

    def _end(self) -> None:
        self._is_whole = True


async def read_form(
    request: Request, limits: FormLimits, open_file: Callable[[str, str], Sink]
) -> Form[Sink]:
    """Read a request's form. A body that says that it is too large is refused before it is read.

    Raises the errors of `FormReader`, and `UploadStalledError` when nothing comes for too long.
    """
    reader = FormReader(request.headers.get("content-type", ""), limits, open_file)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal():
        check_size(int(declared), limits.max_bytes)
    pieces = request.stream()
    while True:
        try:
            async with asyncio.timeout(limits.timeout_s):
                piece = await anext(pieces, None)
        except TimeoutError:
            raise UploadStalledError(f"nothing came for {limits.timeout_s:g} seconds") from None
        if piece is None:
            return reader.finish()
        reader.feed(piece)


def check_size(size: int, limit: int) -> None:
    """Raise `TooLargeError` when a body is larger than it may be."""
    if size > limit:
        raise TooLargeError(
            f"the request is larger than {limit:,} bytes", fix="Send fewer photos at a time, or a job."
        )


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise UnsupportedMediaError(
            "the body is not a form with files", fix="Send it as multipart/form-data."
        )
    return options[b"boundary"]


def _broken(error: FormParserError) -> InvalidRequestError:
    return InvalidRequestError(InvalidValue(field="body", message=f"the form is broken ({error})"))


def _extended_name(disposition: bytes) -> bytes | None:
    """Return the name that a client sent as `filename*=utf-8''Bl%C3%BCse.png`, in UTF-8; None where it sent none.

    RFC 7578 (4.2) forbids this form, and some clients use it for every name that is not ASCII.
    """
    found = _EXTENDED_NAME.search(_QUOTED.sub(b"", disposition))
    if found is None:
        return None
    charset, name = (group.decode("ascii", "replace") for group in found.groups())
    try:
        return unquote(name, charset, "replace").encode()
    except LookupError:
        return unquote(name).encode()


def _file_name(data: bytes) -> str:
    """Return a file's name as it was before a browser wrote it into the form.

    Of all characters browsers escape these three there, and not the per cent sign itself, so that any other escape is a
    part of the name.
    """
    for escaped, character in ((b"%22", b'"'), (b"%0D", b"\r"), (b"%0A", b"\n")):
        data = data.replace(escaped, character)
    return _text(data)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
