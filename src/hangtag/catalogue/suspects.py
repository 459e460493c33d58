"""Labels of a catalogue that are probably wrong, according to models that had not seen the photo.

The method is confident learning by Northcutt, Jiang and Chuang (2021, "Confident learning: estimating uncertainty in
dataset labels", Journal of Artificial Intelligence Research 70), for one column. It needs the given labels and
out-of-fold probabilities, and no further model. As in the paper, i is the given class of a photo and j its true
one.

1. The threshold of class j is the mean probability of j among the photos given as j. A class that the model
   finds hard has a low one.
2. The confident joint counts, for each i and j, the photos given as i whose probability of j reaches the threshold
   of j; a photo over several thresholds counts for the most probable class.
3. Calibrated, each row sums to the photos that are given as i; its cells estimate how many of them truly are j.
4. Photos that both of the paper's rules select are pruned: by class, the least probable of i, as many as the
   row has off the diagonal; by noise rate, those whose probability of j exceeds that of i the most, as many as
   the cell has.

Two choices are left open by the paper: here, a photo whose own label is the most probable one is never suspected, and
a class with few photos is excluded, since its threshold is a mean of few numbers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hangtag.catalogue.check_rows import Rows
from hangtag.catalogue.findings import SUSPECT_COLUMNS, ColumnNoise, Finding, FindingKind, Suspect
from hangtag.datasets.out_of_fold import HeadGuesses, OutOfFold
from hangtag.domain.columns import ID
from hangtag.domain.errors import UsageError
from hangtag.tables.tables import write_report

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MIN_EXAMPLES: Final = 20
"""A class with fewer labels is excluded: the standard error of its threshold could exceed 0.5 / sqrt(20) = 0.11."""

UNKNOWN: Final = -1
"""The class index of a missing label."""


@dataclass(frozen=True, slots=True)
class LabelNoise:
    """The result of confident learning for one column with C classes.

    - `judged` (n,): the photos that took part. The others have no label, a rare class, or a class that the
      predicting model did not know.
    - `thresholds` (C,): NaN for a class that is not judged.
    - `confident_joint` (C, C): counts, given class by true class.
    - `joint` (C, C): the calibrated joint distribution; sums to 1, or to 0 if nothing was judged.
    - `suspects` (m,): positions of the photos that are probably wrong, the worst first; `suggested` (m,): their
      more probable class.
    """

    judged: Bools
    thresholds: Floats
    confident_joint: Ints
    joint: Floats
    suspects: Ints
    suggested: Ints

    @property
    def noise_rate(self) -> float:
        """The estimated share of judged labels that are wrong."""
        return float(self.joint.sum() - np.trace(self.joint))


def find_label_noise(
    given: Ints, probabilities: npt.NDArray[np.floating], min_examples: int = MIN_EXAMPLES
) -> LabelNoise:
    """Return the suspect labels of one column.

    `given` (n,) holds class indices or `UNKNOWN`. `probabilities` (n, C) are out of fold; NaN if the predicting model
    did not know the class. Labels of a class with fewer than `min_examples` are not judged.
    """
    classes = probabilities.shape[1]
    chances = np.where(np.isnan(probabilities), 0.0, probabilities).astype(np.float64)
    judged = given != UNKNOWN
    judged[judged] = ~np.isnan(probabilities[judged, given[judged]])
    counts = np.bincount(given[judged], minlength=classes)
    judged[judged] = counts[given[judged]] >= min_examples
    rows = np.flatnonzero(judged)
    thresholds = _find_thresholds(given[rows], chances[rows])
    confident_joint = _count_confident(given[rows], chances[rows], thresholds)
    joint = _calibrate(confident_joint, np.bincount(given[rows], minlength=classes))
    chances[:, np.isnan(thresholds)] = 0.0  # classes that are not judged are never suggested
    found, suggested = _prune(given[rows], chances[rows], joint * len(rows))
    return LabelNoise(judged, thresholds, confident_joint, joint, rows[found], suggested)


def _find_thresholds(given: Ints, chances: Floats) -> Floats:
    """Return the mean self-confidence of each class; NaN for one without photos."""
    classes = chances.shape[1]
    own = chances[np.arange(len(given)), given]
    counts = np.bincount(given, minlength=classes)
    sums = np.bincount(given, weights=own, minlength=classes)
    means: Floats = np.divide(sums, counts, out=np.full(classes, np.nan), where=counts > 0)
    return means


def _count_confident(given: Ints, chances: Floats, thresholds: Floats) -> Ints:
    classes = len(thresholds)
    # A class without a threshold is never reached.
    sure = chances >= np.where(np.isnan(thresholds), np.inf, thresholds)
    some = sure.any(axis=1)
    true = np.where(sure, chances, -1.0).argmax(axis=1)
    cells = np.bincount(given[some] * classes + true[some], minlength=classes * classes)
    return cells.reshape(classes, classes)


def _calibrate(confident_joint: Ints, counts: Ints) -> Floats:
    """Return the joint distribution, whose rows sum to the shares of the given labels.

    A row without a confident photo is assumed to be right, for lack of evidence.
    """
    cells = confident_joint.astype(np.float64)
    lonely = (cells.sum(axis=1) == 0) & (counts > 0)
    cells[lonely, lonely] = 1.0
    sums = np.maximum(cells.sum(axis=1, keepdims=True), 1.0)
    joint: Floats = cells / sums * counts[:, None] / max(1, counts.sum())
    return joint


def _prune(given: Ints, chances: Floats, expected: Floats) -> tuple[Ints, Ints]:
    """Return the positions of the suspects, worst first, and the suggested class of each.

    `expected` (C, C) is how many photos given as i truly are j.
    """
    by_class = np.zeros(len(given), bool)
    by_rate = np.zeros(len(given), bool)
    own = chances[np.arange(len(given)), given]
    for i in np.flatnonzero(expected.sum(axis=1)):
        members = np.flatnonzero(given == i)
        wrong = expected[i].copy()
        wrong[i] = 0.0
        by_class[_lowest(members, own[members], wrong.sum())] = True
        for j in np.flatnonzero(wrong):
            by_rate[_lowest(members, own[members] - chances[members, j], wrong[j])] = True
    margins, suggested = _margins(given, chances)
    found = np.flatnonzero(by_class & by_rate & (margins < 0))
    found = found[np.argsort(margins[found], kind="stable")]
    return found, suggested[found]


def _lowest(members: Ints, values: Floats, count: float) -> Ints:
    return members[np.argsort(values, kind="stable")[: round(float(count))]]


def _margins(given: Ints, chances: Floats) -> tuple[Floats, Ints]:
    """Return the normalised margin of each photo, p(given) minus the largest other p, and the latter's class."""
    others = chances.copy()
    others[np.arange(len(given)), given] = -np.inf
    best = others.argmax(axis=1)
    rows = np.arange(len(given))
    return chances[rows, given] - others[rows, best], best


