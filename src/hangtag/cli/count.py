"""The command `hangtag count`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    import pyarrow as pa

JSON_SUFFIX: Final = ".json"
MAX_COLUMNS: Final = 10
"""A cross table with more columns is printed as a list; a file holds it as it is."""


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
    from hangtag.catalogue.count import count_products, cross_table
    from hangtag.cli.destinations import Destination, check_destinations
    from hangtag.datasets.cleaned import list_cleaned_files, load_cleaned
    from hangtag.tables.tables import need_table_name

    if output is not None:
        need_table_name(output, JSON_SUFFIX)
        check_destinations([Destination("--output", output, makes_folder=True)], list_cleaned_files(path))
    counts = count_products(load_cleaned(path), by)
    crossed = cross_table(counts) if len(by) == 2 else counts  # noqa: PLR2004 - two columns cross
    if output is not None:
        _write(crossed, output)
    else:
        _print(crossed if crossed.num_columns <= MAX_COLUMNS else counts)


def _write(counts: "pa.Table", output: Path) -> None:
    from hangtag.tables.files import write_json
    from hangtag.tables.tables import write_table

    if output.suffix.lower() == JSON_SUFFIX:
        write_json(counts.to_pylist(), output)
    else:
        write_table(counts, output)
    rows = "1 row" if counts.num_rows == 1 else f"{counts.num_rows:,} rows"
    typer.echo(f"{rows} written to {output}")


def _print(counts: "pa.Table") -> None:
    from rich.console import Console
    from rich.table import Table

    from hangtag.tables.values import drop_invisible

    table = Table()
    for field in counts.schema:
        table.add_column(field.name, justify="left" if str(field.type) == "string" else "right")
    for row in counts.to_pylist():
        # A Parquet file from elsewhere may hold characters that steer a terminal.
        table.add_row(*(drop_invisible(_shown(value)) for value in row.values()))
    Console(highlight=False, markup=False).print(table)


def _shown(value: object) -> str:
    if value is None:
        return "(missing)"
    if isinstance(value, float):
        return f"{value:.2%}"
    return f"{value:,}" if isinstance(value, int) else str(value)
