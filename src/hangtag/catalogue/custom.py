"""Making a custom set: a table for a folder of your own photos, with checked labels.

Labels come from folder names or from a table: one written by hand, edited proposals, or an older custom set.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

import pyarrow as pa

from hangtag.catalogue.known_labels import KnownLabels
from hangtag.datasets.folder import (
    CUSTOM_PHOTO_FOLDER,
    CUSTOM_TABLE,
    OWN_FILES,
    TABLE_NAME,
    PhotoFolder,
    count_endings,
    custom_photos,
)
from hangtag.datasets.interface import OnProgress, for_each_photo, silent
from hangtag.domain.columns import CATALOGUE_COLUMNS, CATEGORY_COLUMNS, ID, LABEL_COLUMNS, NAME, YEAR
from hangtag.domain.errors import CatalogueError, PhotoError, UsageError
from hangtag.domain.taxonomy import format_path
from hangtag.domain.text import did_you_mean
from hangtag.imaging.decode import decode_photo
from hangtag.tables.cells import PHOTO_COLUMNS, plain_name
from hangtag.tables.matching import Likeness, NameMatcher, product_id
from hangtag.tables.reading import list_columns
from hangtag.tables.tables import csv_writer, read_table, whole_file, write_report
from hangtag.tables.values import MISSING, drop_invisible, single_spaced
from hangtag.tables.writing import restore_text

Labels = dict[str, str]
"""The values of one product by column."""


@dataclass
class Labelling:
    """The labels of photos by name, problems with some of them, and other possible meanings.

    `problems` and `doubts` are by their subject: a folder, or a line of a file.
    """

    labels: dict[str, Labels] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    doubts: dict[str, str] = field(default_factory=dict)


def list_custom_photos(folder: Path) -> list[str]:
    """Return the names of a custom set's photos: those in `images_custom/`, or else those in the folder itself.

    Raises `UsageError` if the folder is a catalogue's without `images_custom/`, and `CatalogueError` if there are no
    photos, or names do not give unique ids.
    """
    if (folder / TABLE_NAME).is_file() and not (folder / CUSTOM_PHOTO_FOLDER).is_dir():
        fix = f"Put your own photos into {CUSTOM_PHOTO_FOLDER}/ next to it."
        raise UsageError(f"the folder is a catalogue: it holds {TABLE_NAME}", where=folder, fix=fix)
    photos = custom_photos(folder)
    names = sorted(photos.names, key=lambda name: (len(product_id(name)), name))
    if not names:
        raise CatalogueError("there are no photos", where=photos.folder)
    _check_ids(photos, names)
    return names


def _check_ids(photos: PhotoFolder, names: Sequence[str]) -> None:
    photo_of: dict[str, str] = {}
    for name in names:
        id_ = product_id(name)
        if id_ in MISSING:
            raise CatalogueError(
                f"{name} cannot be used: as an id, {id_!r} stands for a missing value", where=photos.folder
            )
        if id_ in photo_of:
            problem = f"{photo_of[id_]} and {name} would both be the product {id_}"
            raise CatalogueError(problem, where=photos.folder, fix="Rename one of them.")
        photo_of[id_] = name


def label_by_folders(names: Sequence[str], known: KnownLabels) -> Labelling:
    """Read the labels of photos from the names of their folders."""
    labelling = Labelling()
    folders = {name: str(PurePosixPath(name).parent) for name in names if "/" in name}
    checked = {folder: known.read_folders(folder.split("/")) for folder in dict.fromkeys(folders.values())}
    for folder, found in checked.items():
        if found.problems:
            labelling.problems[f"{folder}/"] = "; ".join(found.problems)
        if found.others:
            labelling.doubts[f"{folder}/"] = describe_doubt(found.labels, found.others)
    labelling.labels = {name: dict(checked[folder].labels) for name, folder in folders.items()}
    return labelling


def describe_doubt(labels: Mapping[str, str], others: Sequence[Sequence[str]]) -> str:
    """Return a sentence on the path chosen for a category, and on the other candidates."""
    taken = format_path([labels[level] for level in CATEGORY_COLUMNS if level in labels])
    return f"read as {taken}, not as {' or '.join(map(format_path, others))}"


def count_other_files(folder: Path) -> dict[str, int]:
    """Count the files in the photo folder without a photo's extension, by extension, such as `.jxl`."""
    names = custom_photos(folder).other_files
    return count_endings(name for name in names if not PurePosixPath(name).name.startswith(OWN_FILES))


def find_bad_photos(folder: Path, names: Sequence[str], on_progress: OnProgress = silent) -> dict[str, str]:
    """Open every photo. Return those that cannot be decoded, and why."""
    photos = custom_photos(folder)

    def why(name: str) -> str | None:
        try:
            decode_photo(photos.read(name))
        except PhotoError as error:
            return f"{error.reason}: {error.detail}"
        return None

    return {name: reason for name, reason in for_each_photo(names, why, on_progress).items() if reason}


