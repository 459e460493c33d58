"""The command `hangtag custom`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hangtag.domain.errors import CatalogueError, UsageError
from hangtag.domain.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hangtag.catalogue.custom import Labelling
    from hangtag.catalogue.known_labels import KnownLabels
    from hangtag.cli.custom_questions import Candidates

PROPOSALS_NAME: Final = "custom_proposals.csv"
EXIT_BAD_PHOTOS: Final = 3
SHOWN_LINES: Final = 20


def custom(
    folder: Annotated[
        Path, typer.Argument(help="Your photos: in its images_custom/, or in the folder itself.")
    ],
    *,
    labels: Annotated[
        Path | None, typer.Option(help="Read the labels from this table, by file name, not from sub-folders.")
    ] = None,
    ask: Annotated[bool, typer.Option("--ask", help="Ask for the labels that are lacking.")] = False,
    propose: Annotated[
        bool, typer.Option("--propose", help="Let a model propose them; alone, into a table to be edited.")
    ] = False,
    column: Annotated[
        list[str] | None, typer.Option("--column", "-c", help="Ask for this column.  [default: articleType]")
    ] = None,
    model: Annotated[
        str, typer.Option("--model", "-m", help="The model that proposes and knows the labels.")
    ] = "default",
    taxonomy: Annotated[
        Path | None, typer.Option(help="Check the labels against this catalogue instead of the model's card.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the table that is there.")] = False,
) -> None:
    """Make custom_clothing_metadata.csv for a folder of your own photos.

    The labels are the names of sub-folders, or come from a table, or are asked for one by one. Each is checked, and
    the upper levels of its category are filled in. Nothing is written while a label is wrong. Answers are kept
    as they are given: after Ctrl-C, the same command goes on. Leaves with 3 if a photo could not be opened.
    """
    from hangtag.catalogue.custom import find_bad_photos, list_custom_photos, write_custom_set
    from hangtag.cli.custom_questions import Questions, ask_for_labels
    from hangtag.datasets.folder import CUSTOM_TABLE

    names = list_custom_photos(folder)
    written = folder / (PROPOSALS_NAME if propose and not ask else CUSTOM_TABLE)
    _refuse_to_overwrite(written, force=force)
    known = _load_known(taxonomy, model)
    columns = _need_columns(column or [known.levels[-1]], known)
    labelling = _read_labels(labels, names, known, is_tolerant=ask or propose)
    bad = find_bad_photos(folder, names)
    lacking = [name for name in names if name not in bad and _lacks(labelling, name, columns)]
    candidates = _propose(folder, lacking, model) if propose else {}
    if propose and not ask:
        _write_proposals(written, names, labelling, candidates)
    elif ask:
        answers = ask_for_labels(folder, Questions(lacking, columns, candidates), known, labelling.labels)
        write_custom_set(folder, names, labelling.labels)
        answers.remove()
    else:
        write_custom_set(folder, names, labelling.labels)
    _print_summary(names, labelling, bad, written)
    if bad:
        raise typer.Exit(EXIT_BAD_PHOTOS)


def _lacks(labelling: "Labelling", name: str, columns: "Sequence[str]") -> bool:
    return any(column not in labelling.labels.get(name, {}) for column in columns)


def _refuse_to_overwrite(path: Path, *, force: bool) -> None:
    if path.exists() and not force:
        fix = f"Replace it with --force; `--labels {path.name} --force` keeps the labels that it has."
        raise UsageError("there is such a table already", where=path, fix=fix)


def _load_known(taxonomy: Path | None, model: str) -> "KnownLabels":
    from hangtag.bundle.file import read_card
    from hangtag.bundle.shipped import find_bundle
    from hangtag.catalogue.known_labels import KnownLabels
    from hangtag.datasets.cleaned import load_cleaned

    if taxonomy is not None:
        return KnownLabels.from_table(load_cleaned(taxonomy))
    return KnownLabels.from_card(read_card(find_bundle(model)))


def _need_columns(columns: "Sequence[str]", known: "KnownLabels") -> "Sequence[str]":
    for one in columns:
        if one not in known.classes:
            raise UsageError(f"no labels of {one} are known", fix=f"There are {', '.join(known.classes)}.")
    return columns


def _read_labels(
    table: Path | None, names: "Sequence[str]", known: "KnownLabels", *, is_tolerant: bool
) -> "Labelling":
    """Read the labels that there are. A wrong one ends the command, unless they are asked for or proposed."""
    from hangtag.catalogue.custom import label_by_folders
    from hangtag.catalogue.label_file import label_by_file

    labelling = label_by_folders(names, known) if table is None else label_by_file(table, names, known)
    _print_lines("wrong", labelling.problems)
    _print_lines("please check", labelling.doubts)
    if labelling.problems and not is_tolerant:
        problem = f"{len(labelling.problems)} of the labels cannot be used; nothing was written"
        raise CatalogueError(problem, where=table, fix="Correct them, or have them asked for with --ask.")
    if not any(labelling.labels.values()) and not is_tolerant:
        fix = "Sort the photos into folders named after their labels, or use --labels, --ask or --propose."
        raise UsageError("no photo has a label", where=table, fix=fix)
    return labelling


def _propose(folder: Path, names: "Sequence[str]", model: str) -> "Candidates":
    from hangtag.cli.custom_proposals import propose_labels

    return propose_labels(folder, names, model) if names else {}


def _write_proposals(
    path: Path, names: "Sequence[str]", labelling: "Labelling", candidates: "Candidates"
) -> None:
    from hangtag.catalogue.label_file import write_proposals

    first = {
        name: {column: (labels[0].value, labels[0].confidence) for column, labels in one.items()}
        for name, one in candidates.items()
    }
    write_proposals(path, names, labelling.labels, first)
    typer.echo(f"Correct the proposals in {path}, and pass it back: hangtag custom FOLDER --labels {path}")


def _print_summary(
    names: "Sequence[str]", labelling: "Labelling", bad: "Mapping[str, str]", written: Path
) -> None:
    from hangtag.catalogue.custom import count_other_files

    others = count_other_files(written.parent)
    if others:
        counts = ", ".join(f"{count:,} {ending}" for ending, count in others.items())
        typer.echo(printable(f"passed over, since they do not end like a photo: {counts}"), err=True)
    _print_lines("cannot be opened", bad)
    labelled = sum(bool(labelling.labels.get(name)) for name in names)
    counts = f"{len(names):,} photos, {labelled:,} of them labelled, {len(bad):,} that cannot be opened"
    typer.echo(f"{counts}. Written to {written}.")


def _print_lines(title: str, lines: "Mapping[str, str]") -> None:
    for subject, text in list(lines.items())[:SHOWN_LINES]:
        typer.echo(printable(f"{title}: {subject}: {text}"), err=True)
    if len(lines) > SHOWN_LINES:
        typer.echo(f"{title}: and {len(lines) - SHOWN_LINES:,} more", err=True)
