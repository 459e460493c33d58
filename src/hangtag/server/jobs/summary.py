"""What a job came to, counted by the database."""

from typing import Final

from sqlalchemy import Engine, case, func, select

from hangtag.server.jobs.tables import JobRow, LabelRow, ResultRow
from hangtag.server.schemas import JobSummary

_BINS: Final = 10


def summarise(engine: Engine, job: JobRow) -> JobSummary:
    """Count what came of a job so far: its labels, as corrected, its reasons, and the confidences of the leaf."""
    count = func.count().label("count")
    labels = (
        select(LabelRow.column, LabelRow.label, count)
        .where(LabelRow.job == job.number)
        .group_by(LabelRow.column, LabelRow.label)
        .order_by(count.desc(), LabelRow.label)
    )
    reasons = (
        select(ResultRow.reason, count)
        .where(ResultRow.job == job.number, ResultRow.reason.is_not(None))
        .group_by(ResultRow.reason)
        .order_by(count.desc(), ResultRow.reason)
    )
    bounds = [step / _BINS for step in range(1, _BINS)]
    bin_ = case(*((ResultRow.confidence < bound, step) for step, bound in enumerate(bounds)), else_=_BINS - 1)
    bins = (
        select(bin_.label("bin"), count)
        .where(ResultRow.job == job.number, ResultRow.confidence.is_not(None))
        .group_by("bin")
    )
    by_class: dict[str, list[tuple[str, int]]] = {column: [] for column in job.vocabulary["classes"]}
    with engine.connect() as connection:
        for column, label, number in connection.execute(labels):
            by_class[column].append((label, number))
        by_reason = [(str(reason), number) for reason, number in connection.execute(reasons)]
        counts = {int(one): number for one, number in connection.execute(bins)}
    by_confidence = [(step / _BINS, counts.get(step, 0)) for step in range(_BINS)]
    return JobSummary(by_class=by_class, by_reason=by_reason, by_confidence=by_confidence)
