"""Multipart forms, read while they arrive: every limit is enforced before the bytes are kept."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Protocol, TypeVar
from urllib.parse import unquote

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, BeforeValidator, ValidationError, WithJsonSchema
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from hangtag.server.problems import (
    ClientLeftError,
    InvalidRequestError,
    TooLargeError,
    TooManyFilesError,
    UnsupportedMediaError,
    UploadStalledError,
    invalid_value,
)
from hangtag.server.schemas import InvalidValue
from hangtag.server.turns import Pieces

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

SLOWEST_BYTES_A_SECOND: Final = 4096
"""Uploads slower than the slowest mobile networks are ended."""

_PARSED_BYTES: Final = 4096
PACE_SPAN_S: Final = 30.0
MAX_FIELDS: Final = 100
MAX_FIELD_BYTES: Final = 64 * 1024
MAX_NAME_CHARACTERS: Final = 1000
"""The longest file name that is kept. It is only displayed, never used as a path."""

_MEDIA_TYPE: Final = "multipart/form-data"
_USUAL_DISPOSITION: Final = re.compile(rb'form-data; name="([^"\\%]*)"; filename="([^"\\%]*)"')
"""The header as nearly every client writes it, without escaped characters."""

_QUOTED: Final = re.compile(rb'"(?:\\.|[^"\\])*"')
_EXTENDED_NAME: Final = re.compile(rb";\s*filename\*\s*=\s*([\w.:-]*)'[^']*'([^;\s]*)", re.IGNORECASE)
"""A name in the form of RFC 5987: `filename*=utf-8''Bl%C3%BCse.png`."""


class FileSink(Protocol):
    """Receives the bytes of one file of a form. Both methods may raise to refuse the whole form."""

    def write(self, data: bytes) -> None:
        """Append bytes."""
        ...

    def close(self) -> None:
        """Mark the file as complete."""
        ...


Sink = TypeVar("Sink", bound=FileSink)


@dataclass(frozen=True, slots=True)
class FormLimits:
    """The largest form accepted, and the seconds that may pass between two chunks of it."""

    max_bytes: int
    max_files: int
    timeout_s: float


@dataclass(slots=True)
class Form(Generic[Sink]):
    """The fields of a form as (name, value), and its files as (field, sink), both in order."""

    fields: list[tuple[str, str]] = field(default_factory=list)
    files: list[tuple[str, Sink]] = field(default_factory=list)


class FormReader(Generic[Sink]):
    """Parses a multipart body chunk by chunk. `open_file(field, name)` returns the sink for each file.

    Raises `UnsupportedMediaError` if the body is not multipart.
    """

    def __init__(self, content_type: str, limits: FormLimits, open_file: Callable[[str, str], Sink]) -> None:
        self.form: Form[Sink] = Form()
        self._limits = limits
        self._open_file = open_file
        self._received = 0
        self._header, self._value, self._disposition = b"", b"", b""
        self._field, self._text = "", bytearray()
        self._sink: Sink | None = None
        self._is_complete = False
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
            raise _malformed(f"is a malformed form ({error})") from None

    def feed(self, data: bytes) -> None:
        """Parse the next bytes. Raises `TooLargeError`, `TooManyFilesError` or `InvalidRequestError`."""
        self._received += len(data)
        check_size(self._received, self._limits.max_bytes)
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise _malformed(f"is a malformed form ({error})") from None

    def finish(self) -> Form[Sink]:
        """Return the form. Raises `InvalidRequestError` if it is incomplete."""
        if self._received and not self._is_complete:
            raise InvalidRequestError(InvalidValue(field="body", message="the form is incomplete"))
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
        field, name = _read_disposition(self._disposition)
        if field is None:
            raise InvalidRequestError(InvalidValue(field="body", message="a part of the form has no name"))
        self._field = field
        if name is None:
            if len(self.form.fields) >= MAX_FIELDS:
                raise InvalidRequestError(InvalidValue(field="body", message="the form has too many fields"))
            return
        if len(self.form.files) >= self._limits.max_files:
            raise TooManyFilesError(
                f"the request has more than {self._limits.max_files:,} files",
                fix="Send several requests, or make a batch.",
            )
        self._sink = self._open_file(self._field, name[:MAX_NAME_CHARACTERS])

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
        self._is_complete = True


async def read_form(
    request: Request, limits: FormLimits, open_file: Callable[[str, str], Sink], pieces: Pieces
) -> Form[Sink]:
    """Read a request's form. A body whose Content-Length is too large is refused unread.

    Raises the errors of `FormReader`, and `UploadStalledError` if the upload stalls.
    """
    reader = FormReader(request.headers.get("content-type", ""), limits, open_file)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal():
        check_size(int(declared), limits.max_bytes)
    stream = request.stream()
    pace = Pace(asyncio.get_running_loop().time)
    while True:
        try:
            async with asyncio.timeout(limits.timeout_s):
                received = await anext(stream, None)
        except TimeoutError:
            raise UploadStalledError(f"no data arrived for {limits.timeout_s:g} seconds") from None
        if received is None:
            return reader.finish()
        pace.count(len(received))
        pieces.resume()
        for start in range(0, len(received), _PARSED_BYTES):  # it may hold hundreds of small files
            reader.feed(received[start : start + _PARSED_BYTES])
            await pieces.pause()


class Pace:
    """Ends very slow uploads, which would hold their memory and connection for hours."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started = clock()
        self._received = 0

    def count(self, received: int) -> None:
        """Count bytes. Raises `UploadStalledError` at the end of an interval with too few."""
        self._received += received
        passed = self._clock() - self._started
        if passed < PACE_SPAN_S:
            return
        if self._received < SLOWEST_BYTES_A_SECOND * passed:
            raise UploadStalledError(
                f"data arrived at less than {SLOWEST_BYTES_A_SECOND:,} bytes a second for {passed:.0f} seconds"
            )
        self._started, self._received = self._clock(), 0


