"""Tables on a terminal, in a pipe or in a log: figures are always whole."""

from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

_NARROWEST_TEXT: Final = 12
"""How many characters a column of text keeps at least; what is longer continues on the next line."""


def figures_table(*headings: str | Text) -> Table:
    """Return a table whose first column holds names and all others figures, without lines around it."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for position, heading in enumerate(headings):
        if position:
            add_figures(table, heading)
        else:
            table.add_column(heading, no_wrap=True)
    return table


def add_figures(table: Table, *headings: str | Text) -> None:
    """Add columns of figures to a table: they are aligned at their end and never cut."""
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)


def print_table(console: Console, table: Table) -> None:
    """Print a table. On a terminal that is too narrow for its figures lines run on, and no figure is cut."""
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
