"""Which labels are taken for which: the mistakes in a confusion matrix, and the photos that show them."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np

from hangtag.datasets.splits import PHOTO_COLUMN
from hangtag.evaluation.evaluate import Measurement
from hangtag.evaluation.heads import Report
from hangtag.evaluation.metrics import Floats, Ints

SHOWN_PHOTOS: Final = 6


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often the `support` photos of one label were answered as another; `reverse`: how often the other way."""

    true: str
    answered: str
    count: int
    support: int
    reverse: int = 0


@dataclass(frozen=True, slots=True)
class WrongAnswer:
    """A photo that was answered wrongly, the answer, and the model's confidence in it (0 to 1)."""

    photo: str
    answered: str
    confidence: float


def find_confusions(confusion: Report) -> list[Confusion]:
    """Return the mistakes of a report's `confusion`, the most frequent first, each pair of labels once."""
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
    """Return the labels that are true or answered somewhere, and their matrix of counts (labels, labels)."""
    cells = np.array(confusion["counts"], dtype=np.int64).reshape(-1, 3)
    occurring = np.unique(cells[:, :2])
    matrix = np.zeros((len(occurring), len(occurring)), dtype=np.int64)
    rows, columns = (np.searchsorted(occurring, cells[:, side]) for side in (0, 1))
    matrix[rows, columns] = cells[:, 2]
    return [confusion["labels"][index] for index in occurring], matrix


def most_confused(matrix: Ints, limit: int) -> list[int]:
    """Return the positions, in their order, of the labels that most mistakes speak of."""
    mistakes = matrix - np.diag(matrix.diagonal())
    involved = mistakes.sum(axis=0) + mistakes.sum(axis=1)
    return sorted(np.argsort(-involved, kind="stable")[:limit].tolist())


def row_shares(matrix: Ints) -> Floats:
    """Return each count as a share (0 to 1) of its row; a row of nothing is a row of zeros."""
    totals = matrix.sum(axis=1, keepdims=True)
    shares: Floats = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    return shares
