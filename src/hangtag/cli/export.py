"""The command `hangtag export`."""

from pathlib import Path
from typing import Annotated, Final

import typer

from hangtag.cli.help import MORE

EXIT_SOME_LEFT_OUT: Final = 3


def export(
    predictions: Annotated[
        Path, typer.Argument(help="A table of labels, as `hangtag predict` writes it.", metavar="PREDICTIONS")
    ],
    *,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="The export: .tsv, .xml, .csv, .xlsx, .jsonl, .parquet; - for stdout."
        ),
    ],
    template: Annotated[
        str, typer.Option("--template", "-t", help="A built-in template or a file.")
    ] = "hangtag",
    sheet: Annotated[
        Path | None, typer.Option(help="Your own sheet: its empty cells are filled, nothing else changes.")
    ] = None,
    taxonomy: Annotated[
        str | None, typer.Option(help="Your own mapping of categories instead of the template's.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="en-GB, en-US, de, fr or es.")] = None,
    currency: Annotated[
        str | None, typer.Option(help="For Google: the currency of prices that have none, such as EUR.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="The column of the products' keys.  [default: found by its name]")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Write nothing if a product would be left out.")
    ] = False,
    to_check: Annotated[
        Path | None,
        typer.Option(
            "--to-check", help="Where to list doubtful and refused products.  [default: OUTPUT.to-check.csv]"
        ),
    ] = None,
    sure: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="The lowest confidence at which an attribute is not doubtful.",
            rich_help_panel=MORE,
        ),
    ] = None,
    photos: Annotated[
        Path | None,
        typer.Option(help="The folder of the photos, for colours as hex codes.", rich_help_panel=MORE),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="With --sheet, also replace cells that have a value.", rich_help_panel=MORE
        ),
    ] = False,
) -> None:
    """Export labels for a shop system or a sales channel, or fill your own sheet.

    Each product is checked against the destination's rules before it is written. Products that it would refuse are
    left out. These and the doubtful ones are listed in a second file. Exits with 3 if products were left out.
    """
    from hangtag.pipelines import export as pipeline

    if sheet is not None:
        filled = pipeline.fill_sheet(
            predictions, sheet, output, language=language, key=key, sure=sure, overwrite=overwrite
        )
        _say(pipeline.describe_filling(filled), output)
        return
    result = pipeline.export(
        predictions,
        output,
        template=template,
        taxonomy=taxonomy,
        language=language,
        currency=currency,
        key=key,
        sure=sure,
        photos=photos,
        to_check=to_check,
        strict=strict,
    )
    _say(pipeline.describe_result(result), output)
    if result.refused:
        raise typer.Exit(EXIT_SOME_LEFT_OUT)


def _say(lines: list[str], output: Path) -> None:
    """Print the result of an export; on standard error if the rows go to standard output."""
    from hangtag.domain.text import printable

    for line in lines:
        typer.echo(printable(line), err=str(output) == "-")
