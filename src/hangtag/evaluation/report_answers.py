"""The tables of a report that say how much a model answers, and how much of that is right."""

from collections.abc import Sequence
from typing import Any

from hangtag.evaluation.heads import Report
from hangtag.reports.page import Share

Table = tuple[list[str], list[list[Any]], str]
"""The header, the rows and the caption of a table."""


def coverage_table(report: Report) -> Table:
    """Return what each head answers at its threshold."""
    rows = []
    for column, head in report["heads"].items():
        answered = head["answered"]
        interval = answered["interval_95"]
        rows.append(
            [
                column,
                answered["threshold"],
                as_share(answered["coverage"]),
                as_share(answered["accuracy"]),
                None if interval is None else render_interval(interval),
            ]
        )
    caption = (
        "From its threshold on, a head's label is an answer. Without one, it is right too rarely for the target, or "
        "the model has no target."
    )
    return ["column", "threshold", "answered", "of these right", "95 % interval"], rows, caption


def answers_table(answers: Report) -> Table:
    """Return how far down the path the photos are answered."""
    rows = [
        [row["level"] or "no answer", row["photos"], as_share(row["share"]), as_share(row["accuracy"])]
        for row in answers["levels"]
    ]
    caption = "The category path down to the deepest level that is sure. Right: every label of it is."
    return ["the answer ends at", "photos", "share", "right"], rows, caption


def as_share(value: float | None) -> Share | None:
    """Return a share as the page writes it."""
    return None if value is None else Share(value)


def render_interval(interval: Sequence[float]) -> str:
    """Write an interval of shares in per cent."""
    low, high = interval
    return f"{100 * low:.1f}–{100 * high:.1f} %"
