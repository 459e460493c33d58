"""Converting the jobs of hangtag 0.1 to batches, once: their photos, tables and corrections. Photos are labelled again.

Each job is one transaction, which begins by deleting it, so nothing is lost or converted twice wherever the process
ends. The tables and folder of jobs are removed when no job is left.
"""

import csv
import io
import os
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    delete,
    func,
    inspect,
    select,
    update,
)
from sqlalchemy import Row as DatabaseRow

from hangtag.archives.zips import ZipEntry, iter_entries
from hangtag.domain.errors import HangtagError
from hangtag.domain.reasons import Reason
from hangtag.store.batches import FindModel, insert_batch
from hangtag.store.database import UtcTime, writing
from hangtag.store.folder import hash_file
from hangtag.store.intake import Intake, NewPhoto, clean_name, find_duplicates, insert_photos
from hangtag.store.log import Entry, ProductChange, append, present_entry
from hangtag.store.refresh import update_state
from hangtag.store.regroup import add_sheets, regroup
from hangtag.store.sheet_files import ParsedSheet, SheetFile
from hangtag.store.store import Change, Store, StoredModel, iter_parts
from hangtag.store.tables import BatchRow, Number, PhotoRow, ProductRow
from hangtag.tables.cells import Column as SheetColumn
from hangtag.tables.cells import Kind

