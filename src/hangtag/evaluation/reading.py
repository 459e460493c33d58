"""Describing the figures of a report in sentences: confusions, weak classes, confidence.

Everything is read from the report's JSON values, so figures stored in a card work as well as fresh ones.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from hangtag.datasets.splits import PHOTO_COLUMN
from hangtag.evaluation.evaluate import Measurement
from hangtag.evaluation.heads import Report
from hangtag.evaluation.metrics import Floats, Ints
from hangtag.evaluation.seen import FLATTERED, Verdict

SHOWN_PHOTOS: Final = 6


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often the `support` photos of one label were predicted as another; `reverse`: the other way round."""

    true: str
    answered: str
    count: int
    support: int
    reverse: int = 0


@dataclass(frozen=True, slots=True)
class WrongAnswer:
    """A photo with a wrong label, the label, and the model's confidence in it (0 to 1)."""

    photo: str
    answered: str
    confidence: float


def find_confusions(confusion: Report) -> list[Confusion]:
    """Return the mistakes in a report's `confusion`, the most frequent first, each pair of labels once."""
    labels = confusion["labels"]
    counts = {(true, answered): count for true, answered, count in confusion["counts"]}
    supports: Counter[int] = Counter()
    for (true, _), count in counts.items():
        supports[true] += count
    found = []
    for (true, answered), count in counts.items():
        reverse = counts.get((answered, true), 0)
        if true != answered and (count, -true) >= (reverse, -answered):
            found.append(Confusion(labels[true], labels[answered], count, supports[true], reverse))
    return sorted(found, key=lambda pair: (-pair.count - pair.reverse, pair.true, pair.answered))


def find_wrong_answers(measured: Measurement, column: str, confusion: Confusion) -> list[WrongAnswer]:
    """Return some photos with this confusion, the most confident mistakes first."""
    truth, predictions = measured.truths[column], measured.answers.predictions
    chosen, confidence = predictions.label_indices[column], predictions.confidence(column)
    pairs = [(confusion.true, confusion.answered)]
    if confusion.reverse:
        pairs.append((confusion.answered, confusion.true))
    wrong = np.zeros(len(truth.indices), dtype=np.bool_)
    for true, answered in pairs:
        wrong |= (truth.indices == truth.labels.index(true)) & (chosen == truth.labels.index(answered))
    positions = np.flatnonzero(wrong)
    first = positions[np.argsort(-confidence[positions], kind="stable")][:SHOWN_PHOTOS]
    names = measured.answers.rows[PHOTO_COLUMN]
    return [
        WrongAnswer(names[int(at)].as_py(), truth.labels[int(chosen[at])], float(confidence[at]))
        for at in first
    ]


def dense_matrix(confusion: Report) -> tuple[list[str], Ints]:
    """Return the labels that occur in truth or predictions, and their matrix of counts (labels, labels)."""
    cells = np.array(confusion["counts"], dtype=np.int64).reshape(-1, 3)
    occurring = np.unique(cells[:, :2])
    matrix = np.zeros((len(occurring), len(occurring)), dtype=np.int64)
    rows, columns = (np.searchsorted(occurring, cells[:, side]) for side in (0, 1))
    matrix[rows, columns] = cells[:, 2]
    return [confusion["labels"][index] for index in occurring], matrix


def most_confused(matrix: Ints, limit: int) -> list[int]:
    """Return the positions, in order, of the labels with the most mistakes."""
    mistakes = matrix - np.diag(matrix.diagonal())
    involved = mistakes.sum(axis=0) + mistakes.sum(axis=1)
    return sorted(np.argsort(-involved, kind="stable")[:limit].tolist())


def row_shares(matrix: Ints) -> Floats:
    """Return each count as a share (0 to 1) of its row; an empty row is all zeros."""
    totals = matrix.sum(axis=1, keepdims=True)
    shares: Floats = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    return shares


TrainingCounts = Mapping[str, Mapping[str, int]]
"""The number of training photos of each label in each column."""

NAMED: Final = 3
"""How many confusions, classes or labels a sentence names."""
WEAK_RECALL: Final = 0.5
"""A class with a lower recall is weak."""
FEW_PHOTOS: Final = 5
"""A class with fewer photos in the set is too small to judge."""
FEW_EXAMPLES: Final = 100
"""A class with fewer training photos is rare."""
SMALL_GAP: Final = 0.01
"""The difference between confidence and accuracy that is too small to matter."""
LARGE_GAP: Final = 0.05
_TWO_ERRORS: Final = 1.96
"""The number of standard errors that chance explains, 95 % of the time."""


