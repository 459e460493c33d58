"""The command `hangtag split`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hangtag.catalogue.split_report import SplitReport
    from hangtag.datasets.opening import Catalogue
    from hangtag.datasets.prints import PhotoPrint

PRINTS_NAME: Final = "fingerprints.parquet"
SHOWN_CLASSES: Final = 10


def split(
    cleaned: Annotated[
        Path, typer.Argument(help="The cleaned table, or the folder that hangtag clean wrote.")
    ],
    *,
    catalogue: Annotated[Path, typer.Option(help="The catalogue that holds the photos: folder or zip.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The table to write.")] = Path(
        "split.parquet"
    ),
    strategy: Annotated[
        Literal["grouped", "year", "random", "given"],
        typer.Option(
            help="grouped: duplicates on one side; year: the newest are test; random: to compare; "
            "given: as the column `split` of the catalogue says."
        ),
    ] = "grouped",
    seed: Annotated[int, typer.Option(help="The same seed gives the same split.")] = 42,
    test: Annotated[float, typer.Option(help="The share of test.")] = 0.10,
    validation: Annotated[float, typer.Option(help="The share of validation.")] = 0.05,
    stratify_by: Annotated[
        str, typer.Option(help="The column whose classes are shared out.")
    ] = "articleType",
    min_examples: Annotated[int, typer.Option(help="A class with fewer products is rare.")] = 100,
    rare: Annotated[Literal["keep", "drop"], typer.Option(help="What happens to rare classes.")] = "keep",
) -> None:
    """Split a cleaned table into train, validation and test.

    Writes the table as Parquet and CSV, a report as JSON, and fingerprints.parquet, which makes the next
    split of the same photos quick. Every product is in the table; one that can be in no split is `dropped`,
    with a note that says why.
    """
    from hangtag.catalogue.split import split_catalogue
    from hangtag.catalogue.split_report import write_split
    from hangtag.datasets.cleaned import list_cleaned_files, load_cleaned
    from hangtag.datasets.opening import list_table_files, open_catalogue
    from hangtag.datasets.splits import SplitSettings

    settings = SplitSettings(strategy, seed, validation, test, stratify_by, min_examples, rare)
    _check_output(output, [*list_cleaned_files(cleaned), *list_table_files(catalogue)])
    table = load_cleaned(cleaned)
    with open_catalogue(catalogue) as source:
        prints = _fingerprint(source, output.with_name(PRINTS_NAME))
        report = write_split(split_catalogue(table, source, settings, prints), output)
    _print_report(report)
    typer.echo(f"Written to {output}.")


def _check_output(output: Path, read: "Sequence[Path]") -> None:
    """Raise a `HangtagError` when the table, or what is written beside it, cannot be written or is read."""
    from hangtag.catalogue.split_report import split_report_path, split_tables
    from hangtag.cli.destinations import Destination, check_destinations
    from hangtag.tables.tables import need_table_name

    need_table_name(output)
    written = [*split_tables(output), split_report_path(output), output.with_name(PRINTS_NAME)]
    check_destinations([Destination("--output", path, makes_folder=True) for path in written], read)


def _fingerprint(catalogue: "Catalogue", memory: Path) -> "dict[str, PhotoPrint]":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from hangtag.datasets.prints import fingerprint_catalogue

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Taking fingerprints", total=None)

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        return fingerprint_catalogue(catalogue, catalogue.photo_names(), memory=memory, on_progress=show)


def _print_report(report: "SplitReport") -> None:
    from rich.console import Console
    from rich.table import Table

    from hangtag.datasets.splits import TEST, VALIDATION

    strategy, seed = report.settings["strategy"], report.settings["seed"]
    table = Table("split", "products", "share", "years", title=f"{strategy} split, seed {seed}")
    for column in table.columns[1:3]:
        column.justify = "right"
    used = sum(count for name, count in report.counts.items() if name != "dropped")
    for name, count in report.counts.items():
        share = "" if name == "dropped" else f"{count / used:.2%}"
        table.add_row(name, f"{count:,}", share, "-".join(dict.fromkeys(report.years.get(name, []))))
    for note, count in report.dropped.items():
        table.add_row(f"  {note}", f"{count:,}", "", "")
    console = Console(highlight=False, markup=False)
    console.print(table)
    console.print(
        f"{report.groups:,} groups of duplicates hold {report.grouped_products:,} products, the largest "
        f"{report.largest_group}. {report.leaked_test:,} test and {report.leaked_validation:,} validation "
        "products have a duplicate in train."
    )
    for name in (TEST, VALIDATION):
        if not report.counts[name]:
            console.print(
                f"warning: {name} is empty: too few products, or classes of a single one, which stay in train"
            )
    if report.rare:
        smallest = ", ".join(f"{name} {size}" for name, size in list(report.rare.items())[-SHOWN_CLASSES:])
        fewest = (
            f"{len(report.rare)} rare classes (under {report.settings['min_examples']} products) are kept"
        )
        console.print(f"{fewest}, the smallest: {smallest}")
