"""A photo of a job as it is stored, with its result."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, select
from sqlalchemy import Row as DatabaseRow

from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.domain.flags import Flag
from hangtag.domain.reasons import Reason
from hangtag.server.jobs.folder import StoredPhoto
from hangtag.server.jobs.schemas import FailedResult, LabelledResult
from hangtag.server.jobs.tables import JobRow, PhotoRow, ResultRow, decode_flags
from hangtag.server.problems import NotFoundError
from hangtag.server.schemas import ChosenLabel, Label
from hangtag.tables.cells import Column

PHOTOS_AT_A_TIME: Final = 1000


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A photo of a job with its result, if there is one yet."""

    position: int
    name: str
    stored: StoredPhoto
    carried: list[str] | None
    reason: str | None
    detail: str | None
    answer: dict[str, Any] | None
    corrections: dict[str, str]
    sure: int | None
    flags: tuple[Flag, ...]

    @property
    def is_waiting(self) -> bool:
        """Whether there is no result yet."""
        return self.reason is None and self.answer is None

    @property
    def chosen(self) -> dict[str, tuple[str, float]]:
        """The model's labels by column, with their confidences."""
        candidates = self.answer["candidates"] if self.answer else {}
        return {column: (ranked[0][0], ranked[0][1]) for column, ranked in candidates.items()}

    @property
    def path(self) -> dict[str, str]:
        """The category path by level, from the root to the leaf, with a person's corrections."""
        chosen = self.chosen
        return {
            level: self.corrections.get(level, chosen[level][0])
            for level in CATEGORY_COLUMNS
            if level in chosen
        }

    @property
    def confident_path(self) -> dict[str, str]:
        """The answer: the path as far as the model is confident of it or a person confirmed it."""
        path = self.path
        depth = len(path) if self.sure is None else self.sure
        answer: dict[str, str] = {}
        for position, (level, label) in enumerate(path.items()):
            if position >= depth and level not in self.corrections:
                break
            answer[level] = label
        return answer

    @property
    def doubtful(self) -> list[str]:
        """The columns whose label is doubtful and was not corrected."""
        doubtful = self.answer["doubtful"] if self.answer else []
        return [column for column in doubtful if column not in self.corrections]


def read_result(connection: Connection, job: JobRow, position: int) -> StoredResult:
    """Return the photo at a position; raises `NotFoundError`."""
    found = read_results(connection, job, PhotoRow.position == position)
    if not found:
        raise NotFoundError(f"the job has no photo {position}")
    return found[0]


def iter_results(engine: Engine, job: JobRow) -> Iterator[list[StoredResult]]:
    """Yield all photos of a job in order, with or without a result, some at a time."""
    for start in range(0, job.total, PHOTOS_AT_A_TIME):
        with engine.connect() as connection:
            yield read_results(
                connection, job, PhotoRow.position.between(start, start + PHOTOS_AT_A_TIME - 1)
            )


def describe_result(result: StoredResult, columns: Sequence[Column]) -> LabelledResult | FailedResult:
    """Return a result as the API shows it. `columns` are those of the table that was sent with the photos.

    Raises `ValueError` for a photo without a result.
    """
    names = [column.name for column in columns]
    row = None if result.carried is None else dict(zip(names, result.carried, strict=True))
    if result.answer is None:
        return FailedResult(
            photo=result.name,
            reason=Reason(result.reason or ""),
            detail=result.detail or "",
            position=result.position,
            row=row,
        )
    labels = {
        column: ChosenLabel(
            value=ranked[0][0],
            confidence=ranked[0][1],
            candidates=[Label(value=label, confidence=confidence) for label, confidence in ranked],
        )
        for column, ranked in result.answer["candidates"].items()
    }
    answer = result.confident_path
    return LabelledResult(
        photo=result.name,
        path=list(result.path.values()),
        answer=list(answer.values()),
        answer_level=next(reversed(answer), None),
        flags=list(result.flags),
        labels=labels,
        doubtful=result.doubtful,
        position=result.position,
        row=row,
        corrections=result.corrections,
    )


def read_results(connection: Connection, job: JobRow, condition: ColumnElement[bool]) -> list[StoredResult]:
    """Return the photos of a job that match a condition on `PhotoRow`, in order."""
    same = (ResultRow.job == PhotoRow.job) & (ResultRow.position == PhotoRow.position)
    statement = (
        select(
            PhotoRow.position,
            PhotoRow.name,
            PhotoRow.upload,
            PhotoRow.entry,
            PhotoRow.carried,
            ResultRow.reason,
            ResultRow.detail,
            ResultRow.answer,
            ResultRow.corrections,
            ResultRow.sure,
            ResultRow.flags,
        )
        .outerjoin(ResultRow, same)
        .where(PhotoRow.job == job.number, condition)
        .order_by(PhotoRow.position)
    )
    return [_build_result(row) for row in connection.execute(statement)]


def _build_result(row: DatabaseRow[Any]) -> StoredResult:
    return StoredResult(
        position=row.position,
        name=row.name,
        stored=StoredPhoto(row.upload, row.entry),
        carried=row.carried,
        reason=row.reason,
        detail=row.detail,
        answer=row.answer,
        corrections=row.corrections or {},
        sure=row.sure,
        flags=decode_flags(row.flags or 0),
    )
