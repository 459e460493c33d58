"""The model card as a Markdown page, generated from the bundle's card.

Its headings are those of Mitchell et al. 2019, "Model cards for model reporting". Every figure comes from the card; the
text around them holds for any model that hangtag trains.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from hangtag.bundle.card import Card
from hangtag.domain.text import render_count

_ABSENT: Final = "–"
_FEWEST: Final = 20
"""Classes with fewer test photos are not listed."""

_WATTS: Final = 40.0
"""The assumed power of a training machine with two processor cores, including memory and cooling."""

_GRAMS_PER_KWH: Final = 450.0
"""Carbon dioxide per kilowatt hour of electricity: about the world's average."""


def render_model_card(card: Card, size: int) -> str:
    """Return the page for a card; `size` is the bundle's size in bytes."""
    parts = [
        _details(card, size),
        _intended_use(),
        _training_data(card),
        _evaluation(card),
        _elsewhere(card),
        _coverage(card),
        _by_gender(card),
        _by_class(card),
        _limits(card),
        _cost(card),
    ]
    return "\n".join(part.rstrip() + "\n" for part in parts if part)


def _details(card: Card, size: int) -> str:
    looks = card.preprocessing
    detail = f"with the detail of {looks.detail_width} x {looks.detail_height}"
    rows = [
        ("version", f"{card.version}, made on {card.created}"),
        ("licence", card.licence),
        (
            "architecture",
            f"{card.architecture}, {render_count(len(card.heads), 'head', 'heads')}, {size / 1e6:.1f} MB",
        ),
        ("input", f"photos of {looks.width} x {looks.height} pixels, {detail}"),
        ("predicts", "; ".join(f"{head.column} ({len(head.classes)} classes)" for head in card.heads)),
    ]
    return f"# Model card: {card.name}\n\n{card.description}\n\n" + _table(("", ""), rows)


def _intended_use() -> str:
    return (
        "## Intended use\n\n"
        "The model proposes labels for product photos of a fashion shop. A person should check the labels that are "
        "marked as doubtful. It must not be used to judge people: a photo may show someone who wears the product, and "
        "the label `gender` says for whom a product is made, not who is in the photo. It is for fashion products "
        "only.\n"
    )


def _training_data(card: Card) -> str:
    data, split = card.data, card.data.get("split", {})
    joined = ", ".join(data.get("joined", ())) or "none"
    lines = [f"- catalogue: {data.get('catalogue', _ABSENT)}; joined sets: {joined}"]
    if "train_photos" in data:
        lines.append(f"- trained on {data['train_photos']:,} photos")
    if "figures_of" in data:
        lines.append(
            "- also trained on validation and test; all figures are those of a twin that was trained without them"
        )
    for source in card.sources:
        stated = "; ".join(filter(None, (source.licence, source.attribution)))
        lines.append(f"- {source.name}: {source.photos:,} photos" + (f" ({stated})" if stated else ""))
    if teachers := data.get("teachers"):
        names = ", ".join(teacher["name"] for teacher in teachers)
        lines.append(f"- the predictions of {names} for these photos were used as soft targets")
    if split:
        counts = ", ".join(f"{name} {count:,}" for name, count in split.get("counts", {}).items())
        lines.append(
            f"- split: {split.get('strategy', _ABSENT)}, seed {split.get('seed', _ABSENT)}; {counts}"
        )
    lines.append(
        f"- the catalogue's own labels, including its mistakes; {len(card.taxonomy.paths)} category paths"
    )
    return "## Training data\n\n" + "\n".join(lines) + "\n"


def _evaluation(card: Card) -> str:
    sections = [_split_section(card, name) for name in ("test", "validation") if name in card.metrics]
    if not sections:
        return ""
    return (
        "## How good it is\n\nTop-1 accuracy with its 95 % interval. Macro F1 counts each class the same.\n\n"
        + "\n".join(sections)
    )


def _split_section(card: Card, name: str) -> str:
    report = card.metrics[name]
    apart = report.get("parts", {}).get("apart_from_train")
    headers = ["head", "accuracy", "macro F1", "calibration error", "photos"]
    rows = []
    for column, head in report["heads"].items():
        row = [
            column,
            _accuracy(head),
            _number(head["macro_f1"]),
            _percent(head["expected_calibration_error"]),
        ]
        rows.append([*row, f"{head['support']:,}", *([_accuracy(apart["heads"][column])] if apart else [])])
    together = report["all_right"]
    whole = {"top1_accuracy": together["rate"], "interval_95": together["interval_95"]}
    last = ["all right", _accuracy(whole), _ABSENT, _ABSENT, f"{together['support']:,}"]
    if apart:
        headers.append(f"without duplicates in train ({apart['photos']:,})")
        both = apart["all_right"]
        last.append(_accuracy({"top1_accuracy": both["rate"], "interval_95": both["interval_95"]}))
    means = f"{_percent(report['mean_top1_accuracy'])}, macro F1 {_number(report['mean_macro_f1'])}"
    table = _table(headers, [*rows, last])
    return f"### {name.capitalize()} split\n\n{table}\nMean of the heads: {means}.\n"


