"""A custom set: from a folder of your own photos to a table of checked labels."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from hangtag.bundle.file import DEFAULT_NAME, find_bundle, read_card
from hangtag.catalogue.custom import (
    Labelling,
    Labels,
    count_other_files,
    find_bad_photos,
    label_by_file,
    label_by_folders,
    list_custom_photos,
    write_custom_set,
    write_proposals,
)
from hangtag.catalogue.known_labels import KnownLabels
from hangtag.datasets.cleaned import load_cleaned
from hangtag.datasets.folder import CUSTOM_TABLE, custom_photos
from hangtag.domain.errors import CatalogueError, UsageError
from hangtag.domain.prediction import Label, Prediction
from hangtag.inference.model import load_model
from hangtag.pipelines.arguments import SILENT, AnyPath, Progress, checked, follow
from hangtag.tables.tables import write_json

PROPOSALS_NAME: Final = "custom_proposals.csv"
ANSWERS_NAME: Final = "custom_answers.json"
SHOWN_LINES: Final = 20
PROPOSED_LABELS: Final = 5
"""How many candidates are proposed for each column."""

Candidates = Mapping[str, Mapping[str, tuple[Label, ...]]]
"""The candidates for each column by photo name, the chosen one first."""


@dataclass(frozen=True)
class Questions:
    """The columns and photos to ask about, and a model's proposals."""

    names: Sequence[str]
    columns: Sequence[str]
    candidates: Candidates


class Answers:
    """The answers so far, by photo and column, saved at once to a file in the custom set's folder.

    An answer consists of its labels: those of the whole category path, or none.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / ANSWERS_NAME
        self._by_photo: dict[str, dict[str, Labels]] = self._read() if self._path.exists() else {}

    def _read(self) -> dict[str, dict[str, Labels]]:
        try:
            said = json.loads(self._path.read_text(encoding="utf-8"))
            return {
                name: {column: dict(labels) for column, labels in columns.items()}
                for name, columns in said.items()
            }
        except (ValueError, TypeError, AttributeError) as error:
            fix = "Delete it to begin again."
            raise CatalogueError("the saved answers cannot be read", where=self._path, fix=fix) from error

    def has(self, name: str, column: str) -> bool:
        """Return whether a photo's question was answered, even without a label."""
        return column in self._by_photo.get(name, {})

    def labels(self, name: str) -> Labels:
        """Return the labels that all answers for a photo give."""
        given = self._by_photo.get(name, {}).values()
        return {column: label for labels in given for column, label in labels.items()}

    def keep(self, name: str, column: str, given: Labels) -> None:
        """Save an answer at once."""
        self._by_photo.setdefault(name, {})[column] = given
        write_json(self._by_photo, self._path)

    def forget(self, name: str) -> bool:
        """Drop the answers for a photo. Return whether there were any."""
        return self._by_photo.pop(name, None) is not None

    def remove(self) -> None:
        """Delete the file, once the answers are in the custom set's table."""
        self._path.unlink(missing_ok=True)


Ask = Callable[[Path, Questions, KnownLabels, dict[str, Labels]], Answers]
"""Asks a person for the missing labels of a folder, adds them to the labels, and returns the saved answers."""


@dataclass(frozen=True, slots=True)
class CustomSet:
    """The table that was written, and its contents.

    `bad` has the reason for each photo that could not be opened. `other_files` counts files without a photo's
    extension, by extension.
    """

    table: Path
    photos: Sequence[str]
    labelled: int
    bad: Mapping[str, str]
    other_files: Mapping[str, int]