def write_custom_set(folder: Path, names: Sequence[str], labels: Mapping[str, Labels]) -> Path:
    """Write the table of a custom set, one row per photo, labelled or not, and return it.

    Raises `CatalogueError` if it cannot be written.
    """
    table = folder / CUSTOM_TABLE
    with whole_file(table) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv_writer(file)
        writer.writerow(CATALOGUE_COLUMNS)
        writer.writerows(_iter_rows(names, labels))
    return table


def _iter_rows(names: Sequence[str], labels: Mapping[str, Labels]) -> Iterator[list[str]]:
    for name in names:
        own = labels.get(name, {})
        deepest = next((own[level] for level in reversed(CATEGORY_COLUMNS) if level in own), "")
        id_ = product_id(name)
        values = {ID: id_, NAME: f"{deepest} photo {PurePosixPath(id_).name}".strip()} | own
        yield [values.get(column, "") for column in CATALOGUE_COLUMNS]


_USUAL_PHOTO_COLUMNS: Final = ("photo", "file", "path", ID)
"""The preferred names of the column of photos, in order; then come those of `PHOTO_COLUMNS`."""

VALUE_COLUMNS: Final = (*LABEL_COLUMNS, YEAR, NAME)

Proposals = Mapping[str, Mapping[str, tuple[str, float]]]
"""Labels with confidences (0 to 1), by photo name and column."""


def label_by_file(path: Path, names: Sequence[str], known: KnownLabels) -> Labelling:
    """Read the labels of photos from a table of any supported format.

    Photos may be named by path or file name, with or without extension. Raises `CatalogueError` if the table cannot be
    read, and `UsageError` if it names no photos or has no labels.
    """
    table = _with_usual_names(read_table(path))
    photo_column = _find_photo_column(path, table.column_names)
    columns = _find_label_columns(path, table)
    rows = table.select([photo_column, *columns]).to_pylist()
    written = [restore_text(str(row[photo_column] or "")) for row in rows]
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
        labelling.problems[where] = f"{written} occurs twice"
    else:
        tidy = {
            column: single_spaced(drop_invisible(restore_text(str(value or ""))))
            for column, value in row.items()
        }
        given = {column: value for column, value in tidy.items() if column in VALUE_COLUMNS and value}
        checked = known.check(given)
        if checked.problems:
            labelling.problems[f"{where} ({written})"] = "; ".join(checked.problems)
        if checked.others:
            labelling.doubts[f"{where} ({written})"] = describe_doubt(checked.labels, checked.others)
        labelling.labels[name] = checked.labels


def _with_usual_names(table: pa.Table) -> pa.Table:
    """Return a table with hangtag's column names, ignoring case, spaces and punctuation."""
    usual = {plain_name(name): name for name in (ID, *VALUE_COLUMNS)}
    keys = list(map(plain_name, table.column_names))
    names = [
        usual.get(key, name) if keys.count(key) == 1 else name
        for key, name in zip(keys, table.column_names, strict=True)
    ]
    return table.rename_columns(names)


def _find_photo_column(path: Path, names: Sequence[str]) -> str:
    keys = list(map(plain_name, names))
    for usual in (*_USUAL_PHOTO_COLUMNS, *PHOTO_COLUMNS):
        if usual in keys:
            return names[keys.index(usual)]
    fix = f"Call it {' or '.join(_USUAL_PHOTO_COLUMNS)}. {list_columns(names)}"
    raise UsageError("the table has no column that names the photos", where=path, fix=fix)


def _find_label_columns(path: Path, table: pa.Table) -> list[str]:
    columns = [column for column in VALUE_COLUMNS if column in table.column_names]
    if not set(columns).intersection(LABEL_COLUMNS):
        meant = "".join(did_you_mean(column, LABEL_COLUMNS) for column in table.column_names)
        fix = f"{meant}They are called {', '.join(LABEL_COLUMNS)}. {list_columns(table.column_names)}"
        raise UsageError("the table has no column of labels", where=path, fix=fix)
    return columns


def write_proposals(
    path: Path, names: Sequence[str], labels: Mapping[str, Labels], proposals: Proposals
) -> None:
    """Write the known labels, and proposals for the others with their confidences, for editing.

    The table can be read back with `label_by_file`. Raises `CatalogueError` if it cannot be written.
    """
    columns = [
        column
        for column in LABEL_COLUMNS
        if any(column in values for values in [*labels.values(), *proposals.values()])
    ]
    table: dict[str, list[str | None]] = {"photo": list(names)}
    for column in columns:
        known = [labels.get(name, {}).get(column) for name in names]
        proposed = [proposals.get(name, {}).get(column, (None, None)) for name in names]
        pairs = list(zip(known, proposed, strict=True))
        table[column] = [own or label for own, (label, _) in pairs]
        table[f"{column}_confidence"] = [
            None if own or confidence is None else f"{confidence:.4f}" for own, (_, confidence) in pairs
        ]
    write_report(pa.table(table), path)