JOBS_FOLDER: Final = "jobs"
_OLD: Final = MetaData()
_JOBS: Final = Table(
    "jobs",
    _OLD,
    Column("number", Number, primary_key=True),
    Column("id", String(32)),
    Column("title", Text),
    Column("model_id", Text),
    Column("model_sha256", String(64)),
    Column("created", UtcTime),
    Column("finished", UtcTime),
    Column("carried", JSON),
)
_PHOTOS: Final = Table(
    "job_photos",
    _OLD,
    Column("job", ForeignKey("jobs.number"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", Text),
    Column("upload", Integer),
    Column("entry", Integer),
    Column("carried", JSON(none_as_null=True)),
)
_RESULTS: Final = Table(
    "job_results",
    _OLD,
    Column("job", ForeignKey("job_photos.job"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("answer", JSON(none_as_null=True)),
    Column("corrections", JSON(none_as_null=True)),
)
_LABELS: Final = Table("job_labels", _OLD, Column("job", ForeignKey("job_results.job"), primary_key=True))
_UNSENT: Final = "the photo was lost before hangtag made a batch of this job"

Decided = Mapping[str, tuple[str, str]]
"""The labels that a person set or confirmed, by column, with which of the two it was."""

Said = tuple[int, Decided]
"""A photo by its position in the batch, and a person's labels for it."""


def adopt_jobs(store: Store, find_model: FindModel, say: Callable[[str], None] = lambda _said: None) -> int:
    """Convert each job to a batch with the same id. Return the number of jobs.

    A batch is labelled by the job's model, or by the default one if that is gone. `say` is called with each result.
    """
    if not inspect(store.engine).has_table(_JOBS.name):
        return 0
    count = 0
    while (job := _read_next(store.engine)) is not None:
        model = _choose_model(find_model, job)
        with store.folder.receiving() as folder:
            intake = Intake(store, folder, max_photos=0)
            content = _read_content(store.engine, job, intake)
            intake.settle()
            count += _adopt(store, job, content, model)
        say(f"The job {job.title!r} is now a batch of {len(intake.photos):,} photos.")
        shutil.rmtree(store.folder.root / JOBS_FOLDER / job.id, ignore_errors=True)
    _OLD.drop_all(store.engine)
    shutil.rmtree(store.folder.root / JOBS_FOLDER, ignore_errors=True)
    return count


def _read_next(engine: Engine) -> DatabaseRow[Any] | None:
    with engine.connect() as connection:
        return connection.execute(select(_JOBS).order_by(_JOBS.c.number).limit(1)).first()


def _choose_model(find_model: FindModel, job: DatabaseRow[Any]) -> StoredModel:
    try:
        return find_model(job.model_id)
    except HangtagError:  # the model no longer exists
        return find_model(None)


@dataclass
class _Content:
    """The contents of a job: photos in order, the rows of its table, and people's labels."""

    photos: list[NewPhoto]
    sheet: ParsedSheet | None = None
    said: list[Said] = field(default_factory=list)


def _read_content(engine: Engine, job: DatabaseRow[Any], intake: Intake) -> _Content:
    """Take the photos of a job into the store, each once. Return them with its table and corrections.

    The job's own files stay until the batch exists.
    """
    with engine.connect() as connection:
        rows = connection.execute(
            select(_PHOTOS).where(_PHOTOS.c.job == job.number).order_by(_PHOTOS.c.position)
        ).all()
        decided = _read_decided(connection, job.number)
    reader = _JobReader(intake, intake.store.folder.root / JOBS_FOLDER / job.id)
    place_of: dict[tuple[int, int | None], int] = {}
    lines: list[list[str]] = []
    said: list[Said] = []
    for row in rows:
        if row.carried is not None and (not lines or lines[-1] != row.carried):
            lines.append(row.carried)
        if row.upload is None:
            continue
        place = place_of.setdefault((row.upload, row.entry), len(place_of))
        if place == len(intake.photos):
            reader.take(clean_name(row.name), row.upload, row.entry)
        if row.position in decided:
            said.append((place, decided[row.position]))
    sheet = _keep_table(intake, job.carried, lines) if job.carried and lines else None
    return _Content(intake.photos, sheet, said)


def _read_decided(connection: Connection, job: int) -> dict[int, Decided]:
    """Return people's labels by photo position. A label that equals the model's was confirmed."""
    statement = select(_RESULTS.c.position, _RESULTS.c.corrections, _RESULTS.c.answer).where(
        _RESULTS.c.job == job, _RESULTS.c.corrections.is_not(None)
    )
    decided: dict[int, Decided] = {}
    for position, corrections, answer in connection.execute(statement):
        ranked = (answer or {}).get("candidates", {})
        own = {column: labels[0][0] for column, labels in ranked.items() if labels}
        decided[position] = {
            column: (label, "confirmed" if own.get(column) == label else "corrected")
            for column, label in corrections.items()
        }
    return decided


class _JobReader:
    """Takes the photos of a job into the store, from its uploaded files and the entries of its zips."""

    def __init__(self, intake: Intake, folder: Path) -> None:
        self._intake = intake
        self._folder = folder
        self._zips: dict[int, list[ZipEntry]] = {}

    def take(self, name: str, upload: int, entry: int | None) -> None:
        """Take a photo. One that can no longer be read gets a reason."""
        path = self._folder / f"{upload:06}"
        try:
            if entry is None:
                self._intake.take_photo(name, self._link(path))
            else:
                self._intake.take_entry(path, name, self._entries(path, upload)[entry])
        except (OSError, zipfile.BadZipFile, struct.error, IndexError):
            lost = NewPhoto(name, "", 0, reason=Reason.NOT_FOUND.value, detail=_UNSENT)
            self._intake.photos.append(lost)

    def _link(self, path: Path) -> Path:
        """Return a copy of a file that may be moved: a hard link if possible."""
        link = self._intake.folder / path.name
        try:
            os.link(path, link)
        except FileNotFoundError:
            raise
        except OSError:  # not every file system has links
            shutil.copyfile(path, link)
        return link

    def _entries(self, path: Path, upload: int) -> list[ZipEntry]:
        if upload not in self._zips:
            with path.open("rb") as file:
                self._zips = {upload: list(iter_entries(file))}
        return self._zips[upload]


def _keep_table(intake: Intake, columns: Sequence[Any], lines: Sequence[list[str]]) -> ParsedSheet:
    """Store the table of a job as CSV. Return its columns with their types."""
    known = tuple(
        SheetColumn(column, Kind.WRITTEN)
        if isinstance(column, str)
        else SheetColumn(column[0], Kind[column[1]])
        for column in columns
    )
    text = io.StringIO(newline="")
    csv.writer(text).writerows([[column.name for column in known], *lines])
    path = intake.folder / "table"
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    file = SheetFile("table.csv", hash_file(path))
    intake.store.folder.keep(path)
    return ParsedSheet(file, None, known, list(enumerate(lines, start=2)))


def _adopt(store: Store, job: DatabaseRow[Any], content: _Content, model: StoredModel) -> bool:
    """Replace a job by a batch. Returns False if another service has already done it."""
    with writing(store.engine) as connection:
        if not connection.execute(delete(_JOBS).where(_JOBS.c.number == job.number)).rowcount:
            return False
        by = "photo" if content.sheet is None else "sku"
        values = {
            "id": job.id,
            "name": job.title,
            "created": job.created,
            "grouping": {"by": by, "pattern": None, "is_chosen": True},
            "revision": 1,
        }
        number = insert_batch(store, connection, model, values)
        change = Change(connection, number, 1, {number: 1})
        insert_photos(change, find_duplicates(connection, content.photos))
        if content.sheet is not None:
            add_sheets(change, [content.sheet])
        regroup(store, change)
        for changes in _iter_decisions(connection, number, content.said):
            append(store, change, changes, Entry("set", None))
        update_state(connection, number)
        state = {"updated": job.finished or job.created}
        connection.execute(update(BatchRow).where(BatchRow.number == number).values(**state))
    store.on_change(number)
    return True


def _iter_decisions(
    connection: Connection, batch: int, said: Sequence[Said]
) -> Iterator[list[ProductChange]]:
    """Yield the corrections as decisions on products: one, or more if photos of one product had several."""
    numbers = connection.execute(
        select(PhotoRow.product).where(PhotoRow.batch == batch).order_by(PhotoRow.position, PhotoRow.number)
    ).scalars()
    product_at = list(numbers)
    waiting = [(product_at[place], labels) for place, labels in said]
    while waiting:
        now: dict[int, Decided] = {}
        later: list[Said] = []
        for product, labels in waiting:
            if product in now:
                later.append((product, labels))
            else:
                now[product] = labels
        yield list(_iter_changes(connection, now))
        waiting = later


def _iter_changes(connection: Connection, said: Mapping[int, Decided]) -> Iterator[ProductChange]:
    for part in iter_parts(sorted(said)):
        rows = connection.execute(
            select(ProductRow.number, ProductRow.said, ProductRow.labels, ProductRow.version).where(
                ProductRow.number.in_(part)
            )
        ).all()
        for row in rows:
            after = {
                name: {"value": value, "state": state, "by": None, "version": row.version + 1}
                for name, (value, state) in said[row.number].items()
            }
            before = {name: present_entry(row, name) for name in after}
            yield row.number, {"attributes": before}, {"attributes": after}


def count_jobs(engine: Engine) -> int:
    """Return how many jobs of hangtag 0.1 a database has."""
    if not inspect(engine).has_table(_JOBS.name):
        return 0
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(_JOBS)).scalar_one())
