"""The HTML page of an evaluation: figures side by side, confusions with photos, curves, and explanations."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from hangtag.datasets.opening import Catalogue
from hangtag.domain.errors import PhotoError
from hangtag.evaluation.answers import draw_thumbnail
from hangtag.evaluation.comparison import Duel, read_duel
from hangtag.evaluation.curves import ACCURACIES, LOSSES, Epochs, curve, read_training
from hangtag.evaluation.evaluate import Measurement
from hangtag.evaluation.heads import Report
from hangtag.evaluation.metrics import Floats, Ints
from hangtag.evaluation.reading import (
    Confusion,
    TrainingCounts,
    dense_matrix,
    find_confusions,
    find_wrong_answers,
    most_confused,
    percent,
    read_head,
    read_overview,
    row_shares,
)
from hangtag.reports.figures import heat_map, line_chart, png_bytes, reliability_diagram
from hangtag.reports.page import Page, Share

FEW_CLASSES: Final = 12
"""With up to this many classes, each cell has room for a count and the share of the row."""

SMALLEST_BIN: Final = 0.002
"""A bin with a smaller share of the predictions is too small to show."""


def draw_confusions(title: str, column: str, head: Report) -> dict[str, bytes]:
    """Return the confusion matrix of a head as PNGs, coloured by the share of the true class.

    `""` is the whole matrix. If there are many classes, `worst` shows those with the most mistakes.
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
    """Return the reliability diagram of a head as a PNG, without nearly empty bins."""
    bins = [part for part in head["reliability"] if part["count"] >= head["support"] * SMALLEST_BIN]
    return png_bytes(reliability_diagram(bins, title=f"{column}, {title}: reliability"))


def draw_coverage(title: str, report: Report) -> bytes:
    """Return the accuracy of each head's predictions over their coverage, as a PNG."""
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
            title=f"{title}: accuracy over coverage",
            x_name="coverage (share of photos with an answer)",
            y_name="accuracy of the answers",
        )
    )


def draw_curves(history: Epochs) -> Iterator[tuple[bytes, str]]:
    """Yield the curves of a training as PNGs with captions; none for a single epoch."""
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


LISTED_CONFUSIONS: Final = 15
SHOWN_CONFUSIONS: Final = 5

_ANSWERS_CAPTION: Final = (
    "The category path down to the deepest level that the model is confident of. Right: every label of it is."
)

OF_ALL_HEADS: Final = ""
"""The column of pictures that show all heads."""

Picture = tuple[bytes, str]
"""A PNG and its caption."""


Table = tuple[list[str], list[list[Any]], str]
"""The header, the rows and the caption of a table."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that a report folder is written from.

    `measurements` are the models by title. `training_counts` is the number of training photos of each label, by title,
    if known. `pictures` are the figures by title and column.
    """

    measurements: Mapping[str, Measurement]
    catalogue: Catalogue
    duels: Sequence[Duel]
    training_counts: Mapping[str, TrainingCounts]
    pictures: Mapping[tuple[str, str], Sequence[Picture]]


def build_page(findings: Findings) -> Page:
    """Build the page: all models first, then each model with its heads."""
    reports = {title: measured.report for title, measured in findings.measurements.items()}
    first = next(iter(reports.values()))
    name = first["split"]["name"]
    page = Page(f"Evaluation on {name}: {', '.join(reports)}", _lead(reports))
    page.add_section("In short")
    for title, measured in findings.measurements.items():
        if len(reports) > 1:
            page.add_heading(title)
        page.add_list(read_overview(measured.report))
    page.add_table(*_headline_table(reports))
    page.add_text(
        "The interval is what other photos of the same kind could have given, 95 times of 100 (Wilson). Macro-F1 "
        "counts each class that occurs alike, however rare. ECE is how far confidence lies from accuracy, in 15 bins."
    )
    if len(reports) > 1:
        _add_comparison(page, reports, findings.duels)
    for title, measured in findings.measurements.items():
        _add_model(page, title, measured, findings)
    return page


def _lead(reports: Mapping[str, Report]) -> str:
    first = next(iter(reports.values()))
    split = first["split"]
    how = f", a {split['strategy']} split with seed {split.get('seed')}" if "strategy" in split else ""
    count = max(report["photos"]["labelled"] for report in reports.values())
    return (
        f"{count:,} photos of {split['name']}{how}. The exported models answered, as they do when labelling."
    )


def _headline_table(reports: Mapping[str, Report]) -> tuple[list[str], list[list[Any]]]:
    header = ["model", "column", "top-1", "95 % interval", "top-3", "macro-F1", "ECE", "photos", "classes"]
    rows: list[list[Any]] = []
    for title, report in reports.items():
        rows += [[title, column, *_headline(head)] for column, head in report["heads"].items()]
        together = report["all_right"]
        if len(together["heads"]) > 1:
            figures = [
                as_share(together["rate"]),
                _interval(together),
                None,
                None,
                None,
                together["support"],
                None,
            ]
            rows.append([title, "all of them", *figures])
    return header, rows


