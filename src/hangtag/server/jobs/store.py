"""The jobs in the database. Every change is one transaction, so a crash never leaves half of one."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, func, insert, select, update
from sqlalchemy.orm import Session, undefer

from hangtag.domain.reasons import Reason
from hangtag.server.jobs.folder import StoredPhoto
from hangtag.server.jobs.intake import JobContent
from hangtag.server.jobs.schemas import Job, JobState
from hangtag.server.jobs.tables import JobRow, LabelRow, PhotoRow, ResultRow
from hangtag.server.problems import JobFinishedError, JobNotFoundError, QueueFullError
from hangtag.server.schemas import ModelName
from hangtag.store.database import writing
from hangtag.store.vocabulary import Vocabulary

UNFINISHED: Final = ("queued", "running")
MAX_UNFINISHED: Final = 100
"""The largest number of unfinished jobs."""

_ROWS_AT_A_TIME: Final = 5000


@dataclass(frozen=True, slots=True)
class JobModel:
    """The model of a job: its id, name and version, the SHA-256 of its file, and its classes."""

    id: str
    name: str
    version: str
    sha256: str
    vocabulary: Vocabulary


@dataclass(frozen=True, slots=True)
class NewResults:
    """New results as rows to insert, and the seconds it took to find them."""

    results: list[dict[str, Any]]
    labels: list[dict[str, Any]]
    seconds: float

    def joined(self, later: "NewResults") -> "NewResults":
        """Return these and later results together."""
        return NewResults(
            self.results + later.results, self.labels + later.labels, self.seconds + later.seconds
        )


@dataclass(frozen=True, slots=True)
class WaitingPhoto:
    """A photo without a result."""

    position: int
    name: str
    stored: StoredPhoto


class JobStore:
    """The jobs. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def create(self, job_id: str, content: JobContent, model: JobModel) -> Job:
        """Store a new job. Raises `QueueFullError` if too many are unfinished."""
        with writing(self.engine) as connection:
            unfinished = select(func.count()).select_from(JobRow).where(JobRow.state.in_(UNFINISHED))
            if connection.execute(unfinished).scalar_one() >= MAX_UNFINISHED:
                raise QueueFullError(
                    f"{MAX_UNFINISHED} jobs are waiting", fix="Try again when some have finished."
                )
            absent = sum(photo.problem is not None for photo in content.photos)
            row = connection.execute(
                insert(JobRow).returning(JobRow.number),
                {
                    "id": job_id,
                    "title": content.title,
                    "state": "queued",
                    "model_id": model.id,
                    "model_name": model.name,
                    "model_version": model.version,
                    "model_sha256": model.sha256,
                    "created": datetime.now(UTC),
                    "total": len(content.photos),
                    "done": absent,
                    "failed": absent,
                    "absent": absent,
                    "worked_s": 0.0,
                    "message": content.message,
                    "carried": [[column.name, column.kind.name] for column in content.columns],
                    "vocabulary": model.vocabulary.to_json(),
                },
            ).one()
            _insert_photos(connection, row.number, content)
        return self.get(job_id)

    def get(self, job_id: str) -> Job:
        """Return a job; raises `JobNotFoundError`."""
        return describe_job(self.find(job_id))

    def find(self, job_id: str, *, with_content: bool = False) -> JobRow:
        """Return a job's row, optionally with its vocabulary and columns; raises `JobNotFoundError`."""
        options = [undefer(JobRow.vocabulary), undefer(JobRow.carried)] if with_content else []
        with Session(self.engine) as session:
            row = session.scalar(select(JobRow).where(JobRow.id == job_id).options(*options))
        if row is None:
            raise JobNotFoundError(f"there is no job {job_id!r}", fix="List the jobs with GET /api/v1/jobs.")
        return row

    def page(self, offset: int, limit: int) -> tuple[list[Job], int]:
        """Return one page of the jobs, newest first, and the number of all."""
        with Session(self.engine) as session:
            rows = session.scalars(select(JobRow).order_by(JobRow.number.desc()).offset(offset).limit(limit))
            total = session.scalar(select(func.count()).select_from(JobRow))
            return [describe_job(row) for row in rows], total or 0

    def ids(self) -> set[str]:
        """Return the ids of all jobs."""
        with Session(self.engine) as session:
            return set(session.scalars(select(JobRow.id)))

    def next_to_run(self) -> JobRow | None:
        """Return the oldest unfinished job, whether a restart interrupted it or it is waiting."""
        oldest = select(JobRow).where(JobRow.state.in_(UNFINISHED)).order_by(JobRow.number).limit(1)
        with Session(self.engine) as session:
            return session.scalar(oldest)

    def start(self, number: int) -> Job | None:
        """Mark a job as running. Return None if it has ended in the meantime."""
        started = func.coalesce(JobRow.started, datetime.now(UTC))
        return self._change(number, state="running", started=started)

    def finish(self, number: int, state: JobState, message: str | None = None) -> Job | None:
        """Mark a job as ended. Return None if it has already ended."""
        values: dict[str, Any] = {"state": state, "finished": datetime.now(UTC)}
        return self._change(number, **values, **({} if message is None else {"message": message}))

    def cancel(self, job_id: str) -> Job:
        """Stop a job and keep its results so far. Raises `JobFinishedError` if it has ended."""
        job = self.finish(self.find(job_id).number, "cancelled")
        if job is None:
            raise JobFinishedError("the job has already ended")
        return job

    def delete(self, job_id: str) -> None:
        """Delete a job that has ended, with everything it owns. Raises `JobFinishedError` if it has not ended."""
        row = self.find(job_id)
        with writing(self.engine) as connection:
            ended = delete(JobRow).where(JobRow.number == row.number, JobRow.state.not_in(UNFINISHED))
            if not connection.execute(ended).rowcount:
                raise JobFinishedError("the job has not ended", fix="Cancel it first.")

    def waiting_photos(self, number: int, after: int, limit: int) -> list[WaitingPhoto]:
        """Return the next photos without a result after a position."""
        columns = (PhotoRow.position, PhotoRow.name, PhotoRow.upload, PhotoRow.entry)
        same = (ResultRow.job == PhotoRow.job) & (ResultRow.position == PhotoRow.position)
        statement = (
            select(*columns)
            .outerjoin(ResultRow, same)
            .where(PhotoRow.job == number, PhotoRow.position > after, ResultRow.position.is_(None))
            .order_by(PhotoRow.position)
            .limit(limit)
        )
        with self.engine.connect() as connection:
            return [
                WaitingPhoto(position, name, StoredPhoto(upload, entry))
                for position, name, upload, entry in connection.execute(statement)
            ]

    def add_results(self, number: int, new: NewResults) -> Job | None:
        """Store new results. Return None, and store nothing, if the job has ended in the meantime."""
        failed = sum(result["reason"] is not None for result in new.results)
        with writing(self.engine) as connection:
            values = {
                "done": JobRow.done + len(new.results),
                "failed": JobRow.failed + failed,
                "worked_s": JobRow.worked_s + new.seconds,
            }
            if not _update_unfinished(connection, number, values):
                return None
            connection.execute(insert(ResultRow), new.results)
            if new.labels:
                connection.execute(insert(LabelRow), new.labels)
            return _describe(connection, number)

    def _change(self, number: int, **values: Any) -> Job | None:  # noqa: ANN401 - values or SQL
        with writing(self.engine) as connection:
            changed = _update_unfinished(connection, number, values)
            return _describe(connection, number) if changed else None


