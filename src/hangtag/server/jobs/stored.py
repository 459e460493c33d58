"""A photo of a job as it is stored, with what came of it."""

from collections.abc import Iterator
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

PHOTOS_AT_A_TIME: Final = 1000


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A photo of a job with what came of it, if anything did yet."""

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
        """Whether it has no result yet."""
        return self.reason is None and self.answer is None

    @property
    def chosen(self) -> dict[str, tuple[str, float]]:
        """The model's labels by column, with their confidences."""
        candidates = self.answer["candidates"] if self.answer else {}
        return {column: (ranked[0][0], ranked[0][1]) for column, ranked in candidates.items()}

    @property
    def sure_levels(self) -> list[str]:
        """The levels of the category path that the model is sure of, from the root on."""
        levels: list[str] = [column for column in CATEGORY_COLUMNS if column in self.chosen]
        return levels[: self.sure]

    @property
    def doubtful(self) -> list[str]:
        """The columns whose label is doubtful, and was not corrected."""
        doubtful = self.answer["doubtful"] if self.answer else []
        return [column for column in doubtful if column not in self.corrections]


def read_result(connection: Connection, job: JobRow, position: int) -> StoredResult:
    """Return the photo at a position; raises `NotFoundError`."""
    found = read_results(connection, job, PhotoRow.position == position)
    if not found:
        raise NotFoundError(f"the job has no photo {position}")
    return found[0]


def iter_results(engine: Engine, job: JobRow) -> Iterator[list[StoredResult]]:
    """Yield all photos of a job in their order, with or without a result, some at a time."""
    for start in range(0, job.total, PHOTOS_AT_A_TIME):
        with engine.connect() as connection:
            yield read_results(
                connection, job, PhotoRow.position.between(start, start + PHOTOS_AT_A_TIME - 1)
            )


def describe_result(result: StoredResult, columns: list[str]) -> LabelledResult | FailedResult:
    """Return what the API says of a result; `columns` are those of the table that came with the photos.

    Raises `ValueError` for a photo that still waits.
    """
    row = None if result.carried is None else dict(zip(columns, result.carried, strict=True))
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
    sure = result.sure_levels
    return LabelledResult(
        photo=result.name,
        path=[labels[column].value for column in CATEGORY_COLUMNS if column in labels],
        answer=[labels[level].value for level in sure],
        answer_level=sure[-1] if sure else None,
        flags=list(result.flags),
        labels=labels,
        doubtful=result.doubtful,
        position=result.position,
        row=row,
        corrections=result.corrections,
    )


def read_results(connection: Connection, job: JobRow, condition: ColumnElement[bool]) -> list[StoredResult]:
    """Return those photos of a job for which a condition on `PhotoRow` holds, in their order."""
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
