"""The command `hangtag custom`."""

import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hangtag.domain.text import printable

if TYPE_CHECKING:
    from hangtag.catalogue.custom import Labels
    from hangtag.catalogue.known_labels import KnownLabels
    from hangtag.cli.console import TerminalProgress
    from hangtag.pipelines.custom import Answers, Questions

EXIT_BAD_PHOTOS: Final = 3


def custom(
    folder: Annotated[
        Path, typer.Argument(help="Your photos: in its images_custom/, or in the folder itself.")
    ],
    *,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Read the labels from this table, not from sub-folders: columns file, articleType, gender, and so on."
        ),
    ] = None,
    ask: Annotated[bool, typer.Option("--ask", help="Ask for the missing labels.")] = False,
    propose: Annotated[
        bool,
        typer.Option(
            "--propose", help="Let a model propose labels: with --ask for confirmation, otherwise in a table."
        ),
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
    force: Annotated[bool, typer.Option("--force", help="Replace an existing table.")] = False,
) -> None:
    """Make a labelled set, custom_clothing_metadata.csv, of a folder of your own photos.

    Labels come from the names of sub-folders, from a table, or from questions about each photo. Each label is checked,
    and the upper levels of its category are filled in. Nothing is written if a label is wrong. Answers are saved at
    once: after Ctrl-C, the same command continues. Exits with 3 if a photo could not be opened.
    """
    from hangtag.cli.console import TerminalProgress
    from hangtag.datasets.folder import CUSTOM_TABLE
    from hangtag.pipelines import custom as pipeline

    with TerminalProgress() as progress:
        made = pipeline.custom(
            folder,
            labels=labels,
            columns=column or (),
            model=model,
            taxonomy=taxonomy,
            propose=propose,
            ask=partial(_ask, progress) if ask else None,
            force=force,
            progress=progress,
        )
        if made.table.name == pipeline.PROPOSALS_NAME:
            replaces = ["--force"] if (folder / CUSTOM_TABLE).exists() else []
            again = shlex.join(["hangtag", "custom", str(folder), "--labels", str(made.table), *replaces])
            typer.echo(f"Correct the proposals in {made.table}, then run: {again}")
        if made.other_files:
            counts = ", ".join(f"{count:,} {ending}" for ending, count in made.other_files.items())
            progress.say(f"skipped files without the extension of a photo: {counts}")
        pipeline.say_lines(progress, "cannot be opened", made.bad)
    counts = f"{len(made.photos):,} photos, {made.labelled:,} of them labelled, {len(made.bad):,} that cannot be opened"
    typer.echo(printable(f"{counts}. Written to {made.table}."))
    if made.bad:
        raise typer.Exit(EXIT_BAD_PHOTOS)


def _ask(
    progress: "TerminalProgress",
    folder: Path,
    questions: "Questions",
    known: "KnownLabels",
    labels: "dict[str, Labels]",
) -> "Answers":
    """Ask, with the progress bar removed."""
    from hangtag.cli.asking import ask_for_labels

    progress.stop()
    return ask_for_labels(folder, questions, known, labels)