def _elsewhere(card: Card) -> str:
    sets = [name for name in card.metrics if name not in {"test", "validation", "train"}]
    if not sets:
        return ""
    rows = [
        [name, column, _accuracy(head), f"{head['support']:,}"]
        for name in sets
        for column, head in card.metrics[name]["heads"].items()
        if head["support"]
    ]
    return (
        "## Photos from other sources\n\nThe photos of the joined sets that were held out from training.\n\n"
        + _table(("set", "head", "accuracy", "photos"), rows)
    )


def _coverage(card: Card) -> str:
    report = card.metrics.get("test", {})
    if card.target_accuracy is None or "heads" not in report:
        return ""
    rows = []
    for column, head in report["heads"].items():
        answered = head.get("answered", {})
        if answered.get("coverage") is None:
            rows.append([column, "the target is not reached", _ABSENT, _ABSENT])
        else:
            threshold = f"{100 * answered['threshold']:.1f} %"
            rows.append([column, threshold, _percent(answered["coverage"]), _percent(answered["accuracy"])])
    text = (
        "## When it is confident\n\n"
        f"The thresholds were chosen on validation so that {_percent(card.target_accuracy)} of the confident answers "
        "are right. On the test split:\n\n"
    )
    text += _table(("head", "threshold", "coverage", "right"), rows)
    flagged = report.get("not_a_product")
    if card.ood_detector is not None and flagged:
        text += (
            f"\nNot a product ({card.ood_detector.method}): {_percent(flagged['share'])} of the test photos are "
            "flagged, and all of them are products.\n"
        )
    return text


def _by_gender(card: Card) -> str:
    parts = card.metrics.get("test", {}).get("parts", {}).get("by", {}).get("gender", {})
    if not parts:
        return ""
    columns = list(next(iter(parts.values()))["heads"])
    rows = [
        [name, f"{part['photos']:,}", *(_accuracy(part["heads"][column]) for column in columns)]
        for name, part in sorted(parts.items(), key=lambda item: -item[1]["photos"])
    ]
    return "## By gender\n\nThe same figures for the test products of each gender.\n\n" + _table(
        ("gender", "photos", *columns), rows
    )


def _by_class(card: Card) -> str:
    heads = card.metrics.get("test", {}).get("heads", {})
    if not heads:
        return ""
    text = f"## Class by class\n\nClasses with at least {_FEWEST} test photos: recall / precision (photos).\n"
    for column, head in heads.items():
        rows = [row for row in head["per_class"] if row["support"] >= _FEWEST]
        rare = sum(row["support"] < _FEWEST for row in head["per_class"] if row["support"])
        told = "; ".join(
            f"{row['label']} {_percent(row['recall'])} / {_percent(row['precision'])} ({row['support']})"
            for row in rows
        )
        text += f"\n**{column}**: {told}" + (f"; {rare} rarer ones." if rare else ".") + "\n"
    return text


def _limits(card: Card) -> str:
    worst = _worst_confusions(card)
    return (
        "## Limits\n\n"
        "- It predicts only the classes of its catalogue, and works best on the kinds of photos that it was trained "
        "on.\n"
        "- Colour, season and usage are partly a matter of opinion: identical photos have different labels "
        "([the noise ceiling](measurements/results.md#the-noise-ceiling)).\n"
        "- Classes with few examples are often missed; macro F1 shows how often.\n"
        + (f"- What it confuses most often: {worst}.\n" if worst else "")
    )


def _worst_confusions(card: Card) -> str:
    head = card.metrics.get("test", {}).get("heads", {}).get("articleType")
    if not head:
        return ""
    labels, counts = head["confusion"]["labels"], head["confusion"]["counts"]
    mistakes = sorted(
        ((count, labels[true], labels[said]) for true, said, count in counts if true != said), reverse=True
    )
    return ", ".join(f"{true} for {said} ({count})" for count, true, said in mistakes[:5])


def _cost(card: Card) -> str:
    own = sum(row.get("seconds", 0.0) for row in card.history) / 3600
    if not own:
        return ""
    before = sum(teacher["seconds"] for teacher in card.data.get("teachers", ())) / 3600
    hours = own + before
    teaching = f", and training its teachers {before:.1f} hours" if before else ""
    energy = hours * _WATTS / 1000
    epochs = f"{len(card.history)} epoch{'s' if len(card.history) > 1 else ''}"
    return (
        "## Environmental cost\n\n"
        f"{epochs} took {own:.1f} hours on the processor{teaching}. At {_WATTS:.0f} W that is "
        f"{energy:.2f} kWh, or {energy * _GRAMS_PER_KWH:.0f} g of carbon dioxide at {_GRAMS_PER_KWH:.0f} g per kWh. "
        "Earlier trials are not included.\n"
    )


def _accuracy(head: dict[str, Any]) -> str:
    if head["top1_accuracy"] is None:
        return _ABSENT
    low, high = head["interval_95"]
    return f"{_percent(head['top1_accuracy'])} ({100 * low:.1f} – {100 * high:.1f})"


def _percent(value: float | None) -> str:
    return _ABSENT if value is None else f"{100 * value:.1f} %"


def _number(value: float | None) -> str:
    return _ABSENT if value is None else f"{value:.3f}"


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [_row(headers), "|" + "---|" * len(headers), *(_row(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
