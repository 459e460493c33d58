"""Labels for photos from a table: one written by hand, proposals that were edited, or an older custom set."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa

from hangtag.catalogue.custom import Labelling, Labels, describe_doubt
from hangtag.catalogue.known_labels import KnownLabels
from hangtag.domain.columns import ID, LABEL_COLUMNS, NAME, YEAR
from hangtag.domain.errors import UsageError
from hangtag.domain.text import did_you_mean
from hangtag.tables.files import whole_file
from hangtag.tables.matching import Likeness, NameMatcher
from hangtag.tables.tables import csv_writer, read_table
from hangtag.tables.values import drop_invisible, single_spaced

PHOTO_COLUMNS: Final = ("photo", "file", "path", ID)
"""Which column names the photos: the first of these that is there."""

VALUE_COLUMNS: Final = (*LABEL_COLUMNS, YEAR, NAME)

Proposals = Mapping[str, Mapping[str, tuple[str, float]]]
"""For photos by name, a label and its confidence (0 to 1) by column."""


def label_by_file(path: Path, names: Sequence[str], known: KnownLabels) -> Labelling:
    """Read the labels of photos from a table of any form that hangtag reads.

    A photo may be written as its path, with folders around it or without, with its ending or without. Raises
    `CatalogueError` when the table cannot be read, and `UsageError` when it names no photos or has no labels.
    """
    table = _in_usual_capitals(read_table(path))
    photo_column = next((column for column in PHOTO_COLUMNS if column in table.column_names), None)
    if photo_column is None:
        fix = f"It is called {', '.join(PHOTO_COLUMNS)}; there are {', '.join(table.column_names)}."
        raise UsageError("the table has no column that names the photos", where=path, fix=fix)
    columns = _find_label_columns(path, table)
    rows = table.select([photo_column, *columns]).to_pylist()
    written = [str(row[photo_column] or "") for row in rows]
    matches = NameMatcher(names).match_all(written, Likeness.OTHER_FOLDER)
    labelling = Labelling()
    for number, (text, row) in enumerate(zip(written, rows, strict=True), start=1):
        match = matches[text]
        if not match.photos:
            problem = f"there is no photo {text}" if not match.is_ambiguous else text
            labelling.problems[f"row {number}"] = "; ".join(filter(None, [problem, match.explain()]))
        for photo in match.photos:
            _read_row(labelling, f"row {number}", names[photo], row, known)
    return labelling


def _read_row(
    labelling: Labelling, where: str, name: str, row: Mapping[str, str | None], known: KnownLabels
) -> None:
    written = next(iter(row.values()))
    if name in labelling.labels:
        labelling.problems[where] = f"{written} comes twice"
    else:
        tidy = {column: single_spaced(drop_invisible(str(value or ""))) for column, value in row.items()}
        given = {column: value for column, value in tidy.items() if column in VALUE_COLUMNS and value}
        checked = known.check(given)
        if checked.problems:
            labelling.problems[f"{where} ({written})"] = "; ".join(checked.problems)
        if checked.others:
            labelling.doubts[f"{where} ({written})"] = describe_doubt(checked.labels, checked.others)
        labelling.labels[name] = checked.labels


def _in_usual_capitals(table: pa.Table) -> pa.Table:
    """Return a table whose columns are called as hangtag writes them, whatever their capitals."""
    usual = {name.casefold(): name for name in (*PHOTO_COLUMNS, *VALUE_COLUMNS)}
    keys = [single_spaced(name).casefold() for name in table.column_names]
    names = [
        usual.get(key, name) if keys.count(key) == 1 else name
        for key, name in zip(keys, table.column_names, strict=True)
    ]
    return table.rename_columns(names)


def _find_label_columns(path: Path, table: pa.Table) -> list[str]:
    columns = [column for column in VALUE_COLUMNS if column in table.column_names]
    if not set(columns).intersection(LABEL_COLUMNS):
        meant = "".join(did_you_mean(column, LABEL_COLUMNS) for column in table.column_names)
        fix = f"{meant}They are called {', '.join(LABEL_COLUMNS)}."
        raise UsageError("the table has no column of labels", where=path, fix=fix)
    return columns


def write_proposals(
    path: Path, names: Sequence[str], labels: Mapping[str, Labels], proposals: Proposals
) -> None:
    """Write the labels that are known, and proposals for the others with their confidences, to be edited.

    The table can be read back with `label_by_file`. Raises `CatalogueError` when it cannot be written.
    """
    columns = [
        column
        for column in LABEL_COLUMNS
        if any(column in values for values in [*labels.values(), *proposals.values()])
    ]
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv_writer(file)
        writer.writerow(["photo", *(part for column in columns for part in (column, f"{column}_confidence"))])
        for name in names:
            row = [name]
            for column in columns:
                known = labels.get(name, {}).get(column)
                label, confidence = proposals.get(name, {}).get(column, ("", None))
                row += [known, ""] if known else [label, "" if confidence is None else f"{confidence:.4f}"]
            writer.writerow(row)