def describe_job(row: JobRow) -> Job:
    """Return a job as the API shows it."""
    worked = row.done - row.absent
    speed = worked / row.worked_s if worked and row.worked_s else None
    left = (row.total - row.done) / speed if speed and row.state == "running" else None
    return Job.model_validate(
        {
            "id": row.id,
            "title": row.title,
            "state": row.state,
            "model": ModelName(id=row.model_id, version=row.model_version, name=row.model_name),
            "created": row.created,
            "started": row.started,
            "finished": row.finished,
            "total": row.total,
            "done": row.done,
            "failed": row.failed,
            "images_per_s": None if speed is None else round(speed, 1),
            "seconds_left": None if left is None else round(left, 1),
            "message": row.message,
        }
    )


def _insert_photos(connection: Connection, number: int, content: JobContent) -> None:
    photos = list(enumerate(content.photos))
    for start in range(0, len(photos), _ROWS_AT_A_TIME):
        part = photos[start : start + _ROWS_AT_A_TIME]
        connection.execute(
            insert(PhotoRow),
            [
                {
                    "job": number,
                    "position": position,
                    "name": photo.name,
                    "upload": photo.stored.upload,
                    "entry": photo.stored.entry,
                    "carried": None if photo.carried is None else list(photo.carried),
                }
                for position, photo in part
            ],
        )
        absent = [
            failed_result(number, position, Reason.NOT_FOUND, photo.problem)
            for position, photo in part
            if photo.problem is not None
        ]
        if absent:
            connection.execute(insert(ResultRow), absent)


def failed_result(number: int, position: int, reason: Reason, detail: str) -> dict[str, Any]:
    """Return the row of a photo that could not be labelled."""
    empty = dict.fromkeys(("confidence", "answer", "corrections", "sure"))
    return {
        "job": number,
        "position": position,
        "reason": reason.value,
        "detail": detail,
        "doubtful": 0,
        "flags": 0,
        **empty,
    }


def _update_unfinished(connection: Connection, number: int, values: dict[str, Any]) -> bool:
    statement = update(JobRow).where(JobRow.number == number, JobRow.state.in_(UNFINISHED)).values(**values)
    return bool(connection.execute(statement).rowcount)


def _describe(connection: Connection, number: int) -> Job:
    with Session(connection) as session:
        return describe_job(session.scalars(select(JobRow).where(JobRow.number == number)).one())
