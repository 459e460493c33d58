"""The command `hangtag count`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    import pyarrow as pa

MAX_COLUMNS: Final = 10
"""A cross table with more columns is printed as a list; a file has it as it is."""


def count(
    path: Annotated[Path, typer.Argument(help="A cleaned or split table, or a catalogue.")],
    *,
    by: Annotated[list[str], typer.Option("--by", help="The column to count by; twice for a cross table.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to a .csv, .json or .parquet.")
    ] = None,
) -> None:
    """Count products by one column or several.

    One column gives its classes by size, two a cross table, more a list of the combinations. Missing values
    are counted too.
    """
    from hangtag.domain.text import render_count
    from hangtag.pipelines import catalogue

    counts = catalogue.count(path, by, output)
    crossed = catalogue.cross_if_two(counts, by)
    if output is not None:
        typer.echo(f"{render_count(crossed.num_rows, 'row', 'rows')} written to {output}")
    else:
        _print(crossed if crossed.num_columns <= MAX_COLUMNS else counts)


def _print(counts: "pa.Table") -> None:
    from rich.table import Table
    from rich.text import Text

    from hangtag.cli.console import open_console
    from hangtag.tables.terminal import print_table
    from hangtag.tables.values import drop_invisible

    table = Table()
    for field in counts.schema:
        is_text = str(field.type) == "string"
        table.add_column(Text(field.name), justify="left" if is_text else "right", no_wrap=not is_text)
    for row in counts.to_pylist():
        # A Parquet file from elsewhere may hold characters that steer a terminal.
        table.add_row(*(Text(drop_invisible(_shown(value))) for value in row.values()))
    print_table(open_console(), table)


def _shown(value: object) -> str:
    if value is None:
        return "(missing)"
    if isinstance(value, float):
        return f"{value:.2%}"
    return f"{value:,}" if isinstance(value, int) else str(value)
