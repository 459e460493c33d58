"""Suspect labels: what out-of-fold predictions say against a catalogue, as findings and as a table to train without."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from hangtag.catalogue.check_rows import Rows
from hangtag.catalogue.findings import SUSPECT_COLUMNS, Finding, FindingKind, Suspect
from hangtag.catalogue.label_noise import UNKNOWN, ColumnNoise, find_label_noise
from hangtag.datasets.out_of_fold import HeadGuesses, OutOfFold
from hangtag.domain.columns import ID
from hangtag.domain.errors import UsageError
from hangtag.tables.files import whole_file
from hangtag.tables.tables import csv_writer

SUSPECTS_CSV: Final = "suspects.csv"


def find_suspects(guesses: OutOfFold, rows: Rows) -> tuple[list[Finding], list[ColumnNoise]]:
    """Return the suspect labels, the worst of every column first, and what is said of each column.

    A label that the catalogue no longer has was corrected since, and is not suspected.

    Raises `UsageError` when the predictions are of another catalogue.
    """
    if not any(id_ in rows.labels for id_ in guesses.ids):
        raise UsageError(
            "the out-of-fold predictions are of other products: the catalogue has none of their ids",
            fix="Name the catalogue that the folds were trained on.",
        )
    findings: list[Finding] = []
    columns = []
    for column, head in guesses.heads.items():
        suspects, noise = _judge(column, head)
        current = _current_labels(rows, column)
        kept = [(row, one) for row, one in suspects if current.get(guesses.ids[row], one.given) == one.given]
        findings += [_about(guesses.ids[row], guesses.photos[row], one) for row, one in kept]
        columns.append(noise)
    return sorted(findings, key=_rank), columns


def write_suspects(findings: Iterable[Finding], path: Path) -> None:
    """Write the suspect labels as CSV: `id`, `photo` and what is suspected, the worst of every column first.

    Raises `CatalogueError` when the file cannot be written.
    """
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv_writer(file)
        writer.writerow((ID, "photo", *SUSPECT_COLUMNS))
        for one in findings:
            if one.suspect is not None:
                said = (getattr(one.suspect, name) for name in SUSPECT_COLUMNS)
                writer.writerow((one.id, one.photo, *said))


def _judge(column: str, head: HeadGuesses) -> tuple[list[tuple[int, Suspect]], ColumnNoise]:
    """Return the rows of the suspect labels of a column, each with what is suspected, and the summary."""
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
    """Return the catalogue's labels by id; none for a column that a check does not read."""
    if column not in rows.label_columns:
        return {}
    position = rows.label_columns.index(column)
    return {id_: labels[position] for id_, labels in rows.labels.items()}


def _about(id_: str, photo: str, one: Suspect) -> Finding:
    detail = (
        f"{one.column}: {one.given} ({one.given_probability:.0%}),"
        f" rather {one.suggested} ({one.suggested_probability:.0%})"
    )
    return Finding(FindingKind.SUSPECT_LABEL, detail, id_, photo, suspect=one)


def _rank(finding: Finding) -> int:
    return finding.suspect.rank if finding.suspect is not None else 0
