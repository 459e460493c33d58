"""Turning uploaded files into the photos and products of a batch. Every file gets a result."""

import struct
import threading
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy import Row as DatabaseRow

from hangtag.archives.members import Membership, sort_member
from hangtag.archives.zips import ZipEntry, iter_entries, measure_index, read_entry
from hangtag.domain.errors import InvalidField, InvalidFieldsError, PhotoError
from hangtag.domain.text import printable
from hangtag.imaging.budget import DecodeLimits, too_large
from hangtag.store.folder import hash_file
from hangtag.store.grouping import find_view
from hangtag.store.refresh import count_photos, update_state
from hangtag.store.regroup import add_sheets, new_product, regroup
from hangtag.store.sheet_files import ParsedSheet, SheetFile, parse_sheet
from hangtag.store.store import Change, Store, find_answer, iter_parts, keep_answer, now
from hangtag.store.tables import PhotoRow, ProductRow
from hangtag.store.throttle import Throttle
from hangtag.tables.reading import is_table_name

Kind = Literal["photo", "zip", "sheet", "other"]

ZIP_STARTS: Final = (b"PK\x03\x04", b"PK\x05\x06")
MAX_SHEET_BYTES: Final = 32 * 1024 * 1024
_NAME_CHARACTERS: Final = 1000
_SHOWN_NAMES: Final = 5
_INDEX_BYTES_AN_ENTRY: Final = 46 + 2 * _NAME_CHARACTERS
"""The size of a zip's index per entry: 46 bytes and its name, twice if another system's spelling is included."""


@dataclass(frozen=True, slots=True)
class IncomingFile:
    """An uploaded file: its path on disk, and the client's path and name for it."""

    path: Path
    name: str


@dataclass(slots=True)
class ReceivedFile:
    """The result for a file: its kind, the number of its photos, and what was wrong with it."""

    name: str
    kind: Kind
    photos: int = 0
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {"name": self.name, "kind": self.kind, "photos": self.photos, "problem": self.problem}


@dataclass(frozen=True, slots=True)
class NewPhoto:
    """A photo whose content is in the store. Without a hash it is still to be fetched, or could not be read."""

    name: str
    sha256: str
    size_bytes: int
    width: int | None = None
    height: int | None = None
    reason: str | None = None
    detail: str | None = None
    address: str | None = None


class IntakeStoppedError(Exception):
    """The service is stopping, and none of the upload is accepted."""