def _headline(head: Report) -> list[Any]:
    return [
        as_share(head["top1_accuracy"]),
        _interval(head),
        as_share(head["top3_accuracy"]),
        head["macro_f1"],
        _percent(head["expected_calibration_error"]),
        head["support"],
        head["classes"],
    ]


def _add_comparison(page: Page, reports: Mapping[str, Report], duels: Sequence[Duel]) -> None:
    page.add_section("Side by side")
    columns = list(dict.fromkeys(column for report in reports.values() for column in report["heads"]))
    page.add_table(
        ["top-1", *reports],
        [[column, *(_accuracy(report, column) for report in reports.values())] for column in columns],
        "A dash: the model does not predict this column, or no photo has a label in it.",
    )
    if duels:
        page.add_list([read_duel(duel) for duel in duels])


def _add_model(page: Page, title: str, measured: Measurement, findings: Findings) -> None:
    page.add_section(f"{title} {measured.card.version}" if title == measured.card.name else title)
    page.add_text(measured.card.description)
    page.add_heading("Training curves")
    page.add_list(read_training(measured.card))
    for png, alternative in draw_curves(measured.card.history):
        page.add_picture(png, alternative)
    page.add_heading("Answers and thresholds")
    page.add_table(*coverage_table(measured.report))
    if measured.report["answers"]:
        page.add_table(*answers_table(measured.report["answers"]))
    for png, alternative in findings.pictures.get((title, OF_ALL_HEADS), ()):
        page.add_picture(png, alternative)
    counts = findings.training_counts.get(title, {})
    for column, head in measured.report["heads"].items():
        page.add_section(f"{title}: {column}")
        page.add_list(read_head(head, counts.get(column)))
        if not head["support"]:
            continue
        for png, alternative in findings.pictures.get((title, column), ()):
            page.add_picture(png, alternative)
        _add_confusions(page, column, measured, findings.catalogue)
        page.add_table(*_class_table(head, counts.get(column)), "Each class, the most frequent first.")


def _add_confusions(page: Page, column: str, measured: Measurement, catalogue: Catalogue) -> None:
    found = find_confusions(measured.report["heads"][column]["confusion"])
    if not found:
        return
    page.add_table(
        ["true class", "answered", "photos", "of", "reverse"],
        [
            [each.true, each.answered, each.count, each.support, each.reverse]
            for each in found[:LISTED_CONFUSIONS]
        ],
        "The most frequent confusions.",
    )
    for confusion in found[:SHOWN_CONFUSIONS]:
        photos = [
            (thumbnail, f"{wrong.photo}: {wrong.answered}, {percent(wrong.confidence)} confident")
            for wrong in find_wrong_answers(measured, column, confusion)
            if (thumbnail := _thumbnail(catalogue, wrong.photo)) is not None
        ]
        page.add_photos(photos, _caption(confusion))


def _caption(confusion: Confusion) -> str:
    if confusion.reverse:
        pair = f"{confusion.true} and {confusion.answered}"
        return f"{pair}, confused with each other: the most confident mistakes and their answers"
    return f"{confusion.true} answered as {confusion.answered}: the most confident mistakes"


def _class_table(head: Report, examples: Mapping[str, int] | None) -> tuple[list[str], list[list[Any]]]:
    header = ["class", "photos", "answered", "precision", "recall", "F1"]
    rows = [
        [
            row["label"],
            row["support"],
            row["answered"],
            as_share(row["precision"]),
            as_share(row["recall"]),
            row["f1"],
        ]
        for row in head["per_class"]
    ]
    if examples is None:
        return header, rows
    return [*header, "training photos"], [[*row, examples.get(row[0], 0)] for row in rows]


def _accuracy(report: Report, column: str) -> Share | None:
    head = report["heads"].get(column)
    return None if head is None else as_share(head["top1_accuracy"])


def _percent(value: float | None) -> str | None:
    return None if value is None else f"{100 * value:.1f} %"


def _interval(figures: Report) -> str | None:
    return render_interval(figures["interval_95"]) if figures["support"] else None


def _thumbnail(catalogue: Catalogue, name: str) -> bytes | None:
    try:
        return draw_thumbnail(catalogue.read_photo(name))
    except PhotoError:
        return None


def coverage_table(report: Report) -> Table:
    """Return the coverage and accuracy of each head at its threshold."""
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
    caption = "The category path down to the deepest level that the model is confident of. Right: every label of it is."
    return ["the answer ends at", "photos", "share", "right"], rows, caption


def as_share(value: float | None) -> Share | None:
    """Format a share for the page."""
    return None if value is None else Share(value)


def render_interval(interval: Sequence[float]) -> str:
    """Format an interval of shares in per cent."""
    low, high = interval
    return f"{100 * low:.1f}–{100 * high:.1f} %"
