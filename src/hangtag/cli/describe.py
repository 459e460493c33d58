"""The command `hangtag describe`."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.status import Status

    from hangtag.catalogue.describe_report import Described
    from hangtag.datasets.opening import Catalogue


def describe(
    catalogue: Annotated[
        Path, typer.Argument(help="The catalogue: its folder, its zip, or its table alone.")
    ],
    *,
    custom: Annotated[
        Path | None,
        typer.Option(help="The custom set to compare with. Default: the one beside the catalogue."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write to.")] = Path(
        "description"
    ),
) -> None:
    """Show what is in a catalogue, and in the custom set beside it.

    Writes describe.html, a page that needs no other file, its figures as PNG files, and statistics.json.
    """
    from rich.console import Console

    from hangtag.catalogue.describe_report import PAGE_HTML, STATISTICS_JSON, write_description
    from hangtag.cli.destinations import Destination, check_destinations
    from hangtag.datasets.opening import list_table_files, open_catalogue, open_custom_set

    destination = Destination("--output", output, is_folder=True, files=(PAGE_HTML, STATISTICS_JSON))
    check_destinations([destination], list_table_files(catalogue))
    console = Console(stderr=True)
    with ExitStack() as stack:
        source = stack.enter_context(open_catalogue(catalogue))
        beside = open_catalogue(custom) if custom is not None else open_custom_set(catalogue)
        status = stack.enter_context(console.status("Reading the catalogue"))
        main = _describe(source, status)
        own = None if beside is None else _describe(stack.enter_context(beside), status)
        page = write_description(main, own, output, lambda step: status.update(f"Drawing {step}"))
    _print_summary(main, own)
    typer.echo(f"Written to {page}.")


def _describe(catalogue: "Catalogue", status: "Status") -> "Described":
    from hangtag.catalogue.describe import describe_catalogue
    from hangtag.catalogue.describe_report import Described
    from hangtag.datasets.cleaned import read_cleaned

    status.update(f"Reading {catalogue.name}")
    return Described(catalogue, describe_catalogue(catalogue, read_cleaned(catalogue).table))


def _print_summary(main: "Described", own: "Described | None") -> None:
    from rich.text import Text

    from hangtag.catalogue.describe_words import say_notable, say_totals
    from hangtag.cli.console import open_console
    from hangtag.domain.text import printable

    custom = None if own is None else own.statistics
    console = open_console()
    console.print(
        Text(printable(f"{main.statistics.name}: {say_totals(main.statistics, custom)}"), style="bold")
    )
    for sentence in say_notable(main.statistics, custom):
        console.print(Text(printable(f"- {sentence}")))