@dataclass
class Intake:
    """The files of one upload during processing. `max_photos` is how many photos a batch may have."""

    store: Store
    folder: Path
    max_photos: int
    received: list[ReceivedFile] = field(default_factory=list)
    photos: list[NewPhoto] = field(default_factory=list)
    sheets: list[ParsedSheet] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def take(self, file: IncomingFile) -> None:
        """Process a file: store its content, or record what is wrong with it.

        Raises `IntakeStoppedError` once `stopping` is set, whatever happened to the file.
        """
        self._take(file)
        self._check_stop()

    def _take(self, file: IncomingFile) -> None:
        self._check_stop()
        name = clean_name(file.name)
        kind = kind_of(file.path, name)
        received = ReceivedFile(name, kind)
        self.received.append(received)
        try:
            if kind == "photo":
                self._check_room()
                received.problem = self.take_photo(name, file.path)
                received.photos = 1
            elif kind == "zip":
                self._take_zip(file.path, received)
            elif kind == "sheet":
                self._take_sheet(name, file.path)
            else:
                received.problem = "this is neither a photo, a zip nor a table"
        except InvalidFieldsError as error:
            received.problem = error.fields[0].message

    def settle(self) -> None:
        """Move the photos to their places in the store. They are on the disk afterwards."""
        self.store.folder.settle(self.folder, [photo.sha256 for photo in self.photos])

    def take_photo(self, name: str, path: Path) -> str | None:
        """Move the file of a photo into the store. Return why it is too large, or None."""
        size = path.stat().st_size
        if size > self.store.limits.max_bytes:
            error = too_large(self.store.limits)
            self.photos.append(NewPhoto(name, "", size, reason=error.reason.value, detail=error.detail))
            return error.detail
        return self._keep(name, path.read_bytes())

    def _keep(self, name: str, data: bytes) -> str | None:
        """Store a photo. Return why it cannot be decoded, or None. A photo that cannot be decoded is not stored."""
        try:
            kept = self.store.folder.keep_photo(data, self.folder, self.store.limits)
        except PhotoError as error:
            found = NewPhoto(name, "", len(data), reason=error.reason.value, detail=error.detail)
            self.photos.append(found)
            return error.detail
        self.photos.append(NewPhoto(name, kept.sha256, len(data), kept.width, kept.height))
        return None

    def _take_zip(self, path: Path, received: ReceivedFile) -> None:
        others: list[str] = []
        problems: list[str] = []
        try:
            if measure_index(path) > self.max_photos * _INDEX_BYTES_AN_ENTRY:
                raise InvalidFieldsError(InvalidField("files", "the zip has too many entries"))
            with path.open("rb") as opened:
                throttle = Throttle()
                for entry in iter_entries(opened):
                    throttle.pause()
                    name = clean_name(entry.name)
                    membership = sort_member(entry.name)
                    if membership is Membership.PHOTO:
                        self._check_room()
                        self.take_entry(path, name, entry)
                        received.photos += 1
                        if self.photos[-1].sha256:  # only stored photos are worth the processor time
                            throttle.restart()
                    elif membership is Membership.OTHER and is_table_name(name):
                        problems += self._take_packed_sheet(path, name, entry)
                    elif membership is Membership.OTHER:
                        others.append(name)
        except (zipfile.BadZipFile, struct.error, OSError) as error:
            problems.append(f"the zip cannot be read ({error})")
        if others:
            problems.append(_describe_others(others))
        received.problem = "; ".join(problems) or None

    def _take_packed_sheet(self, path: Path, name: str, entry: ZipEntry) -> list[str]:
        """Process a table in a zip. Return what is wrong with it; the photos next to it are still stored."""
        try:
            data = read_entry(path, entry, DecodeLimits(max_bytes=MAX_SHEET_BYTES))
            target = self.folder / f"sheet-{len(self.sheets)}"
            target.write_bytes(data)
            self._take_sheet(name, target)
        except PhotoError as error:
            return [f"the table {name} cannot be read: {error.detail}"]
        except InvalidFieldsError as error:
            return [error.fields[0].message]
        return []

    def take_entry(self, path: Path, name: str, entry: ZipEntry) -> None:
        """Process a photo in a zip."""
        try:
            data = read_entry(path, entry, self.store.limits)
        except PhotoError as error:
            size = entry.unpacked_bytes
            self.photos.append(NewPhoto(name, "", size, reason=error.reason.value, detail=error.detail))
        else:
            self._keep(name, data)

    def _take_sheet(self, name: str, path: Path) -> None:
        if path.stat().st_size > MAX_SHEET_BYTES:
            message = f"the table is larger than {MAX_SHEET_BYTES:,} bytes"
            raise InvalidFieldsError(InvalidField("files", message))
        parsed = parse_sheet(path, SheetFile(name, hash_file(path)))
        self.store.folder.keep(path)
        self.sheets.append(parsed)

    def _check_stop(self) -> None:
        if self.stopping.is_set():
            raise IntakeStoppedError

    def _check_room(self) -> None:
        self._check_stop()
        if len(self.photos) >= self.max_photos:
            message = f"a batch takes at most {self.max_photos:,} photos"
            raise InvalidFieldsError(InvalidField("files", message))


def take_files(
    store: Store,
    batch: DatabaseRow[Any],
    intake: Intake,
    key: str | None = None,
    *,
    skip_duplicates: bool = False,
) -> list[dict[str, Any]]:
    """Add the processed files to a batch in one transaction. Return the result for each.

    A repeated `Idempotency-Key` adds nothing and returns the first response again. Raises `QuotaError`, and adds
    nothing, if there is no room.
    """
    intake.settle()
    with store.changing(batch.number) as change:
        known = find_answer(change.connection, key)
        if known is not None:
            return list(known["received"])
        _check_size(change.connection, batch.number, intake)
        photos = find_duplicates(change.connection, intake.photos)
        if skip_duplicates:
            kept = _drop_duplicates(photos)
            skipped = {photo.name for photo, _ in photos} - {photo.name for photo, _ in kept}
            photos = kept
            for received in intake.received:
                if received.kind == "photo" and received.name in skipped:
                    received.photos, received.problem = 0, "it is already in a batch and was skipped"
        if photos:
            insert_photos(change, photos)
        if intake.sheets:
            add_sheets(change, intake.sheets)
        regroup(store, change)
        update_state(change.connection, batch.number, resume=True)
        store.quotas.check(change.connection, batch.created_by)
        answer = [file.to_json() for file in intake.received]
        keep_answer(change.connection, key, {"received": answer})
    return answer


def _describe_others(names: Sequence[str]) -> str:
    what = "1 file is" if len(names) == 1 else f"{len(names):,} files are"
    shown = ", ".join(names[:_SHOWN_NAMES]) + (", …" if len(names) > _SHOWN_NAMES else "")
    return f"{what} neither photos nor tables: {shown}"


