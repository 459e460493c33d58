"""The command `hangtag check`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from hangtag.catalogue.findings import CheckResult
    from hangtag.datasets.out_of_fold import OutOfFold

EXIT_FINDINGS: Final = 1


def check(
    path: Annotated[Path, typer.Argument(help="The catalogue: its folder or its zip.")],
    *,
    decode: Annotated[
        bool, typer.Option("--decode", help="Open every photo, and look for blank and duplicate ones.")
    ] = False,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Judge the labels by out-of-fold predictions from `hangtag train --folds`.", metavar="FILE"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write findings.csv and findings.json into this folder; with --labels suspects.csv.",
        ),
    ] = None,
) -> None:
    """Find what is wrong with a catalogue and its photos.

    Leaves with 0 if nothing was found above info, with 1 if there are warnings or errors.
    """
    from hangtag.catalogue.findings import FINDINGS_CSV, FINDINGS_JSON, write_findings
    from hangtag.catalogue.suspects import SUSPECTS_CSV, write_suspects
    from hangtag.cli.check_tables import print_result
    from hangtag.cli.destinations import Destination, check_destinations
    from hangtag.datasets.opening import list_table_files
    from hangtag.datasets.out_of_fold import read_out_of_fold

    if output is not None:
        files = (FINDINGS_CSV, FINDINGS_JSON, *(() if labels is None else (SUSPECTS_CSV,)))
        read = [*list_table_files(path), *([] if labels is None else [labels])]
        check_destinations([Destination("--output", output, is_folder=True, files=files)], read)
    guesses = None if labels is None else read_out_of_fold(labels)
    result = _check_with_progress(path, guesses, decode=decode)
    print_result(result)
    if output is not None:
        written = [*write_findings(result, output)]
        if guesses is not None:
            written.append(output / SUSPECTS_CSV)
            write_suspects(result.findings, written[-1])
        typer.echo(f"Written: {', '.join(map(str, written))}")
    if not result.is_good:
        raise typer.Exit(EXIT_FINDINGS)


def _check_with_progress(path: Path, guesses: "OutOfFold | None", *, decode: bool) -> "CheckResult":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from hangtag.catalogue.check import check_catalogue
    from hangtag.datasets.opening import open_catalogue

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with (
        open_catalogue(path) as catalogue,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("Opening photos", visible=decode, total=None)

        def on_progress(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        return check_catalogue(catalogue, decode=decode, guesses=guesses, on_progress=on_progress)
