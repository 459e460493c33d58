"""Tables on a terminal, in a pipe or in a log. Numbers are never cut."""

from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

_NARROWEST_TEXT: Final = 12
"""The minimum width of a text column in characters. Longer text wraps."""


def figures_table(*headings: str | Text) -> Table:
    """Return a borderless table whose first column holds names and the others numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for position, heading in enumerate(headings):
        if position:
            add_figures(table, heading)
        else:
            table.add_column(heading, no_wrap=True)
    return table


def add_figures(table: Table, *headings: str | Text) -> None:
    """Add number columns to a table: right-aligned and never cut."""
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)


def print_table(console: Console, table: Table) -> None:
    """Print a table. If the terminal is too narrow, lines run on instead of cutting numbers."""
    padding = sum(table.padding[1::2]) + (1 if table.box else 0)
    needed = sum(_least_width(column) + padding for column in table.columns) + (1 if table.box else 0)
    if needed > console.width:
        table.width = needed
    console.print(table, crop=False)


def _least_width(column: Column) -> int:
    widest = max(map(_width, [column.header, *column.cells]), default=0)
    return widest if column.no_wrap else min(widest, _NARROWEST_TEXT)


def _width(cell: object) -> int:
    text = cell.plain if isinstance(cell, Text) else str(cell)
    return max(map(cell_len, text.splitlines()), default=0)
