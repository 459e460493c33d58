"""What `hangtag check` prints: the findings, what is said of the labels, the noise ceiling."""

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hangtag.catalogue.findings import CheckResult, Suspect
from hangtag.catalogue.noise_ceiling import NoiseCeiling

_STYLES: Final = {"error": "red", "warning": "yellow", "info": "dim"}
_WORST: Final = 3
"""So many suspect labels of each column are printed; the files have all of them."""
_LIKENESS: Final = {"exact": "photos of the same pixels", "near": "photos of nearly the same picture"}


def print_result(result: CheckResult) -> None:
    """Print what was checked and found."""
    console = Console(highlight=False, markup=False)
    opened = "all opened" if result.decoded else "none opened: --decode does"
    console.print(f"{result.catalogue}: {result.rows:,} products, {result.photos:,} photos ({opened})")
    if result.findings:
        console.print(_build_findings(result))
    if result.label_noise:
        console.print("Labels, judged by models that had not seen the photo:")
        console.print(_build_label_noise(result))
    worst = [(one.subject, one.suspect) for one in result.findings if one.suspect is not None]
    worst = [(photo, suspect) for photo, suspect in worst if suspect.rank <= _WORST]
    if worst:
        console.print(f"The worst {_WORST} of each column:")
        console.print(_build_suspects(worst))
    for likeness, meaning in _LIKENESS.items():
        ceilings = [one for one in result.noise_ceilings if one.likeness == likeness and one.groups]
        if ceilings:
            console.print(f"Noise ceiling, {meaning}:")
            console.print(_build_ceilings(ceilings))
    counts = result.count_severities()
    console.print(", ".join(f"{_plural(count, severity)}" for severity, count in counts.items()))


def _build_findings(result: CheckResult) -> Table:
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


def _build_label_noise(result: CheckResult) -> Table:
    headings = ("Labels", "Judged", "Suspect", "Wrong (estimate)", "Rare classes")
    rows = (
        (
            one.column,
            f"{one.labels:,}",
            f"{one.judged:,}",
            f"{one.suspects:,}",
            f"{one.estimated_wrong:.1%}",
            f"{len(one.not_judged):,}",
        )
        for one in result.label_noise
    )
    return _build_figures(headings, rows)


def _build_suspects(suspects: Iterable[tuple[str, Suspect]]) -> Table:
    table = Table()
    for heading in ("Suspect", "Photo", "Given", "Rather"):
        table.add_column(heading, overflow="fold")
    for photo, one in sorted(suspects, key=lambda suspect: (suspect[1].column, suspect[1].rank)):
        given = f"{one.given} ({one.given_probability:.0%})"
        suggested = f"{one.suggested} ({one.suggested_probability:.0%})"
        table.add_row(*map(Text, (one.column, photo, given, suggested)))
    return table


def _build_ceilings(ceilings: Sequence[NoiseCeiling]) -> Table:
    headings = ("Groups", "Photos", "Disagree", "Best accuracy", "95 % interval")
    rows = (
        (
            one.column,
            f"{one.groups:,}",
            f"{one.photos:,}",
            f"{one.disagreement:.1%}",
            f"{one.best_accuracy:.1%}",
            f"{100 * one.interval_95[0]:.1f} – {100 * one.interval_95[1]:.1f}",
        )
        for one in ceilings
    )
    return _build_figures(headings, rows)


def _build_figures(headings: Iterable[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table()
    table.add_column("Column", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _plural(count: int, severity: str) -> str:
    noun = severity if severity == "info" or count == 1 else f"{severity}s"
    return f"{count:,} {noun}"
