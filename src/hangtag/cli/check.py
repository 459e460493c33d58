"""The command `hangtag check`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from hangtag.catalogue.findings import CheckResult

EXIT_FINDINGS: Final = 1

_STYLES: Final = {"error": "red", "warning": "yellow", "info": "dim"}


def check(
    path: Annotated[Path, typer.Argument(help="The catalogue: its folder or its zip.")],
    *,
    decode: Annotated[
        bool, typer.Option("--decode", help="Open every photo, and look for blank and duplicate ones.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option(help="Write findings.csv and findings.json into this folder.")
    ] = None,
) -> None:
    """Find what is wrong with a catalogue and its photos.

    Leaves with 0 if nothing was found above info, with 1 if there are warnings or errors.
    """
    from hangtag.catalogue.findings import write_findings

    result = _check_with_progress(path, decode=decode)
    _print_result(result)
    if output is not None:
        table, report = write_findings(result, output)
        typer.echo(f"Written: {table}, {report}")
    if not result.is_good:
        raise typer.Exit(EXIT_FINDINGS)


def _check_with_progress(path: Path, *, decode: bool) -> "CheckResult":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from hangtag.catalogue.check import check_catalogue
    from hangtag.catalogue.source import open_catalogue

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with (
        open_catalogue(path) as catalogue,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("Opening photos", visible=decode, total=None)

        def on_progress(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        return check_catalogue(catalogue, decode=decode, on_progress=on_progress)


def _print_result(result: "CheckResult") -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    opened = "all opened" if result.decoded else "none opened: --decode does"
    console.print(f"{result.catalogue}: {result.rows:,} products, {result.photos:,} photos ({opened})")
    if result.findings:
        console.print(_build_table(result))
    counts = result.count_severities()
    console.print(", ".join(f"{_plural(count, severity)}" for severity, count in counts.items()))


def _build_table(result: "CheckResult") -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table("Severity")
    table.add_column("Finding", no_wrap=True)
    table.add_column("Count", justify="right")
    table.add_column("Groups", justify="right")
    table.add_column("Example", overflow="fold")
    for entry in result.summary():
        groups = f"{entry.groups:,}" if entry.groups else ""
        severity = Text(entry.severity, style=_STYLES[entry.severity])
        table.add_row(severity, Text(entry.kind), f"{entry.count:,}", groups, Text(entry.example))
    return table


def _plural(count: int, severity: str) -> str:
    noun = severity if severity == "info" or count == 1 else f"{severity}s"
    return f"{count:,} {noun}"