def read_overview(report: Report) -> list[str]:
    """Return sentences on a model's figures overall: doubts about them, the best and the hardest head."""
    return [*_read_origin(report), *_read_heads(report), *read_answers(report)]


def read_head(head: Report, examples: Mapping[str, int] | None = None) -> list[str]:
    """Return sentences on the figures of one head; `examples` is the number of training photos of each label."""
    if not head["support"]:
        return ["No photo has a label here, so nothing is known."]
    return [
        *_read_confusions(head),
        *_read_weak_classes(head, examples),
        *_read_unknown_labels(head),
        *_read_confidence(head),
    ]


def read_answers(report: Report) -> list[str]:
    """Return sentences on answers that back off and on the OOD detector; empty for older reports."""
    lines = []
    answers, ood = report.get("answers"), report.get("not_a_product")
    if answers and answers["target_accuracy"] is not None and answers["support"]:
        reached = [
            f"{percent(row['share'])} down to {row['level']} (right in {percent(row['accuracy'])})"
            for row in answers["levels"]
            if row["level"] and row["photos"]
        ]
        if reached:
            lines.append(
                f"Of the photos, {percent(answers['coverage'])} have an answer that the model is confident of, and "
                f"{percent(answers['accuracy'])} of these answers are right (the target is "
                f"{percent(answers['target_accuracy'])}): {join_words(reached)}."
            )
    if ood:
        lines.append(
            f"The OOD detector flags {ood['flagged']:,} of {_count(ood['photos'], 'photo')} as not a product."
        )
    return lines


def percent(share: float) -> str:
    """Format a share for readers: one decimal, and 100 or 0 only if it is exact."""
    rounded = f"{100 * share:.1f}"
    if rounded == "100.0":
        return "100 %" if share >= 1 else "over 99.9 %"
    if rounded == "0.0":
        return "0 %" if share <= 0 else "under 0.1 %"
    return f"{rounded} %"


def join_words(words: list[str], comma: str = ", ") -> str:
    """Write a list as in a sentence: `a, b and c`."""
    return words[0] if len(words) == 1 else f"{comma.join(words[:-1])} and {words[-1]}"


def _count(number: int, thing: str, things: str = "") -> str:
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def _read_origin(report: Report) -> Iterator[str]:
    seen = report.get("seen_in_training", {})
    if seen.get("verdict") in FLATTERED or seen.get("verdict") == Verdict.UNKNOWN:
        yield seen["reason"]
    failed = report["photos"]["failed"]
    if failed:
        reasons = join_words([f"{count:,} {reason.replace('_', ' ')}" for reason, count in failed.items()])
        yield f"{_count(sum(failed.values()), 'photo')} could not be read and are not counted ({reasons})."


def _read_heads(report: Report) -> Iterator[str]:
    rates = {
        column: head["top1_accuracy"]
        for column, head in report["heads"].items()
        if head["top1_accuracy"] is not None
    }
    if not rates:
        return
    best, worst = max(rates, key=rates.__getitem__), min(rates, key=rates.__getitem__)
    if len(rates) == 1:
        low, high = report["heads"][best]["interval_95"]
        yield (
            f"{best} is right for {percent(rates[best])} of {_count(report['heads'][best]['support'], 'photo')}; "
            f"other photos of the same kind could give {percent(low)} to {percent(high)}."
        )
        return
    yield (
        f"Best is {best}, right for {percent(rates[best])}; hardest is {worst}, right for {percent(rates[worst])}."
    )
    together = report["all_right"]
    if together["rate"] is not None:
        yield (
            f"All {len(rates)} labels are right for {percent(together['rate'])} of "
            f"{_count(together['support'], 'photo')}."
        )


def _read_confusions(head: Report) -> Iterator[str]:
    wrong = head["support"] - round(head["top1_accuracy"] * head["support"])
    if not wrong:
        yield f"{_count(head['support'], 'photo')}, and none is wrong."
        return
    are = "is" if wrong == 1 else "are"
    yield f"{wrong:,} of {_count(head['support'], 'photo')} {are} wrong."
    named = [_name_confusion(pair) for pair in find_confusions(head["confusion"])[:NAMED]]
    yield f"{'Most often' if wrong > 1 else 'There'}, {join_words(named, '; ')}."


