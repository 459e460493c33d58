"""The upload form of a batch. Files are written to a folder as they arrive, then added to the batch."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO, Final

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, InstanceOf, ValidationError
from pydantic.type_adapter import TypeAdapter

from hangtag.server.problems import InvalidRequestError, UploadStalledError
from hangtag.server.schemas import BooleanText, InvalidValue
from hangtag.server.settings import Settings
from hangtag.server.uploads import (
    FILE_SCHEMA,
    REQUIRE_FILE,
    Form,
    FormLimits,
    FormModel,
    FormReader,
    Pace,
    check_size,
    validate_form,
)
from hangtag.store.intake import MAX_SHEET_BYTES, ZIP_STARTS, IncomingFile
from hangtag.tables.reading import is_table_name

_PIECE_BYTES: Final = 512 * 1024
"""How many bytes are buffered before a thread writes them. Switching threads for every packet costs more."""

_PATHS: Final = TypeAdapter(list[str])


class FileWriter:
    """Writes one file of the form. A photo or table over its limit is cut one byte past it, and refused later."""

    def __init__(self, path: Path, name: str, max_photo_bytes: int) -> None:
        self.file = IncomingFile(path, name)
        self.size = 0
        self._most: int | None = MAX_SHEET_BYTES if is_table_name(name) else max_photo_bytes
        self._opened: BinaryIO = path.open("wb")

    def write(self, data: bytes) -> None:
        """Append bytes."""
        if not self.size and data.startswith(ZIP_STARTS) and not is_table_name(self.file.name):
            self._most = None
        self.size += len(data)
        if self._most is not None:
            data = data[: max(0, self._most + 1 - self._opened.tell())]
        self._opened.write(data)

    def close(self) -> None:
        """Close the file."""
        self._opened.close()


File = Annotated[InstanceOf[FileWriter], REQUIRE_FILE, FILE_SCHEMA]


class BatchFilesForm(BaseModel):
    """Photos, zips of photos, and tables. A file's name may be a path within a folder."""

    model_config = ConfigDict(extra="forbid")

    files: list[File] = Field(min_length=1, description="Photos, zips and tables, together or alone.")
    paths: str = Field(
        "", description="A JSON list of the files' paths within a folder, where their names do not say them."
    )
    skip_duplicates: BooleanText = Field(
        default=False, description="Whether to leave out photos that came before, in this batch or another."
    )


class DecisionsForm(BaseModel):
    """A file of decisions: a table with the columns photo, attribute, label and reviewer, or Label Studio's JSON."""

    model_config = ConfigDict(extra="forbid")

    file: File = Field(description="The table, or the JSON that Label Studio exports.")
    batch: str = Field("", description="The batch that has the photos, if their names occur in several.")


@dataclass(frozen=True, slots=True)
class ReceivedBatchFiles:
    """The files of a form, in a folder."""

    files: list[IncomingFile]
    skip_duplicates: bool


async def receive_form(
    request: Request, folder: Path, settings: Settings, kind: type[FormModel]
) -> FormModel:
    """Read a form of some kind and write its files to `folder`.

    Raises the errors of `FormReader`, and `UploadStalledError` if the upload stalls.
    """
    limits = FormLimits(settings.max_upload_bytes, settings.max_batch_photos, settings.upload_timeout_s)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal():
        check_size(int(declared), limits.max_bytes)
    writers: list[FileWriter] = []

    def open_file(_field: str, name: str) -> FileWriter:
        writers.append(FileWriter(folder / str(len(writers)), name, settings.max_file_bytes))
        return writers[-1]

    reader = FormReader(request.headers.get("content-type", ""), limits, open_file)
    try:
        form = await _read(request, reader, limits.timeout_s)
    finally:
        for writer in writers:
            writer.close()
    return validate_form(kind, form)


async def receive_files(request: Request, folder: Path, settings: Settings) -> ReceivedBatchFiles:
    """Read the form and write its files to `folder`. Raises as `receive_form` does."""
    values = await receive_form(request, folder, settings, BatchFilesForm)
    # An HTML form with an empty file field sends a file without a name and bytes.
    sent = [writer for writer in values.files if writer.file.name or writer.size]
    paths = _read_paths(values.paths, len(sent))
    files = [
        IncomingFile(writer.file.path, path or writer.file.name)
        for writer, path in zip(sent, paths, strict=True)
    ]
    return ReceivedBatchFiles(files, values.skip_duplicates)


def _read_paths(text: str, count: int) -> list[str]:
    if not text:
        return [""] * count
    try:
        paths = _PATHS.validate_python(json.loads(text))
    except (ValueError, ValidationError):
        paths = []
    if len(paths) != count:
        raise InvalidRequestError(
            InvalidValue(field="paths", message="send a JSON list with a path for each file")
        )
    return paths


async def _read(request: Request, reader: FormReader[FileWriter], timeout_s: float) -> Form[FileWriter]:
    """Feed the reader on a thread, so that a slow disk does not block the event loop."""
    pieces = request.stream()
    pace = Pace(asyncio.get_running_loop().time)
    gathered = bytearray()
    while True:
        try:
            async with asyncio.timeout(timeout_s):
                piece = await anext(pieces, b"")
        except TimeoutError:
            raise UploadStalledError(f"no data arrived for {timeout_s:g} seconds") from None
        if piece:
            pace.count(len(piece))
        gathered += piece
        if len(gathered) >= _PIECE_BYTES or not piece:
            await asyncio.to_thread(reader.feed, bytes(gathered))
            gathered.clear()
        if not piece:
            return reader.finish()
