"""The form that starts a job: its files go to the job's folder while they arrive."""

import asyncio
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path, PurePath
from typing import Annotated, BinaryIO, Final

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from hangtag.server.forms import require_file, validate_form
from hangtag.server.jobs.archive import ZIP_STARTS
from hangtag.server.jobs.folder import upload_path
from hangtag.server.jobs.given_table import MAX_TABLE_BYTES, TABLE_SUFFIXES
from hangtag.server.problems import InvalidRequestError, TooLargeError, UploadStalledError
from hangtag.server.schemas import InvalidValue
from hangtag.server.settings import Settings
from hangtag.server.uploads import Form, FormLimits, FormReader, check_size

_PIECE_BYTES: Final = 512 * 1024
"""How much is gathered before a thread writes it: a change of thread for every network packet would cost more."""


class UploadKind(Enum):
    """What an uploaded file is to a job."""

    PHOTO = auto()
    ZIP = auto()
    TABLE = auto()


@dataclass
class Upload:
    """A file of the form: its number in the job's folder, what the client calls it, what it is, its size in bytes.

    Of a photo that is too large no more is kept than shows that it is.
    """

    number: int
    name: str
    kind: UploadKind
    size: int = 0


@dataclass(frozen=True, slots=True)
class ReceivedForm:
    """The form of a job. Without a `model` the default one is meant."""

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
        """Take the next bytes; raises `TooLargeError` for a table with too many."""
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


File = Annotated[
    InstanceOf[UploadWriter],
    BeforeValidator(require_file),
    WithJsonSchema({"type": "string", "format": "binary"}),
]


class JobForm(BaseModel):
    """The photos of a job, and how to label them."""

    model_config = ConfigDict(extra="forbid")

    files: list[File] = Field(
        min_length=1, description="Photos, zips of photos, and at most one table (CSV, XLSX) that names them."
    )
    model: str | SkipJsonSchema[None] = Field(
        None, description="The model's id; without it the default one answers."
    )
    title: str = Field("", description="What to call the job.")
    photo_column: str | SkipJsonSchema[None] = Field(
        None, description="Which column of the table names the photos; it is found without."
    )


async def receive_form(request: Request, folder: Path, settings: Settings) -> ReceivedForm:
    """Read the form of a job; its files lie in `folder` then, under their numbers.

    Raises the errors of `FormReader`, and `UploadStalledError` when nothing comes for too long.
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
    """Feed the reader on a thread, so that a slow disk holds up nobody else."""
    pieces = request.stream()
    gathered = bytearray()
    while True:
        try:
            async with asyncio.timeout(timeout_s):
                piece = await anext(pieces, b"")
        except TimeoutError:
            raise UploadStalledError(f"nothing came for {timeout_s:g} seconds") from None
        gathered += piece
        if len(gathered) >= _PIECE_BYTES or not piece:
            await asyncio.to_thread(reader.feed, bytes(gathered))
            gathered.clear()
        if not piece:
            return reader.finish()


def _check_form(form: Form[UploadWriter]) -> ReceivedForm:
    """Return what a form means; raises `InvalidRequestError`."""
    values = validate_form(JobForm, form)
    # A form whose file field was left empty sends one file without a name and without bytes.
    uploads = [writer.upload for writer in values.files if writer.upload.name or writer.upload.size]
    tables = [upload.name for upload in uploads if upload.kind is UploadKind.TABLE]
    if len(tables) > 1:
        message = f"there can be one table, and there are {', '.join(tables[:5])}"
        raise InvalidRequestError(InvalidValue(field="files", message=message))
    return ReceivedForm(uploads, values.model or None, values.title.strip(), values.photo_column or None)


def _kind_of(name: str) -> UploadKind:
    suffix = PurePath(name).suffix.lower()
    if suffix in TABLE_SUFFIXES:
        return UploadKind.TABLE
    return UploadKind.ZIP if suffix == ".zip" else UploadKind.PHOTO