SUSPECTS_CSV: Final = "suspects.csv"


def find_suspects(guesses: OutOfFold, rows: Rows) -> tuple[list[Finding], list[ColumnNoise]]:
    """Return the suspect labels, the worst of every column first, and the summary of each column.

    A label that the catalogue no longer has was corrected since, and is not suspected.

    Raises `UsageError` if the predictions are for another catalogue.
    """
    if not any(id_ in rows.labels for id_ in guesses.ids):
        raise UsageError(
            "the out-of-fold predictions are for other products: none of their ids is in the catalogue",
            fix="Use the catalogue that the folds were trained on.",
        )
    findings: list[Finding] = []
    columns = []
    for column, head in guesses.heads.items():
        suspects, noise = _judge(column, head)
        current = _current_labels(rows, column)
        kept = [
            (row, suspect)
            for row, suspect in suspects
            if current.get(guesses.ids[row], suspect.given) == suspect.given
        ]
        findings += [_about(guesses.ids[row], guesses.photos[row], suspect) for row, suspect in kept]
        columns.append(noise)
    return sorted(findings, key=_rank), columns


def write_suspects(findings: Iterable[Finding], path: Path) -> None:
    """Write the suspect labels as a table: `id`, `photo` and the suspect's columns, the worst of every column first.

    Raises `CatalogueError` if the file cannot be written.
    """
    judged = [(finding, finding.suspect) for finding in findings if finding.suspect is not None]
    columns = {
        ID: [finding.id for finding, _ in judged],
        "photo": [finding.photo for finding, _ in judged],
        **{name: [getattr(suspect, name) for _, suspect in judged] for name in SUSPECT_COLUMNS},
    }
    write_report(pa.table(columns), path)


def _judge(column: str, head: HeadGuesses) -> tuple[list[tuple[int, Suspect]], ColumnNoise]:
    """Return the rows of a column's suspect labels with their details, and the summary."""
    index_of: dict[str | None, int] = {label: index for index, label in enumerate(head.classes)}
    given = np.array([index_of.get(label, UNKNOWN) for label in head.labels], np.int64)
    noise = find_label_noise(given, head.probabilities)
    suspects = []
    for rank, (row, other) in enumerate(
        zip(noise.suspects.tolist(), noise.suggested.tolist(), strict=True), start=1
    ):
        own, better = (round(float(head.probabilities[row, index]), 3) for index in (given[row], other))
        label = head.classes[given[row]]
        suspects.append((row, Suspect(column, label, head.classes[other], own, better, rank)))
    unjudged = tuple(
        label for label, threshold in zip(head.classes, noise.thresholds, strict=True) if np.isnan(threshold)
    )
    known, judged = int((given != UNKNOWN).sum()), int(noise.judged.sum())
    return suspects, ColumnNoise(column, known, judged, noise.noise_rate, len(suspects), unjudged)


def _current_labels(rows: Rows, column: str) -> Mapping[str, str | None]:
    """Return the catalogue's labels by id; empty for a column that a check does not read."""
    if column not in rows.label_columns:
        return {}
    position = rows.label_columns.index(column)
    return {id_: labels[position] for id_, labels in rows.labels.items()}


def _about(id_: str, photo: str, suspect: Suspect) -> Finding:
    detail = (
        f"{suspect.column}: labelled {suspect.given} ({suspect.given_probability:.0%}),"
        f" more likely {suspect.suggested} ({suspect.suggested_probability:.0%})"
    )
    return Finding(FindingKind.SUSPECT_LABEL, detail, id_, photo, suspect=suspect, column=suspect.column)


def _rank(finding: Finding) -> int:
    return finding.suspect.rank if finding.suspect is not None else 0
