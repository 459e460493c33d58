"""Jobs that are in a database without ever having run, with whatever answers a test needs."""

import secrets
from dataclasses import dataclass, field

from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.server.jobs.folder import StoredPhoto
from hangtag.server.jobs.intake import JobContent, JobPhoto
from hangtag.server.jobs.labelling import ResultRows
from hangtag.server.jobs.store import JobModel, JobStore
from hangtag.server.schemas import ChosenLabel, FailedPhoto, Label, LabelledPhoto
from hangtag.store.database import open_database, sqlite_url
from hangtag.store.vocabulary import Vocabulary
from hangtag.tables.cells import Column, Kind
from tiny_bundle import TINY_HEADS, build_tiny_card

TINY = JobModel("tiny", "tiny", "1", "0" * 64, Vocabulary.from_card(build_tiny_card()))


@dataclass(frozen=True)
class Drawn:
    """What came of a photo: labels with their confidences by column, and which are doubtful; or a reason.

    `sure` is how many levels of its path are sure, all by default.
    """

    labels: dict = field(default_factory=dict)
    doubtful: tuple = ()
    reason: str | None = None
    sure: int | None = None
    flags: tuple = ()


def open_store(folder):
    """Open the database of a test."""
    return JobStore(open_database(sqlite_url(folder / "test.db")))


def store_job(store, drawn, carried=(), rows=None, title="Test"):
    """Store a job with a photo `N.jpg` for each answer; those that are None have no result."""
    job_id = secrets.token_hex(8)
    photos = [
        JobPhoto(f"{position}.jpg", StoredPhoto(position), None if rows is None else rows[position])
        for position in range(len(drawn))
    ]
    columns = tuple(part if isinstance(part, Column) else Column(part, Kind.WRITTEN) for part in carried)
    store.create(job_id, JobContent(title, photos, columns), TINY)
    row = store.find(job_id, with_content=True)
    store.start(row.number)
    found = ResultRows(row.number, "articleType")
    for position, one in enumerate(drawn):
        if one is not None:
            found.add(position, _answer(position, one).model_dump())
    if found.results:
        store.add_results(row.number, found.after(1.0))
    store.finish(row.number, "cancelled")
    return store.find(job_id, with_content=True)


def _answer(position, drawn):
    if drawn.reason is not None:
        return FailedPhoto(photo=f"{position}.jpg", reason=drawn.reason, detail="it is broken")
    labels = {
        column: ChosenLabel(value=label, confidence=confidence, candidates=_rank(column, label, confidence))
        for column, (label, confidence) in drawn.labels.items()
    }
    levels = [level for level in CATEGORY_COLUMNS if level in labels]
    sure = levels[: drawn.sure]
    return LabelledPhoto(
        photo=f"{position}.jpg",
        path=[labels[level].value for level in levels],
        answer=[labels[level].value for level in sure],
        answer_level=sure[-1] if sure else None,
        flags=list(drawn.flags),
        labels=labels,
        doubtful=list(drawn.doubtful),
    )


def _rank(column, label, confidence):
    others = [one for one in TINY_HEADS[column] if one != label]
    return [Label(value=label, confidence=confidence), Label(value=others[0], confidence=0.0)]