@checked
def custom(
    folder: AnyPath,
    *,
    labels: AnyPath | None = None,
    columns: Sequence[str] = (),
    model: str = DEFAULT_NAME,
    taxonomy: AnyPath | None = None,
    propose: bool = False,
    ask: "Ask | None" = None,
    force: bool = False,
    progress: Progress = SILENT,
) -> CustomSet:
    """Make custom_clothing_metadata.csv for a folder of your own photos.

    The labels are the names of sub-folders, or come from the table `labels`. They are checked against the card of the
    `model` or the catalogue `taxonomy`. With `propose`, the model labels the photos that lack a label in one of the
    `columns` and writes custom_proposals.csv, to be edited and passed back as `labels`. `ask` asks a person instead.

    Raises `UsageError` if this table already exists, unless `force` replaces it, and `CatalogueError` for labels
    that cannot be used.
    """
    root = Path(folder)
    names = list_custom_photos(root)
    only_proposes = propose and ask is None
    written = root / (PROPOSALS_NAME if only_proposes else CUSTOM_TABLE)
    _refuse_to_overwrite(written, root, force=force)
    known = _load_known(None if taxonomy is None else Path(taxonomy), model)
    asked = _need_columns(columns or [known.levels[-1]], known)
    table = None if labels is None else Path(labels)
    labelling = _read_labels(table, names, known, progress, is_tolerant=propose or ask is not None)
    bad = find_bad_photos(root, names, follow(progress, "Opening photos"))
    lacking = [name for name in names if name not in bad and _lacks(labelling, name, asked)]
    candidates = _propose(root, lacking, model, progress) if propose and lacking else {}
    if only_proposes:
        _write_proposals(written, names, labelling, candidates)
    else:
        answers = (
            None if ask is None else ask(root, Questions(lacking, asked, candidates), known, labelling.labels)
        )
        write_custom_set(root, names, labelling.labels)
        if answers is not None:
            answers.remove()
    labelled = sum(bool(labelling.labels.get(name)) for name in names)
    return CustomSet(written, names, labelled, bad, count_other_files(root))


def _lacks(labelling: Labelling, name: str, columns: Sequence[str]) -> bool:
    return any(column not in labelling.labels.get(name, {}) for column in columns)


def _refuse_to_overwrite(path: Path, folder: Path, *, force: bool) -> None:
    if not path.exists() or force:
        return
    again = f"hangtag custom {shlex.quote(str(folder))} --labels {shlex.quote(str(path))} --force"
    fix = f"Replace it with `force`, or keep the labels that it has: {again}"
    raise UsageError("this table already exists", where=path, fix=fix)


def _load_known(taxonomy: Path | None, model: str) -> KnownLabels:
    if taxonomy is not None:
        return KnownLabels.from_table(load_cleaned(taxonomy))
    return KnownLabels.from_card(read_card(find_bundle(model)))


def _need_columns(columns: Sequence[str], known: KnownLabels) -> Sequence[str]:
    for column in columns:
        if column not in known.classes:
            raise UsageError(f"no labels of {column} are known", fix=f"There are {', '.join(known.classes)}.")
    return columns


def _read_labels(
    table: Path | None, names: Sequence[str], known: KnownLabels, progress: Progress, *, is_tolerant: bool
) -> Labelling:
    """Read the labels that exist. A wrong one is an error, unless labels are asked for or proposed."""
    labelling = label_by_folders(names, known) if table is None else label_by_file(table, names, known)
    say_lines(progress, "wrong", labelling.problems)
    say_lines(progress, "please check", labelling.doubts)
    if is_tolerant:
        return labelling
    if labelling.problems:
        problem = f"{len(labelling.problems)} of the labels cannot be used; nothing was written"
        raise CatalogueError(problem, where=table, fix="Correct them, or enter others with `ask`.")
    if not any(labelling.labels.values()):
        fix = "Sort the photos into folders named after their labels, or use `labels`, `ask` or `propose`."
        raise UsageError("no photo has a label", where=table, fix=fix)
    return labelling


def say_lines(progress: Progress, title: str, lines: Mapping[str, str]) -> None:
    """Print the first remarks with their subjects, and how many more there are."""
    for subject, text in list(lines.items())[:SHOWN_LINES]:
        progress.say(f"{title}: {subject}: {text}")
    if len(lines) > SHOWN_LINES:
        progress.say(f"{title}: and {len(lines) - SHOWN_LINES:,} more")


def _propose(folder: Path, names: Sequence[str], model_name: str, progress: Progress) -> Candidates:
    """Label photos of a custom set with a model; one that cannot be labelled has no entry."""
    photos, found = custom_photos(folder), {}
    batches = load_model(model_name).iter_predict(photos.folder / name for name in names)
    rows = chain.from_iterable(batch.rows(PROPOSED_LABELS) for batch in batches)
    for done, (name, row) in enumerate(zip(names, rows, strict=True), start=1):
        if isinstance(row, Prediction):
            found[name] = row.candidates
        progress.advance("Labelling", done, len(names))
    return found


def _write_proposals(path: Path, names: Sequence[str], labelling: Labelling, candidates: Candidates) -> None:
    first = {
        name: {column: (labels[0].value, labels[0].confidence) for column, labels in columns.items()}
        for name, columns in candidates.items()
    }
    write_proposals(path, names, labelling.labels, first)
