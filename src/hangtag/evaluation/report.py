"""Printing a report, and storing it in a card."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hangtag.bundle.card import Card
from hangtag.domain.text import printable
from hangtag.evaluation.comparison import Duel, read_duel
from hangtag.evaluation.heads import Report
from hangtag.evaluation.photo_set import KEPT_BACK_OF
from hangtag.evaluation.reading import read_answers
from hangtag.evaluation.seen import FLATTERED, Verdict
from hangtag.tables.terminal import figures_table, print_table

_ABSENT = "–"


def print_report(console: Console, report: Report) -> None:
    """Print what was measured on which photos, and a line of figures for each head."""
    console.print(Text(_headline(report), style="bold"))
    console.print(Text(_describe_split(report["split"])), soft_wrap=True)
    _print_seen(console, report["seen_in_training"])
    for reason, count in report["photos"]["failed"].items():
        photos = "1 photo" if count == 1 else f"{count:,} photos"
        console.print(Text(f"{photos} could not be read, not counted: {reason}", style="red"))
    print_table(console, _build_table(report))
    together = report["all_right"]
    interval = _render_interval(together["interval_95"])
    console.print(
        Text(f"all of them right {_percent(together['rate'])} ({interval}) of {together['support']:,} photos")
    )
    for line in read_answers(report):
        console.print(Text(printable(line)), soft_wrap=True)
    for remark in _remarks(report):
        console.print(Text(remark, style="dim"))
    console.print(Text("macro-F1 is the mean over the classes that occur", style="dim"))
    console.print(Text("answered: share above the head's threshold; right: accuracy of these", style="dim"))


def print_comparison(console: Console, reports: Mapping[str, Report], duels: Sequence[Duel]) -> None:
    """Print the accuracies of several models side by side, by title, and the result of each duel."""
    table = figures_table("top-1", *(Text(printable(title)) for title in reports))
    for column in dict.fromkeys(column for report in reports.values() for column in report["heads"]):
        heads = (report["heads"].get(column) for report in reports.values())
        table.add_row(
            Text(printable(column)),
            *(_ABSENT if head is None else _percent(head["top1_accuracy"]) for head in heads),
        )
    console.print(Text("side by side", style="bold"))
    print_table(console, table)
    for duel in duels:
        console.print(Text(printable(read_duel(duel))), soft_wrap=True)


def add_to_card(card: Card, report: Report) -> Card:
    """Return the card with the report's figures added under the split's name. Other splits stay unchanged."""
    figures = {key: value for key, value in report.items() if key != "model"}
    return replace(card, metrics={**card.metrics, report["split"]["name"]: figures})


def _headline(report: Report) -> str:
    model, split = report["model"], report["split"]
    name = printable(f"{model['name']} {model['version']} on {split['name']}")
    return f"{name}: {report['photos']['labelled']:,} photos"


def _describe_split(split: dict[str, Any]) -> str:
    if KEPT_BACK_OF in split:
        return f"what was held out from {printable(split[KEPT_BACK_OF])}"
    if "catalogue" in split:
        rejected = split.get("rejected_lines", 0)
        lines = f"; {rejected:,} of its lines are not products and are not counted" if rejected else ""
        return f"all photos of {printable(split['catalogue'])}{lines}"
    if "strategy" not in split:
        return "The split table does not say how it was made."
    counts = ", ".join(f"{name} {count:,}" for name, count in split.get("counts", {}).items())
    return f"{split['strategy']} split, seed {split.get('seed', _ABSENT)} ({counts})"


def _print_seen(console: Console, seen: dict[str, str]) -> None:
    """Print doubts about the figures prominently; print nothing if there are none."""
    if seen["verdict"] in FLATTERED:
        console.print(Text(printable(seen["reason"]), style="bold yellow"), soft_wrap=True)
    elif seen["verdict"] in {Verdict.UNKNOWN, Verdict.KEPT_BACK}:
        console.print(Text(printable(seen["reason"]), style="dim"), soft_wrap=True)


def _build_table(report: Report) -> Table:
    table = figures_table(
        "head", "top-1", "95 % interval", "top-3", "macro-F1", "ECE", "answered", "right", "photos", "classes"
    )
    for column, head in report["heads"].items():
        table.add_row(Text(printable(column)), *_figures(head))
    means = (_percent(report["mean_top1_accuracy"]), "", "", _share(report["mean_macro_f1"]))
    table.add_row("mean", *means, style="bold")
    return table


def _figures(head: dict[str, Any]) -> list[str]:
    return [
        _percent(head["top1_accuracy"]),
        _render_interval(head["interval_95"]) if head["support"] else _ABSENT,
        _percent(head["top3_accuracy"]),
        _share(head["macro_f1"]),
        _percent(head["expected_calibration_error"]),
        _percent(head["answered"]["coverage"]),
        _percent(head["answered"]["accuracy"]),
        f"{head['support']:,}",
        f"{head['classes']:,}",
    ]


def _remarks(report: Report) -> Iterator[str]:
    """Describe for which heads some rows could not be counted, or could not be right."""
    for column, head in report["heads"].items():
        missing, unknown = head["missing_labels"], head["unknown_labels"]
        if missing:
            yield f"{column}: {missing:,} without a label, not counted"
        if unknown:
            yield f"{column}: {unknown:,} with a label that the model does not know, counted as wrong"


def _render_interval(interval: list[float]) -> str:
    return f"{100 * interval[0]:.2f} – {100 * interval[1]:.2f}"


def _percent(value: float | None) -> str:
    return _ABSENT if value is None else f"{value:.2%}"


def _share(value: float | None) -> str:
    return _ABSENT if value is None else f"{value:.3f}"