@asynccontextmanager
async def ending_with_client(request: Request) -> AsyncIterator[None]:
    """End the block if the client disconnects after its request was read.

    Raises `ClientLeftError` then.
    """
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - for the type checker
    has_left = False

    async def watch() -> None:
        nonlocal has_left
        while (await request.receive())["type"] != "http.disconnect":
            pass
        has_left = True
        task.cancel()

    watching = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        if has_left and task.uncancel() == 0:
            raise ClientLeftError("the client disconnected before the response") from None
        raise
    finally:
        watching.cancel()


def check_size(size: int, limit: int) -> None:
    """Raise `TooLargeError` if a body exceeds the limit."""
    if size > limit:
        raise TooLargeError(
            f"the request is larger than {limit:,} bytes", fix="Send fewer photos at a time, or make a batch."
        )


class JsonRoute(APIRoute):
    """A route whose JSON body may not exceed `max_bytes`. FastAPI itself reads a body of any size.

    Reading JSON takes about ten times its size.
    """

    max_bytes: ClassVar[int] = 4 * 1024 * 1024

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, which raises `TooLargeError` while it reads the body."""
        handle = super().get_route_handler()

        async def handle_limited(request: Request) -> Response:
            declared = request.headers.get("content-length", "")
            if declared.isdecimal():
                check_size(int(declared), self.max_bytes)
            try:
                return await handle(Request(request.scope, _limit(request.receive, self.max_bytes)))
            except HTTPException as error:
                if error.status_code == HTTPStatus.BAD_REQUEST:  # FastAPI's error for bytes that are not text
                    raise _malformed("is not JSON in UTF-8") from None
                raise

        return handle if self.body_field is None else handle_limited


def _limit(receive: Receive, most: int) -> Receive:
    received = 0

    async def receive_limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most:
            raise HTTPException(413)  # FastAPI turns any other error of a body into a 400
        return message

    return receive_limited


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    if kind != _MEDIA_TYPE.encode() or not options.get(b"boundary"):
        raise UnsupportedMediaError(f"the body is not {_MEDIA_TYPE}", fix=f"Send the files as {_MEDIA_TYPE}.")
    return options[b"boundary"]


def _malformed(problem: str) -> InvalidRequestError:
    return InvalidRequestError(InvalidValue(field="body", message=problem))


def _read_disposition(disposition: bytes) -> tuple[str | None, str | None]:
    """Return the names of a part's field and file in its Content-Disposition; None for a missing one."""
    usual = _USUAL_DISPOSITION.fullmatch(disposition)
    if usual is not None:  # for a form of hundreds of photos, this saves a quarter of the time
        field, name = usual.groups()
        return _text(field), _text(name)
    _, options = parse_options_header(disposition)
    field = options.get(b"name")
    return None if field is None else _text(field), _file_name(disposition, options)


def _file_name(disposition: bytes, options: Mapping[bytes, bytes]) -> str | None:
    """Return the name of a part's file, or None if the part is a field.

    RFC 7578 forbids `filename*` in forms, but some clients send nothing else for names that are not ASCII.
    """
    if b"filename" in options:
        return _unescape(options[b"filename"])
    extended = _EXTENDED_NAME.search(_QUOTED.sub(b"", disposition))
    if extended is None:
        return None
    charset, name = (group.decode("ascii", "replace") for group in extended.groups())
    try:
        return unquote(name, charset, "replace")
    except LookupError:
        return unquote(name)


def _unescape(data: bytes) -> str:
    """Decode the characters that browsers escape in a form's file names.

    They escape only these three. A percent sign stays unchanged, so any other escape is part of the name.
    """
    for escaped, character in ((b"%22", b'"'), (b"%0D", b"\r"), (b"%0A", b"\n")):
        data = data.replace(escaped, character)
    return _text(data)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


FormModel = TypeVar("FormModel", bound=BaseModel)


def describe_body(form: type[BaseModel]) -> dict[str, Any]:
    """Return the OpenAPI description of a body that the route itself reads."""
    schema = form.model_json_schema(ref_template="#/components/schemas/{model}")
    return {"requestBody": {"required": True, "content": {_MEDIA_TYPE: {"schema": schema}}}}


def validate_form(kind: type[FormModel], form: Form[Any]) -> FormModel:
    """Return a form as a model. Raises `InvalidRequestError`."""
    values: dict[str, list[object]] = {}
    for name, value in [*form.fields, *form.files]:
        values.setdefault(name, []).append(value)
    try:
        return kind.model_validate({name: _one_or_all(kind, name, given) for name, given in values.items()})
    except ValidationError as error:
        raise InvalidRequestError(*map(invalid_value, error.errors())) from None


def _one_or_all(kind: type[BaseModel], name: str, given: list[object]) -> object:
    known = kind.model_fields.get(name)
    if known is not None and getattr(known.annotation, "__origin__", None) is list:
        return given
    if len(given) > 1:
        raise InvalidRequestError(InvalidValue(field=name, message="send this field once"))
    return given[0]


def _require_file(value: object) -> object:
    if isinstance(value, str):
        raise ValueError("send a file with a filename, not text")  # noqa: TRY004 - pydantic turns a ValueError into a message
    return value


REQUIRE_FILE: Final = BeforeValidator(_require_file)
FILE_SCHEMA: Final = WithJsonSchema({"type": "string", "format": "binary"})
"""Annotations of a form's file: `Annotated[InstanceOf[MySink], REQUIRE_FILE, FILE_SCHEMA]`."""
