"""The command `hangtag clean`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hangtag.catalogue.clean import CleanReport


def clean(
    path: Annotated[Path, typer.Argument(help="The catalogue: its folder, its zip, or its table alone.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write to.")] = Path("cleaned"),
) -> None:
    """Repair a catalogue's table without losing a row.

    Writes cleaned.csv, cleaned.parquet, rejects.csv (line, reason and text of every line that is no product)
    and clean-report.json.
    """
    from hangtag.catalogue.clean import clean_catalogue
    from hangtag.cli.destinations import Destination, check_destinations
    from hangtag.datasets.cleaned import CLEANED_FILES
    from hangtag.datasets.opening import list_table_files, open_catalogue

    destination = Destination("--output", output, is_folder=True, files=CLEANED_FILES)
    check_destinations([destination], list_table_files(path))
    with open_catalogue(path) as catalogue:
        report = clean_catalogue(catalogue, output)
    _print_report(report)
    typer.echo(f"Written to {output}.")


def _print_report(report: "CleanReport") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("what", "count", title=f"{report.catalogue}: {report.lines:,} lines", title_justify="left")
    table.columns[1].justify = "right"
    table.add_row("products", f"{report.cleaned:,}")
    for code, count in report.repairs.items():
        table.add_row(f"  repaired: {code}", f"{count:,}")
    for column, count in report.missing.items():
        table.add_row(f"  without {column}", f"{count:,}")
    table.add_row("rejected lines", f"{report.rejected:,}")
    for code, count in report.rejects.items():
        table.add_row(f"  {code}", f"{count:,}")
    table.add_row("blank lines", f"{report.blank:,}")
    Console(highlight=False, markup=False).print(table)
