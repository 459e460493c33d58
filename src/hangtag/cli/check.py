"""The command `hangtag check`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.table import Table

    from hangtag.catalogue.findings import CheckResult, Suspect
    from hangtag.catalogue.noise_ceiling import NoiseCeiling

EXIT_FINDINGS: Final = 1

_STYLES: Final = {"error": "red", "warning": "yellow", "info": "dim"}
_WORST: Final = 3
"""How many suspect labels of each column are printed; the files have all of them."""
_LIKENESS: Final = {"exact": "photos with identical pixels", "near": "near-duplicate photos"}


def check(
    path: Annotated[Path, typer.Argument(help="The catalogue: its folder or its zip.")],
    *,
    decode: Annotated[
        bool, typer.Option("--decode", help="Open every photo, and look for blank and duplicate ones.")
    ] = False,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Compare the labels with out-of-fold predictions of `hangtag train --folds`.", metavar="FILE"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write findings.csv, findings.json and, with --labels, suspects.csv to this folder.",
        ),
    ] = None,
) -> None:
    """Find what is wrong with a catalogue and its photos.

    Exits with 1 if there are warnings or errors, and with 0 otherwise.
    """
    from hangtag.cli.console import TerminalProgress
    from hangtag.pipelines import catalogue

    with TerminalProgress() as progress:
        result = catalogue.check(path, decode=decode, labels=labels, output=output, progress=progress)
    print_result(result)
    if output is not None:
        written = catalogue.list_findings_files(output, judged=labels is not None)
        typer.echo(f"Written: {', '.join(map(str, written))}")
    if not result.is_good:
        raise typer.Exit(EXIT_FINDINGS)


def print_result(result: "CheckResult") -> None:
    """Print what was checked and found."""
    from rich.text import Text

    from hangtag.cli.console import open_console
    from hangtag.tables.terminal import print_table

    console = open_console()
    opened = "all opened" if result.decoded else "not opened; --decode opens them"
    holds = f"{result.rows:,} products, {result.photos:,} photos"
    console.print(Text(f"{result.catalogue}: {holds} ({opened})"))
    if result.findings:
        print_table(console, _build_findings(result))
    if result.label_noise:
        console.print("Labels, compared with models that had not seen the photo:")
        print_table(console, _build_label_noise(result))
    worst = [(found.subject, found.suspect) for found in result.findings if found.suspect is not None]
    worst = [(photo, suspect) for photo, suspect in worst if suspect.rank <= _WORST]
    if worst:
        console.print(f"The worst {_WORST} of each column:")
        console.print(_build_suspects(worst))
    for likeness, meaning in _LIKENESS.items():
        ceilings = [found for found in result.noise_ceilings if found.likeness == likeness and found.groups]
        if ceilings:
            console.print(f"Noise ceiling, {meaning}:")
            print_table(console, _build_ceilings(ceilings))
    counts = result.count_severities()
    console.print(", ".join(_plural(count, severity) for severity, count in counts.items()))


def _build_findings(result: "CheckResult") -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table("Severity")
    table.add_column("Finding", no_wrap=True)
    table.add_column("Count", justify="right", no_wrap=True)
    table.add_column("Groups", justify="right", no_wrap=True)
    table.add_column("Example", overflow="fold")
    for entry in result.summary():
        groups = f"{entry.groups:,}" if entry.groups else ""
        severity = Text(entry.severity, style=_STYLES[entry.severity])
        table.add_row(severity, Text(entry.kind), f"{entry.count:,}", groups, Text(entry.example))
    return table


def _build_label_noise(result: "CheckResult") -> "Table":
    headings = ("Labels", "Compared", "Suspect", "Wrong (estimate)", "Rare classes")
    rows = (
        (
            noise.column,
            f"{noise.labels:,}",
            f"{noise.judged:,}",
            f"{noise.suspects:,}",
            f"{noise.estimated_wrong:.1%}",
            f"{len(noise.not_judged):,}",
        )
        for noise in result.label_noise
    )
    return _build_figures(headings, rows)


def _build_suspects(suspects: "Iterable[tuple[str, Suspect]]") -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for heading in ("Suspect", "Photo", "Given", "Suggested"):
        table.add_column(heading, overflow="fold")
    for photo, found in sorted(suspects, key=lambda suspect: (suspect[1].column, suspect[1].rank)):
        given = f"{found.given} ({found.given_probability:.0%})"
        suggested = f"{found.suggested} ({found.suggested_probability:.0%})"
        table.add_row(*map(Text, (found.column, photo, given, suggested)))
    return table


def _build_ceilings(ceilings: "Sequence[NoiseCeiling]") -> "Table":
    headings = ("Groups", "Photos", "Disagree", "Best accuracy", "95 % interval")
    rows = (
        (
            ceiling.column,
            f"{ceiling.groups:,}",
            f"{ceiling.photos:,}",
            f"{ceiling.disagreement:.1%}",
            f"{ceiling.best_accuracy:.1%}",
            f"{100 * ceiling.interval_95[0]:.1f} – {100 * ceiling.interval_95[1]:.1f}",
        )
        for ceiling in ceilings
    )
    return _build_figures(headings, rows)


def _build_figures(headings: "Iterable[str]", rows: "Iterable[Sequence[str]]") -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table()
    table.add_column("Column", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _plural(count: int, severity: str) -> str:
    noun = severity if severity == "info" or count == 1 else f"{severity}s"
    return f"{count:,} {noun}"
