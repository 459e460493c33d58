"""The command `hangtag evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.progress import Progress

    from hangtag.datasets.parallel import OnProgress
    from hangtag.evaluation.evaluate import Measurement
    from hangtag.evaluation.photo_set import PhotoSet
    from hangtag.inference.model import Model


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
        int, typer.Option(min=0, help="How many test photos the Excel file shows, beside the custom set.")
    ] = 30,
    seed: Annotated[int, typer.Option(help="Chooses them; the same seed chooses the same.")] = 42,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the figures as JSON.")] = None,
    write_card: Annotated[
        bool, typer.Option("--write-card", help="Store the figures in each model's own card.")
    ] = False,
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "int8"],
        typer.Option(help="auto: as hangtag predict answers by default."),
    ] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="How many processors to use.  [default: all that there are]")
    ] = None,
) -> None:
    """Measure models on labelled photos, several side by side.

    The exported models themselves answer, with the code that labels photos. For each head: the share of right answers
    with its 95 % interval, the share of right ones among the first three, the mean F1 of the classes that occur, and
    how far confidence lies from truth. --report adds confusion matrices, each class, the worst confusions with their
    photos, what it all says in words, and an Excel file to go through.
    """
    from hangtag.bundle.shipped import find_bundle
    from hangtag.cli.evaluate_card import check_cards, refuse_shipped, write_cards
    from hangtag.evaluation.photo_sets import PhotoSets
    from hangtag.evaluation.report_folder import check_report_folder, write_report, write_sample
    from hangtag.inference.cpus import count_usable_cpus
    from hangtag.tables.files import write_json

    read = [path for path in (catalogue, split_table) if path is not None]
    files = [find_bundle(name) for name in bundles]
    _check_outputs(output, report, [*files, *read, Path(on)])
    if write_card:
        refuse_shipped(files)
    if report is not None:
        check_report_folder(report)
    workers = threads or count_usable_cpus()
    with PhotoSets(catalogue, split_table) as sets, _open_progress() as progress:
        measured_on = sets.open(on)
        models = _load_models(bundles, precision, threads)
        if write_card:
            check_cards([model.card for model in models.values()], measured_on)
        found = _measure(models, measured_on, workers, progress)
        _print(found)
        if output is not None:
            reports = [one.report for one in found.values()]
            write_json(reports[0] if len(reports) == 1 else reports, output)
        if write_card:
            write_cards(files, found)
        if report is not None:
            write_report(found, measured_on, report, _follow(progress, "drawing"))
            write_sample(models, sets.sample(measured_on, photos, seed), seed, report, workers)
            typer.echo(
                f"The report is {report / 'report.html'}; the answers are in {report / 'predictions.xlsx'}"
            )


def _check_outputs(output: Path | None, report: Path | None, inputs: "Sequence[Path]") -> None:
    """Raise `UsageError` when the figures or the report cannot be written, or would replace something."""
    from hangtag.cli.destinations import Destination, check_destinations
    from hangtag.datasets.opening import list_table_files
    from hangtag.evaluation.report_folder import REPORT_FILES

    destinations = [] if output is None else [Destination("--output", output, makes_folder=True)]
    if report is not None:
        destinations.append(Destination("--report", report, is_folder=True, files=REPORT_FILES))
    check_destinations(destinations, [file for path in inputs for file in list_table_files(path)])


def _open_progress() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _follow(progress: "Progress", what: str) -> "OnProgress":
    """Add a bar, and return what moves it."""
    from rich.markup import escape

    from hangtag.domain.text import printable

    task = progress.add_task(escape(printable(what)), total=None)

    def move(done: int, total: int) -> None:
        progress.update(task, completed=done, total=total)

    return move


def _load_models(
    names: list[str], precision: Literal["auto", "fp32", "bf16", "int8"], threads: int | None
) -> "dict[str, Model]":
    """Load the models, by the titles that reports give them."""
    from hangtag.domain.errors import UsageError
    from hangtag.evaluation.titles import title_models
    from hangtag.inference.model import load_model

    if len(set(names)) < len(names):
        raise UsageError("a model is named twice", where="BUNDLE")
    loaded = [load_model(name, precision=precision, threads=threads) for name in names]
    return dict(zip(title_models([model.card for model in loaded]), loaded, strict=True))


def _measure(
    models: "Mapping[str, Model]", photos: "PhotoSet", threads: int, progress: "Progress"
) -> "dict[str, Measurement]":
    from hangtag.evaluation.evaluate import measure

    return {
        title: measure(model, photos, threads, _follow(progress, title)) for title, model in models.items()
    }


def _print(found: "Mapping[str, Measurement]") -> None:
    from hangtag.cli.console import open_console
    from hangtag.evaluation.comparison import compare_models
    from hangtag.evaluation.report import print_comparison, print_report

    console = open_console()
    for one in found.values():
        print_report(console, one.report)
    if len(found) > 1:
        print_comparison(console, {title: one.report for title, one in found.items()}, compare_models(found))
