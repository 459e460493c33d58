"""The results of a job: one page of them, filtered and sorted, and how a person corrects one."""

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Engine, Select, func, or_, select, true, update

from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.server.jobs.stored import StoredResult, read_result, read_results
from hangtag.server.jobs.tables import JobRow, LabelRow, PhotoRow, ResultRow
from hangtag.server.problems import InvalidRequestError
from hangtag.server.schemas import InvalidValue
from hangtag.store.database import writing
from hangtag.store.vocabulary import Vocabulary

Status = Literal["labelled", "failed", "doubtful", "category", "attributes", "flagged"]
Sort = Literal["position", "confidence"]


@dataclass(frozen=True, slots=True)
class ResultFilter:
    """Which results to return, and in which order.

    `label` is a label of `column`, corrections included. The confidences are the model's: of `column` or, without one,
    of the leaf. The status `doubtful` selects results with a doubtful label that nobody corrected, `category` those of
    them with a doubtful category, `attributes` the rest of them, and `flagged` results with a flag. Sorting by
    confidence puts the lowest first and results without one last.
    """

    column: str | None = None
    label: str | None = None
    min_confidence: float | None = None
    max_confidence: float | None = None
    status: Status | None = None
    sort: Sort = "position"


def query_results(
    engine: Engine, job: JobRow, wanted: ResultFilter, page: tuple[int, int]
) -> tuple[list[StoredResult], int]:
    """Return one page of results, given as (offset, limit), and the number of all that match."""
    offset, limit = page
    positions = _select_positions(job, wanted)
    with engine.connect() as connection:
        total = connection.execute(select(func.count()).select_from(positions.subquery())).scalar_one()
        ordered = positions.order_by(*_order(wanted)).offset(offset).limit(limit)
        found = list(connection.execute(ordered).scalars())
        rows = {row.position: row for row in read_results(connection, job, PhotoRow.position.in_(found))}
    return [rows[position] for position in found], total


def check_filter(vocabulary: Vocabulary, wanted: ResultFilter) -> None:
    """Raise `InvalidRequestError` for a column that the model does not have, and for a label without a column."""
    if wanted.column is not None and wanted.column not in vocabulary.classes:
        message = f"the model has no such column; it has {', '.join(vocabulary.columns)}"
        raise InvalidRequestError(InvalidValue(field="column", message=message))
    if wanted.label is not None and wanted.column is None:
        message = "give the column of the label"
        raise InvalidRequestError(InvalidValue(field="column", message=message))


def _select_positions(job: JobRow, wanted: ResultFilter) -> Select[int]:
    statement = select(ResultRow.position).where(ResultRow.job == job.number)
    confidence: Any = ResultRow.confidence
    if wanted.column is not None:
        same = (LabelRow.job == ResultRow.job) & (LabelRow.position == ResultRow.position)
        statement = statement.join(LabelRow, same).where(
            LabelRow.job == job.number, LabelRow.column == wanted.column
        )
        confidence = LabelRow.confidence
    conditions = (
        true() if wanted.label is None else LabelRow.label == wanted.label,
        true() if wanted.min_confidence is None else confidence >= wanted.min_confidence,
        true() if wanted.max_confidence is None else confidence <= wanted.max_confidence,
        _has_status(wanted.status, job),
    )
    return statement.where(*conditions)


def _has_status(status: Status | None, job: JobRow) -> Any:  # noqa: ANN401 - a condition
    if status == "failed":
        return ResultRow.reason.is_not(None)
    if status == "doubtful":
        return ResultRow.doubtful > 0
    if status in {"category", "attributes"}:
        category = _is_category_doubtful(job)
        return (ResultRow.doubtful > 0) & (category if status == "category" else ~category)
    if status == "flagged":
        return ResultRow.flags > 0
    return true() if status is None else ResultRow.reason.is_(None)


def _is_category_doubtful(job: JobRow) -> Any:  # noqa: ANN401 - a condition
    """Return a condition: some level of the category is doubtful. Always true for a model without categories."""
    levels = [column for column in CATEGORY_COLUMNS if column in job.vocabulary["classes"]]
    if not levels:
        return true()
    doubtful = ResultRow.answer["doubtful"].as_string()  # the list as JSON
    return or_(
        *(
            doubtful.contains(f'"{level}"') & ResultRow.corrections[level].as_string().is_(None)
            for level in levels
        )
    )


def _order(wanted: ResultFilter) -> tuple[Any, ...]:
    if wanted.sort == "position":
        return (ResultRow.position,)
    confidence: Any = ResultRow.confidence if wanted.column is None else LabelRow.confidence
    return (confidence.asc().nulls_last(), ResultRow.position)


def correct_result(engine: Engine, job: JobRow, position: int, said: dict[str, str]) -> StoredResult:
    """Store the labels that a person set for a photo, and return the result.

    A category label is stored with the rest of its path. Raises `NotFoundError`, and `InvalidRequestError` for invalid
    labels and for a photo without labels.
    """
    vocabulary = Vocabulary.from_json(job.vocabulary)
    with writing(engine) as connection:
        result = read_result(connection, job, position)
        if result.answer is None:
            message = "the photo has no labels to correct"
            raise InvalidRequestError(InvalidValue(field="position", message=message))
        current = {column: label for column, (label, _) in result.chosen.items()} | result.corrections
        corrections = result.corrections | vocabulary.complete(said, current)
        doubtful = [column for column in result.answer["doubtful"] if column not in corrections]
        key = (ResultRow.job == job.number, ResultRow.position == position)
        values = {"corrections": corrections, "doubtful": len(doubtful)}
        connection.execute(update(ResultRow).where(*key).values(**values))
        for column, label in corrections.items():
            one = (LabelRow.job == job.number, LabelRow.position == position, LabelRow.column == column)
            connection.execute(update(LabelRow).where(*one).values(label=label))
        return read_result(connection, job, position)
