"""The summary of a job, counted by the database."""

from collections import Counter
from typing import Final

from sqlalchemy import Engine, case, func, select

from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.domain.flags import Flag
from hangtag.server.jobs.schemas import JobSummary
from hangtag.server.jobs.tables import JobRow, LabelRow, ResultRow, decode_flags

_BINS: Final = 10


def summarise(engine: Engine, job: JobRow) -> JobSummary:
    """Count the results of a job so far: labels with corrections, reasons, flags, and the leaf's confidences."""
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
    sure = (
        select(ResultRow.sure, count)
        .where(ResultRow.job == job.number, ResultRow.answer.is_not(None))
        .group_by(ResultRow.sure)
    )
    flags = (
        select(ResultRow.flags, count)
        .where(ResultRow.job == job.number, ResultRow.flags > 0)
        .group_by(ResultRow.flags)
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
        by_sure = [
            (None if depth is None else int(depth), number) for depth, number in connection.execute(sure)
        ]
        by_flags = [(int(encoded), number) for encoded, number in connection.execute(flags)]
        counts = {int(one): number for one, number in connection.execute(bins)}
    by_confidence = [(step / _BINS, counts.get(step, 0)) for step in range(_BINS)]
    return JobSummary(
        by_class=by_class,
        by_reason=by_reason,
        by_confidence=by_confidence,
        by_answer=_count_answers(by_sure, list(by_class)),
        by_flag=_count_flags(by_flags),
    )


def _count_answers(by_sure: list[tuple[int | None, int]], columns: list[str]) -> list[tuple[str | None, int]]:
    """Return how many answers end at each level, the deepest first."""
    levels = [column for column in CATEGORY_COLUMNS if column in columns]
    counts = Counter[str | None]()
    for depth, number in by_sure:
        sure = levels[:depth]
        counts[sure[-1] if sure else None] += number
    return [(level, counts[level]) for level in (*reversed(levels), None) if counts[level]]


def _count_flags(by_flags: list[tuple[int, int]]) -> list[tuple[Flag, int]]:
    counts = Counter[Flag]()
    for encoded, number in by_flags:
        for flag in decode_flags(encoded):
            counts[flag] += number
    return counts.most_common()
