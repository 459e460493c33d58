"""The figures of an evaluation as PNGs: confusion matrices, reliability, curves of the training."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from hangtag.evaluation.confusions import dense_matrix, most_confused, row_shares
from hangtag.evaluation.curves import ACCURACIES, LOSSES, Epochs, curve
from hangtag.evaluation.heads import Report
from hangtag.evaluation.metrics import Floats, Ints
from hangtag.evaluation.reading import percent
from hangtag.reports.figures import heat_map, line_chart, png_bytes, reliability_diagram

FEW_CLASSES: Final = 12
"""So many classes leave room in each cell for a count and the share of the row."""

SMALLEST_BIN: Final = 0.002
"""A bin with a smaller share of the answers says nothing."""


def draw_confusions(title: str, column: str, head: Report) -> dict[str, bytes]:
    """Return the confusion matrix of a head as PNGs, coloured by the share of the true class.

    `""` is the whole one; with more than a few classes, `worst` shows those that most mistakes speak of.
    """
    labels, matrix = dense_matrix(head["confusion"])
    shares = row_shares(matrix)
    name = f"{column}, {title}"
    counts = [[f"{count:,}" if count else "" for count in row] for row in matrix.tolist()]
    if len(labels) <= FEW_CLASSES:
        figure = heat_map(shares, labels, labels, title=name, annotate=_counts_and_shares(matrix, shares))
        return {"": png_bytes(figure)}
    worst = most_confused(matrix, FEW_CLASSES)
    some, grid = [labels[position] for position in worst], np.ix_(worst, worst)
    texts = _counts_and_shares(matrix[grid], shares[grid])
    chosen = f"{name}: the {FEW_CLASSES} classes with the most mistakes"
    return {
        "": png_bytes(heat_map(shares, labels, labels, title=name, annotate=counts)),
        "worst": png_bytes(heat_map(shares[grid], some, some, title=chosen, annotate=texts)),
    }


def draw_reliability(title: str, column: str, head: Report) -> bytes:
    """Return the reliability diagram of a head as a PNG; what a handful of answers say is left out of it."""
    bins = [one for one in head["reliability"] if one["count"] >= head["support"] * SMALLEST_BIN]
    return png_bytes(reliability_diagram(bins, title=f"{column}, {title}: is its confidence honest?"))


def draw_coverage(title: str, report: Report) -> bytes:
    """Return as a PNG how much is right of what each head answers, over how much that is."""
    series = {
        column: (
            [point["coverage"] for point in head["coverage_curve"]],
            [point["accuracy"] for point in head["coverage_curve"]],
        )
        for column, head in report["heads"].items()
        if head["support"]
    }
    return png_bytes(
        line_chart(
            series,
            title=f"{title}: what is right of what is answered",
            x_name="share of the photos that is answered",
            y_name="share of the answers that is right",
        )
    )


def draw_curves(history: Epochs) -> Iterator[tuple[bytes, str]]:
    """Yield the curves of a training as PNGs, each with what it shows; of one epoch there is none."""
    if len(history) < 2:  # noqa: PLR2004 - two points make a curve
        return
    for names, title in ((LOSSES, "Loss"), (ACCURACIES, "Top-1 accuracy, mean of the heads")):
        series = {name.partition("_")[0]: curve(history, name) for name in names}
        drawn = {name: points for name, points in series.items() if points[0]}
        if drawn:
            figure = line_chart(drawn, title=title, x_name="epoch", y_name="")
            yield png_bytes(figure), f"{title} over the epochs of the training"


def _counts_and_shares(matrix: Ints, shares: Floats) -> list[list[str]]:
    return [
        [f"{count:,}\n{percent(share)}" if count else "" for count, share in zip(*row, strict=True)]
        for row in zip(matrix.tolist(), shares.tolist(), strict=True)
    ]
