"""The command `hangtag evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hangtag.cli.help import MORE
from hangtag.domain.text import printable

if TYPE_CHECKING:
    from hangtag.pipelines.evaluate import Evaluation


def evaluate(
    bundles: Annotated[
        list[str],
        typer.Argument(help="The models: their names or files.", metavar="BUNDLE...", show_default=False),
    ],
    *,
    on: Annotated[
        str,
        typer.Option(
            help="test, validation, train, custom, or the path of a folder or table of labelled photos."
        ),
    ] = "test",
    catalogue: Annotated[
        Path | None,
        typer.Option(help="The catalogue that holds the photos: folder or zip.", envvar="HANGTAG_DATA"),
    ] = None,
    split_table: Annotated[
        Path | None, typer.Option(help="The table from hangtag split, for a split.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="A folder for the whole report: HTML, pictures, JSON, Excel.")
    ] = None,
    photos: Annotated[
        int,
        typer.Option(
            min=0,
            help="Test photos in the Excel file, besides the custom set.",
            rich_help_panel=MORE,
        ),
    ] = 30,
    seed: Annotated[
        int,
        typer.Option(help="Chooses these photos; the same seed gives the same photos.", rich_help_panel=MORE),
    ] = 42,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the figures as JSON.")] = None,
    write_card: Annotated[
        bool,
        typer.Option(
            "--write-card", help="Store the figures in each model's own card.", rich_help_panel=MORE
        ),
    ] = False,
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "int8"],
        typer.Option(help="auto: as in `hangtag predict`."),
    ] = "auto",
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="How many processors to use.  [default: all]", rich_help_panel=MORE),
    ] = None,
) -> None:
    """Measure models on labelled photos, several side by side.

    Measures the exported models, with the code that labels photos. For each head: top-1 accuracy with its 95 %
    interval, top-3 accuracy, macro F1 and calibration error. --report adds confusion matrices, figures for each class,
    the most frequent confusions with their photos, an explanation in words, and an Excel file of the predictions.
    """
    from hangtag.cli.console import TerminalProgress
    from hangtag.pipelines import evaluate as pipeline

    with TerminalProgress() as progress:
        evaluation = pipeline.evaluate(
            bundles,
            on=on,
            catalogue=catalogue,
            split_table=split_table,
            report=report,
            photos=photos,
            seed=seed,
            output=output,
            write_card=write_card,
            precision=precision,
            threads=threads,
            progress=progress,
        )
    _print(evaluation)
    for file in evaluation.written_cards:
        typer.echo(printable(f"The figures on {evaluation.photo_set} are stored in the card of {file}"))
    if report is not None:
        typer.echo(
            f"The report is {report / 'report.html'}; the predictions are in {report / 'predictions.xlsx'}"
        )


def _print(evaluation: "Evaluation") -> None:
    from hangtag.cli.console import open_console
    from hangtag.evaluation.report import print_comparison, print_report

    console = open_console()
    for report in evaluation.reports.values():
        print_report(console, report)
    if len(evaluation.reports) > 1:
        print_comparison(console, evaluation.reports, evaluation.compare())
