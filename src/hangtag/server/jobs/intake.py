"""From the uploaded files to the photos of a job: every photo and every row of a table is accounted for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from hangtag.archives.zips import iter_entries, read_entry
from hangtag.domain.errors import PhotoError
from hangtag.domain.text import printable
from hangtag.imaging.budget import DecodeLimits
from hangtag.server.jobs.archive import ArchiveEntry, list_archive
from hangtag.server.jobs.folder import StoredPhoto, upload_path
from hangtag.server.jobs.given_table import MAX_TABLE_BYTES, GivenTable, read_given_table
from hangtag.server.jobs.matching import Matching, match_rows
from hangtag.server.jobs.receive import ReceivedForm, Upload, UploadKind
from hangtag.server.problems import InvalidRequestError, TooManyFilesError
from hangtag.server.schemas import InvalidValue
from hangtag.tables.cells import Column

_SHOWN_NAMES: Final = 5
_TITLE_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class JobPhoto:
    """A photo of a job, its row of the table and, if it cannot be labelled, the reason."""

    name: str
    stored: StoredPhoto
    carried: tuple[str, ...] | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class JobContent:
    """The photos of a job in order, the columns of its table, and a message about the upload."""

    title: str
    photos: list[JobPhoto]
    columns: tuple[Column, ...] = ()
    message: str | None = None


@dataclass
class _Found:
    """The contents of an upload."""

    names: list[str] = field(default_factory=list)
    stored: list[StoredPhoto] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    tables: list[tuple[Upload, ArchiveEntry]] = field(default_factory=list)

    def add(self, name: str, stored: StoredPhoto) -> None:
        """Add a photo."""
        self.names.append(name)
        self.stored.append(stored)


def build_content(form: ReceivedForm, folder: Path, max_photos: int) -> JobContent:
    """Return the photos of a job whose files are in `folder`.

    With a table, the photos come in the order of its rows, followed by those without a row. A row whose photo is
    missing becomes a photo that cannot be labelled. The only table inside the zips is used if it lists photos.

    Raises `InvalidRequestError` if there is no photo or a zip or table cannot be used, and `TooManyFilesError` beyond
    `max_photos`.
    """
    found = _find_photos(form.uploads, folder, max_photos)
    if not found.names:
        raise _without_photos(found)
    matching = _match_table(form, found, folder, max_photos)
    photos = _order(found, matching)
    if len(photos) > max_photos:
        raise TooManyFilesError(
            f"the job has more than {max_photos:,} photos", fix="Split it into several jobs."
        )
    return JobContent(
        title=_title(form, len(photos)),
        photos=photos,
        columns=matching.table.columns if matching else (),
        message=_describe_others(found.others),
    )


def _find_photos(uploads: Sequence[Upload], folder: Path, max_photos: int) -> _Found:
    found = _Found()
    for upload in uploads:
        if upload.kind is UploadKind.PHOTO:
            found.add(printable(upload.name) or f"photo {upload.number + 1}", StoredPhoto(upload.number))
        elif upload.kind is UploadKind.ZIP:
            content = list_archive(upload_path(folder, upload.number), max_photos)
            for entry in content.photos:
                found.add(entry.name, StoredPhoto(upload.number, entry.index))
            found.tables += [(upload, entry) for entry in content.tables]
            found.others += content.others
    return found


def _match_table(form: ReceivedForm, found: _Found, folder: Path, max_rows: int) -> Matching | None:
    column = form.photo_column
    sent = [upload for upload in form.uploads if upload.kind is UploadKind.TABLE]
    if sent:
        table = read_given_table(upload_path(folder, sent[0].number), sent[0].name, max_rows)
        found.others += [entry.name for _, entry in found.tables]
        return match_rows(table, found.names, column)
    if len(found.tables) == 1:
        upload, entry = found.tables[0]
        try:
            return match_rows(_read_packed(upload, entry, folder, max_rows), found.names, column)
        except (InvalidRequestError, PhotoError):
            if column is not None:
                raise
    found.others += [entry.name for _, entry in found.tables]  # nothing says that they are about these photos
    return None


def _read_packed(upload: Upload, entry: ArchiveEntry, folder: Path, max_rows: int) -> GivenTable:
    """Read a table inside a zip."""
    zipped = upload_path(folder, upload.number)
    with zipped.open("rb") as file:
        found = next(islice(iter_entries(file), entry.index, None))
    data = read_entry(zipped, found, DecodeLimits(max_bytes=MAX_TABLE_BYTES))
    path = folder / "packed-table"
    path.write_bytes(data)
    try:
        return read_given_table(path, entry.name, max_rows)
    finally:
        path.unlink()


def _order(found: _Found, matching: Matching | None) -> list[JobPhoto]:
    photos: list[JobPhoto] = []
    named: set[int] = set()
    if matching is not None:
        table = matching.table
        for row, number, indices, doubt in zip(
            table.rows, table.numbers, matching.rows, matching.doubts, strict=True
        ):
            photos += [JobPhoto(found.names[index], found.stored[index], row) for index in indices]
            named.update(indices)
            if not indices:
                photos.append(_absent(row, row[matching.column].strip(), number, doubt))
    rest = (index for index in range(len(found.names)) if index not in named)
    return photos + [JobPhoto(found.names[index], found.stored[index]) for index in rest]


def _absent(row: tuple[str, ...], value: str, number: int, doubt: str) -> JobPhoto:
    problem = "names a photo that was not sent" if value else "does not name a photo"
    problem += f"; {printable(doubt)}" if doubt else ""
    return JobPhoto(
        printable(value) or f"row {number}",
        StoredPhoto(None),
        row,
        f"row {number} of the table {problem}",
    )


def _title(form: ReceivedForm, photos: int) -> str:
    given = printable(form.title)
    archives = [printable(upload.name) for upload in form.uploads if upload.kind is UploadKind.ZIP]
    usual = archives[0] if len(archives) == 1 else ("1 photo" if photos == 1 else f"{photos:,} photos")
    return (given or usual)[:_TITLE_CHARACTERS]


def _describe_others(names: list[str]) -> str | None:
    if not names:
        return None
    files = (
        "Skipped 1 file in the zip that is not a photo"
        if len(names) == 1
        else f"Skipped {len(names):,} files in the zip that are not photos"
    )
    shown = ", ".join(names[:_SHOWN_NAMES]) + (", …" if len(names) > _SHOWN_NAMES else "")
    return f"{files}: {shown}"


def _without_photos(found: _Found) -> InvalidRequestError:
    message = "the upload has no photos"
    others = _describe_others(found.others)
    return InvalidRequestError(
        InvalidValue(field="files", message=message if others is None else f"{message}. {others}")
    )
