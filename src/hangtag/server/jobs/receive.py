"""The form that starts a job. Its files are written to the job's folder as they arrive."""

import asyncio
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path, PurePath
from typing import Annotated, BinaryIO, Final

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, InstanceOf
from pydantic.json_schema import SkipJsonSchema

from hangtag.server.jobs.archive import ZIP_STARTS
from hangtag.server.jobs.folder import upload_path
from hangtag.server.jobs.given_table import MAX_TABLE_BYTES, is_table_file
from hangtag.server.problems import InvalidRequestError, TooLargeError, UploadStalledError
from hangtag.server.schemas import InvalidValue
from hangtag.server.settings import Settings
from hangtag.server.uploads import (
    FILE_SCHEMA,
    REQUIRE_FILE,
    Form,
    FormLimits,
    FormReader,
    check_size,
    validate_form,
)

_PIECE_BYTES: Final = 512 * 1024
"""How much is gathered before a thread writes it. Switching threads for every network packet costs more."""


class UploadKind(Enum):
    """The role of an uploaded file."""

    PHOTO = auto()
    ZIP = auto()
    TABLE = auto()


@dataclass
class Upload:
    """A file of the form: its number in the job's folder, the client's name for it, its kind and its size in bytes.

    A photo over the limit is cut one byte past it.
    """

    number: int
    name: str
    kind: UploadKind
    size: int = 0


@dataclass(frozen=True, slots=True)
class ReceivedForm:
    """The form of a job. Without a `model` the default one is used."""

    uploads: list[Upload]
    model: str | None = None
    title: str = ""
    photo_column: str | None = None


class UploadWriter:
    """Writes one uploaded file."""

    def __init__(self, folder: Path, upload: Upload, max_photo_bytes: int) -> None:
        self.upload = upload
        self._max_photo_bytes = max_photo_bytes
        self._file: BinaryIO = upload_path(folder, upload.number).open("wb")

    def write(self, data: bytes) -> None:
        """Append bytes. Raises `TooLargeError` for a table over the limit."""
        upload = self.upload
        if not upload.size and upload.kind is UploadKind.PHOTO and data.startswith(ZIP_STARTS):
            upload.kind = UploadKind.ZIP
        upload.size += len(data)
        if upload.kind is UploadKind.TABLE and upload.size > MAX_TABLE_BYTES:
            raise TooLargeError(f"the table {upload.name} is larger than {MAX_TABLE_BYTES:,} bytes")
        if upload.kind is UploadKind.PHOTO:
            data = data[: max(0, self._max_photo_bytes + 1 - self._file.tell())]
        self._file.write(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


File = Annotated[InstanceOf[UploadWriter], REQUIRE_FILE, FILE_SCHEMA]


class JobForm(BaseModel):
    """The files of a job, and how to label them."""

    model_config = ConfigDict(extra="forbid")

    files: list[File] = Field(
        min_length=1,
        description="Photos, zip files of photos, and at most one table (CSV or XLSX) that lists them.",
    )
    model: str | SkipJsonSchema[None] = Field(
        None, description="The id of the model. Defaults to the service's default model."
    )
    title: str = Field(
        "", description="The job's title. Defaults to the name of the zip file or the number of photos."
    )
    photo_column: str | SkipJsonSchema[None] = Field(
        None, description="The column of the table that names the photos. Detected if not given."
    )


async def receive_form(request: Request, folder: Path, settings: Settings) -> ReceivedForm:
    """Read the form of a job and write its files to `folder`, named by their numbers.

    Raises the errors of `FormReader`, and `UploadStalledError` if the upload stalls.
    """
    limits = FormLimits(settings.max_job_bytes, settings.max_job_photos + 1, settings.upload_timeout_s)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal():
        check_size(int(declared), limits.max_bytes)
    writers: list[UploadWriter] = []

    def open_file(_field: str, name: str) -> UploadWriter:
        upload = Upload(len(writers), name, _kind_of(name))
        writers.append(UploadWriter(folder, upload, settings.max_file_bytes))
        return writers[-1]

    reader = FormReader(request.headers.get("content-type", ""), limits, open_file)
    try:
        form = await _read(request, reader, limits.timeout_s)
    finally:
        for writer in writers:
            writer.close()
    return _check_form(form)


async def _read(request: Request, reader: FormReader[UploadWriter], timeout_s: float) -> Form[UploadWriter]:
    """Feed the reader on a thread, so that a slow disk does not block the event loop."""
    pieces = request.stream()
    gathered = bytearray()
    while True:
        try:
            async with asyncio.timeout(timeout_s):
                piece = await anext(pieces, b"")
        except TimeoutError:
            raise UploadStalledError(f"no data arrived for {timeout_s:g} seconds") from None
        gathered += piece
        if len(gathered) >= _PIECE_BYTES or not piece:
            await asyncio.to_thread(reader.feed, bytes(gathered))
            gathered.clear()
        if not piece:
            return reader.finish()


def _check_form(form: Form[UploadWriter]) -> ReceivedForm:
    """Return a parsed form. Raises `InvalidRequestError`."""
    values = validate_form(JobForm, form)
    # An HTML form whose file field was left empty sends a file without a name and without bytes.
    uploads = [writer.upload for writer in values.files if writer.upload.name or writer.upload.size]
    tables = [upload.name for upload in uploads if upload.kind is UploadKind.TABLE]
    if len(tables) > 1:
        message = f"send one table; got {', '.join(tables[:5])}"
        raise InvalidRequestError(InvalidValue(field="files", message=message))
    return ReceivedForm(uploads, values.model or None, values.title.strip(), values.photo_column or None)


def _kind_of(name: str) -> UploadKind:
    if is_table_file(name):
        return UploadKind.TABLE
    return UploadKind.ZIP if PurePath(name).suffix.lower() == ".zip" else UploadKind.PHOTO