def clean_name(name: str) -> str:
    """Clean a client's file name for display and matching: a relative path with slashes and without `..`."""
    text = printable(name.replace("\\", "/").replace("\0", ""))
    parts = [part for part in text.split("/") if part not in ("", ".", "..")]
    return "/".join(parts)[-_NAME_CHARACTERS:] or "photo"


def _check_size(connection: Connection, batch: int, intake: Intake) -> None:
    """Raise `InvalidFieldsError` if a batch would have more photos than it may."""
    if intake.photos and count_photos(connection, batch) + len(intake.photos) > intake.max_photos:
        message = f"a batch takes at most {intake.max_photos:,} photos; make another one for the rest"
        raise InvalidFieldsError(InvalidField("files", message))


def insert_photos(change: Change, photos: Sequence[tuple[NewPhoto, int | None]]) -> None:
    """Add photos, each as a product by itself for now; `regroup` joins them."""
    last = select(func.max(PhotoRow.position)).where(PhotoRow.batch == change.batch)
    start = (change.connection.execute(last).scalar_one() or 0) + 1
    for part in iter_parts(list(enumerate(photos, start))):
        products = [new_product(change, position, photo.name) for position, (photo, _) in part]
        numbers = change.connection.execute(
            insert(ProductRow).returning(ProductRow.number, sort_by_parameter_order=True), products
        ).scalars()
        rows = [
            {
                "batch": change.batch,
                "product": number,
                "position": position,
                "name": photo.name,
                "sha256": photo.sha256,
                "size_bytes": photo.size_bytes,
                "width": photo.width,
                "height": photo.height,
                "view": find_view(photo.name),
                "by_hand": False,
                "todo": photo.reason is None and photo.sha256 != "",
                "reason": photo.reason,
                "detail": photo.detail,
                "duplicate_of": duplicate,
                "address": photo.address,
                "fetch_from": now() if photo.address and not photo.sha256 and not photo.reason else None,
            }
            for number, (position, (photo, duplicate)) in zip(numbers, part, strict=True)
        ]
        change.connection.execute(insert(PhotoRow), rows)
    _mark_repeated(change, [photo.sha256 for photo, known in photos if known is None])


def _mark_repeated(change: Change, hashes: Sequence[str]) -> None:
    """Mark photos that came several times at once as duplicates of the first one."""
    repeated = [sha256 for sha256, count in Counter(hashes).items() if sha256 and count > 1]
    for part in iter_parts(repeated):
        own = (PhotoRow.batch == change.batch, PhotoRow.sha256.in_(part))
        first = select(PhotoRow.sha256, func.min(PhotoRow.number)).where(*own).group_by(PhotoRow.sha256)
        for sha256, number in change.connection.execute(first).all():
            change.connection.execute(
                update(PhotoRow)
                .where(PhotoRow.batch == change.batch, PhotoRow.sha256 == sha256, PhotoRow.number != number)
                .where(PhotoRow.duplicate_of.is_(None))
                .values(duplicate_of=number)
            )


def _drop_duplicates(photos: Sequence[tuple[NewPhoto, int | None]]) -> list[tuple[NewPhoto, int | None]]:
    """Drop photos that already exist and, of several identical ones, all but the first."""
    fresh: dict[str, NewPhoto] = {}
    for place, (photo, known) in enumerate(photos):
        if known is None:
            fresh.setdefault(photo.sha256 or f"unread {place}", photo)
    return [(photo, None) for photo in fresh.values()]


def find_duplicates(connection: Connection, photos: Sequence[NewPhoto]) -> list[tuple[NewPhoto, int | None]]:
    """Return the photos with the number of the first existing photo that has the same content."""
    first: dict[str, int] = {}
    for part in iter_parts(sorted({photo.sha256 for photo in photos if photo.sha256})):
        statement = (
            select(PhotoRow.sha256, func.min(PhotoRow.number))
            .join(ProductRow, ProductRow.number == PhotoRow.product)
            .where(PhotoRow.sha256.in_(part), ~ProductRow.removed)
            .group_by(PhotoRow.sha256)
        )
        first |= {row[0]: row[1] for row in connection.execute(statement)}
    return [(photo, first.get(photo.sha256)) for photo in photos]


def kind_of(path: Path, name: str) -> Kind:
    """Return the kind of a file by its name and first bytes. Anything unrecognised is treated as a photo."""
    if is_table_name(name):
        return "sheet"
    with path.open("rb") as file:
        start = file.read(8)
    return "zip" if start.startswith(ZIP_STARTS) else "photo"