def _name_confusion(pair: Confusion) -> str:
    if pair.reverse * 2 >= pair.count:
        times = _count(pair.count + pair.reverse, "time")
        return f"{pair.true} and {pair.answered} are confused with each other ({times})"
    return f"{pair.true} is predicted as {pair.answered} ({pair.count:,} of {pair.support:,})"


def _read_weak_classes(head: Report, examples: Mapping[str, int] | None) -> Iterator[str]:
    rows = [row for row in head["per_class"] if row["support"]]
    weak = [row for row in rows if row["support"] >= FEW_PHOTOS and row["recall"] < WEAK_RECALL]
    if weak:
        worst = sorted(weak, key=lambda row: (row["recall"], -row["support"]))[:NAMED]
        hits = [
            f"{row['label']} ({round(row['recall'] * row['support'])} of {row['support']:,})" for row in worst
        ]
        if len(weak) == len(worst):
            yield f"Found less than half of the time: {join_words(hits)}."
        else:
            yield f"{len(weak):,} classes are found less than half of the time, the worst {join_words(hits)}."
        yield from _explain_weakness([row["label"] for row in weak], examples)
    few = sum(row["support"] < FEW_PHOTOS for row in rows)
    if few:
        have, them = ("class has", "it") if few == 1 else ("classes have", "them")
        yield f"{few:,} {have} fewer than {FEW_PHOTOS} photos here, too few to judge {them}."


def _explain_weakness(weak: list[str], examples: Mapping[str, int] | None) -> Iterator[str]:
    """Explain weak classes by few training examples, if they had few."""
    if not examples:
        return
    rare = [label for label in weak if examples.get(label, 0) < FEW_EXAMPLES]
    enough = [label for label in weak if label not in rare]
    had = join_words([f"{label} {examples.get(label, 0):,}" for label in rare[:NAMED]]) if rare else ""
    contrast = f"the largest class {max(examples.values()):,}"
    reason = "Too few examples is the likely reason."
    if len(weak) == len(rare) == 1:
        yield f"{rare[0]} had only {_count(examples.get(rare[0], 0), 'training photo')}, {contrast}. {reason}"
    elif rare:
        which = "All of them" if not enough else f"{len(rare):,} of them"
        yield f"{which} had fewer than {FEW_EXAMPLES} training photos ({had}; {contrast}). {reason}"
    if enough:
        yield (
            f"{join_words(enough[:NAMED])} had {FEW_EXAMPLES} training photos or more, so that is not the reason: the "
            "photos look alike, or the labels are not consistent."
        )


def _read_unknown_labels(head: Report) -> Iterator[str]:
    unknown = head["unknown_labels"]
    if unknown:
        labels = find_unknown_labels(head)
        named = join_words(labels) if len(labels) <= NAMED else f"{', '.join(labels[:NAMED])} and others"
        have = "has" if unknown == 1 else "have"
        yield (
            f"{_count(unknown, 'photo')} {have} a label that the model does not know ({named}): every answer there "
            "counts as wrong."
        )


def find_unknown_labels(head: Report) -> list[str]:
    """Return the labels that the model does not know, which follow its own classes."""
    labels, rest = head["confusion"]["labels"], head["unknown_labels"]
    support = {row["label"]: row["support"] for row in head["per_class"]}
    start = len(labels)
    while rest > 0:
        start -= 1
        rest -= support[labels[start]]
    return list(labels[start:])


def _read_confidence(head: Report) -> Iterator[str]:
    bins, support = head["reliability"], head["support"]
    confidence = math.fsum(part["count"] * part["confidence"] for part in bins) / support
    right = head["top1_accuracy"]
    gap = confidence - right
    chance = _TWO_ERRORS * math.sqrt(max(right * (1 - right), 1 / support) / support)
    if abs(gap) <= max(SMALL_GAP, chance):
        verdict = "It is well calibrated"
    else:
        degree = "" if abs(gap) > LARGE_GAP else "a little "
        verdict = f"It is {degree}over-confident" if gap > 0 else f"It is {degree}under-confident"
    yield f"{verdict}: its mean confidence is {percent(confidence)}, and it is right for {percent(right)}."
