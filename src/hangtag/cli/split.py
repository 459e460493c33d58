"""The command `hangtag split`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from hangtag.cli.help import MORE

if TYPE_CHECKING:
    from hangtag.catalogue.split import SplitReport

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
            help="grouped: keep duplicates in one split; year: test on the newest; random: as others split it; "
            "given: keep the catalogue's own column `split`."
        ),
    ] = "grouped",
    seed: Annotated[int, typer.Option(help="The same seed gives the same split.")] = 42,
    test: Annotated[float, typer.Option(help="The share of test.")] = 0.10,
    validation: Annotated[float, typer.Option(help="The share of validation.")] = 0.05,
    stratify_by: Annotated[str, typer.Option(help="The column to stratify by.")] = "articleType",
    group_by: Annotated[
        str | None,
        typer.Option(help="A column whose values also stay in one split, such as the SKU of several photos."),
    ] = None,
    min_examples: Annotated[
        int, typer.Option(help="A class with fewer products is rare.", rich_help_panel=MORE)
    ] = 100,
    rare: Annotated[
        Literal["keep", "drop"], typer.Option(help="What happens to rare classes.", rich_help_panel=MORE)
    ] = "keep",
) -> None:
    """Split a cleaned table into train, validation and test.

    Writes the table as Parquet and CSV, a report as JSON, and fingerprints.parquet, which makes the next split of the
    same photos fast. The table has every product; a product that cannot be in any split is `dropped`, with a note that
    says why.
    """
    from hangtag.cli.console import TerminalProgress
    from hangtag.pipelines import catalogue as pipeline

    with TerminalProgress() as progress:
        report = pipeline.split(
            cleaned,
            catalogue,
            output,
            progress=progress,
            strategy=strategy,
            seed=seed,
            test=test,
            validation=validation,
            stratify_by=stratify_by,
            group_by=group_by,
            min_examples=min_examples,
            rare=rare,
        )
    _print_report(report)
    typer.echo(f"Written to {output}.")


def _print_report(report: "SplitReport") -> None:
    from rich.table import Table
    from rich.text import Text

    from hangtag.cli.console import open_console
    from hangtag.datasets.splits import DROPPED
    from hangtag.tables.terminal import print_table

    strategy, seed = report.settings["strategy"], report.settings["seed"]
    table = Table("split", "products", "share", "years", title=f"{strategy} split, seed {seed}")
    for column in table.columns[1:3]:
        column.justify, column.no_wrap = "right", True
    used = sum(count for name, count in report.counts.items() if name != DROPPED)
    for name, count in report.counts.items():
        share = "" if name == DROPPED else f"{count / used:.2%}"
        table.add_row(name, f"{count:,}", share, "-".join(dict.fromkeys(report.years.get(name, []))))
    for note, count in report.dropped.items():
        table.add_row(Text(f"  {note}"), f"{count:,}", "", "")
    console = open_console()
    print_table(console, table)
    for sentence in _say_notable(report):
        console.print(Text(sentence))


def _say_notable(report: "SplitReport") -> list[str]:
    """Return the sentences below the table of a split: duplicates, empty splits, rare classes."""
    from hangtag.datasets.splits import TEST, VALIDATION
    from hangtag.domain.text import render_count

    group_by = report.settings.get("group_by")
    alike = f"duplicates or of one {group_by}" if group_by else "duplicates"
    duplicates = (
        f"{render_count(report.groups, 'group', 'groups')} of {alike}: {report.grouped_products:,} products, the "
        f"largest has {report.largest_group}. {report.leaked_test:,} test and {report.leaked_validation:,} validation "
        f"products have {'one of their group' if group_by else 'a duplicate'} in train."
    )
    sentences = [duplicates]
    sentences += [
        f"warning: {name} is empty: too few products, or classes of a single one, which stay in train"
        for name in (TEST, VALIDATION)
        if not report.counts[name]
    ]
    if report.rare:
        smallest = ", ".join(f"{name} {size}" for name, size in list(report.rare.items())[-SHOWN_CLASSES:])
        fewest = f"{len(report.rare)} rare classes (under {report.settings['min_examples']} products)"
        sentences.append(f"{fewest} are kept, the smallest: {smallest}")
    return sentences
