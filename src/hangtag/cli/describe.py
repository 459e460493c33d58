"""The command `hangtag describe`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hangtag.pipelines.catalogue import Description


def describe(
    catalogue: Annotated[
        Path, typer.Argument(help="The catalogue: its folder, its zip, or its table alone.")
    ],
    *,
    custom: Annotated[
        Path | None,
        typer.Option(help="The custom set to compare with. Default: the one next to the catalogue."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write to.")] = Path(
        "description"
    ),
) -> None:
    """Show what is in a catalogue, and in the custom set next to it.

    Writes describe.html, a self-contained page, its plots as PNG files, and statistics.json.
    """
    from hangtag.cli.console import TerminalProgress
    from hangtag.pipelines import catalogue as pipeline

    with TerminalProgress() as progress:
        description = pipeline.describe(catalogue, output, custom=custom, progress=progress)
    _print_summary(description)
    typer.echo(f"Written to {description.page}.")


def _print_summary(description: "Description") -> None:
    from rich.text import Text

    from hangtag.catalogue.describe_words import say_notable, say_totals
    from hangtag.cli.console import open_console
    from hangtag.domain.text import printable

    main, custom = description.statistics, description.custom
    console = open_console()
    console.print(Text(printable(f"{main.name}: {say_totals(main, custom)}"), style="bold"))
    for sentence in say_notable(main, custom):
        console.print(Text(printable(f"- {sentence}")))
