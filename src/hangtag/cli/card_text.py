"""A model's card as text for people."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hangtag.bundle.card import Card, HeadCard
from hangtag.bundle.file import Bundle
from hangtag.domain.taxonomy import format_path
from hangtag.domain.text import printable as spell_out
from hangtag.tables.terminal import figures_table, print_table

_ABSENT: Final = "–"
_SHOWN_CLASSES: Final = 8


def printable(text: str, style: str = "") -> Text:
    """Return text from a model's file with control characters escaped, so that it cannot control the terminal."""
    return Text(spell_out(text), style=style)


def print_card(console: Console, bundle: Bundle) -> None:
    """Print a bundle's card: what the model is, its heads with their figures, its data and its recipe."""
    card = bundle.card
    console.print(printable(f"{card.name} {card.version}", style="bold"))
    console.print(printable(card.description))
    console.print(_facts(bundle))
    console.print(Text("\nHeads, measured on the test split", style="bold"))
    print_table(console, _heads(card))
    for split in card.metrics:
        console.print(printable(_describe_split(card, split)), soft_wrap=True)
    console.print(Text("\nClasses", style="bold"))
    console.print(_pairs({head.column: _classes(head) for head in card.heads}))
    if card.data:
        console.print(Text("\nData", style="bold"))
        console.print(_pairs(card.data))
    if card.recipe:
        console.print(Text("\nRecipe", style="bold"))
        console.print(_pairs(card.recipe))


def _facts(bundle: Bundle) -> Table:
    card, path = bundle.card, bundle.path
    size = card.preprocessing
    paths = card.taxonomy.paths
    facts = {
        "file": f"{path} ({path.stat().st_size / 1e6:.1f} MB)",
        "digest": "matches graph and card"
        if bundle.is_sealed
        else "none: changes to the file cannot be detected",
        "architecture": card.architecture,
        "licence": card.licence,
        "created": card.created,
        "photos": f"{size.width}x{size.height}, detail of {size.detail_width}x{size.detail_height}, {size.fit}",
        "taxonomy": f"{len(paths)} paths, such as {format_path(paths[0])}" if paths else "none",
        "precisions": ", ".join(card.precisions),
        "answers": _describe_target(card),
        "OOD detector": f"{card.ood_detector.method}, over {card.ood_detector.threshold:.3g}"
        if card.ood_detector
        else "none",
        "checked by": f"{len(card.golden)} golden photos, logits within {card.golden_tolerance:g}",
    }
    return _pairs(facts)


def _heads(card: Card) -> Table:
    table = figures_table(
        "head", "classes", "top-1", "top-3", "macro-F1", "ECE", "threshold", "answered", "right"
    )
    for head in card.heads:
        measured = [
            card.figure("test", "heads", head.column, name)
            for name in ("top1_accuracy", "top3_accuracy", "macro_f1", "expected_calibration_error")
        ]
        answered = [
            card.figure("test", "heads", head.column, "answered", name) for name in ("coverage", "accuracy")
        ]
        table.add_row(
            printable(head.column),
            str(len(head.classes)),
            *(_figure(value) for value in measured),
            _figure(head.threshold),
            *(_figure(value) for value in answered),
        )
    return table


def _describe_target(card: Card) -> str:
    if card.target_accuracy is None:
        return "all labels, without a threshold"
    lacking = [head.column for head in card.heads if head.threshold is None]
    never = f"; not reached by {', '.join(lacking)}" if lacking else ""
    return f"above the thresholds; target: {card.target_accuracy:.1%} right{never}"


def _classes(head: HeadCard) -> str:
    shown = ", ".join(head.classes[:_SHOWN_CLASSES])
    return f"{shown}, …" if len(head.classes) > _SHOWN_CLASSES else shown


def _figure(value: float | None) -> str:
    return _ABSENT if value is None else f"{value:.3f}"


def _describe_split(card: Card, split: str) -> str:
    """Return a line for a split that the model was measured on, as far as the card has the facts."""
    photos = card.figure(split, "photos", "labelled")
    counted = "" if photos is None else f"{photos:,} photos, "
    mean, together = card.figure(split, "mean_top1_accuracy"), card.figure(split, "all_right", "rate")
    return f"{split}: {counted}mean of the heads {_figure(mean)}, all heads right {_figure(together)}"


def _pairs(values: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in _flatten(values):
        table.add_row(printable(name), printable(str(value)))
    return table


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
