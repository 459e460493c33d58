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

    Writes cleaned.csv, cleaned.parquet, rejects.csv (line, reason and text of every line that is not a product) and
    clean-report.json.
    """
    from hangtag.pipelines import catalogue

    _print_report(catalogue.clean(path, output))
    typer.echo(f"Written to {output}.")


def _print_report(report: "CleanReport") -> None:
    from rich.table import Table
    from rich.text import Text

    from hangtag.cli.console import open_console
    from hangtag.tables.terminal import print_table

    title = Text(f"{report.catalogue}: {report.lines:,} lines")
    table = Table("what", "count", title=title, title_justify="left")
    table.columns[1].justify = "right"
    table.columns[1].no_wrap = True
    rows = [("products", report.cleaned)]
    rows += [(f"  repaired: {code}", count) for code, count in report.repairs.items()]
    rows += [(f"  without {column}", count) for column, count in report.missing.items()]
    rows += [("rejected lines", report.rejected)]
    rows += [(f"  {code}", count) for code, count in report.rejects.items()]
    rows += [("blank lines", report.blank)]
    if report.ruined:
        rows += [("ids that a spreadsheet may have damaged, such as 15970.0", report.ruined)]
    for what, count in rows:
        table.add_row(Text(what), f"{count:,}")
    print_table(open_console(), table)
