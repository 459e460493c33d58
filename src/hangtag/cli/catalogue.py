"""The commands that prepare a catalogue: `clean`, `count`, `describe` and `split`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from hangtag.cli.help import MORE

if TYPE_CHECKING:
    import pyarrow as pa

    from hangtag.catalogue.clean import CleanReport
    from hangtag.catalogue.split import SplitReport
    from hangtag.pipelines.catalogue import Description


def clean(
    path: Annotated[Path, typer.Argument(help="The catalogue: its folder, its zip, or its table alone.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write to.")] = Path("cleaned"),
) -> None:
    """Repair a catalogue's table without losing a row.

    Writes cleaned.csv, cleaned.parquet, rejects.csv (line, reason and text of every line that is not a product) and
    clean-report.json.
    """
    from hangtag.pipelines import catalogue

    _print_repairs(catalogue.clean(path, output))
    typer.echo(f"Written to {output}.")


def _print_repairs(report: "CleanReport") -> None:
    from rich.table import Table
    from rich.text import Text

    from hangtag.cli.console import open_console
    from hangtag.tables.terminal import print_table

    table = Table("what", "count")
    table.columns[1].justify = "right"
    table.columns[1].no_wrap = True
    rows = [("products", report.cleaned)]
    rows += [(f"  repaired: {code}", count) for code, count in report.repairs.items()]
    rows += [(f"  without {column}", count) for column, count in report.missing.items()]
    rows += [("rejected lines", report.rejected)]
    rows += [(f"  {code}", count) for code, count in report.rejects.items()]
    rows += [("blank lines", report.blank)]
    if report.ruined:
        rows += [("ids that a spreadsheet may have damaged, such as 15970.0", report.ruined)]
    for what, count in rows:
        table.add_row(Text(what), f"{count:,}")
    console = open_console()
    console.print(Text(f"{report.catalogue}: {report.lines:,} lines"))
    print_table(console, table)


MAX_COLUMNS: Final = 10
"""A cross table with more columns is printed as a list. Files always have the table."""


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
    from hangtag.domain.text import render_count
    from hangtag.pipelines import catalogue

    counts = catalogue.count(path, by, output)
    crossed = catalogue.cross_if_two(counts, by)
    if output is not None:
        typer.echo(f"{render_count(crossed.num_rows, 'row', 'rows')} written to {output}")
    else:
        _print_counts(crossed if crossed.num_columns <= MAX_COLUMNS else counts)


def _print_counts(counts: "pa.Table") -> None:
    from rich.table import Table
    from rich.text import Text

    from hangtag.cli.console import open_console
    from hangtag.tables.terminal import print_table
    from hangtag.tables.values import drop_invisible

    table = Table()
    for field in counts.schema:
        is_text = str(field.type) == "string"
        table.add_column(Text(field.name), justify="left" if is_text else "right", no_wrap=not is_text)
    for row in counts.to_pylist():
        # A Parquet file from elsewhere may contain control characters.
        table.add_row(*(Text(drop_invisible(_show_count(value))) for value in row.values()))
    print_table(open_console(), table)


def _show_count(value: object) -> str:
    if value is None:
        return "(missing)"
    if isinstance(value, float):
        return f"{value:.2%}"
    return f"{value:,}" if isinstance(value, int) else str(value)


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
            help="grouped: keep duplicates in one split; year: test on the newest; random: ignore duplicates; "
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
    _print_parts(report)
    typer.echo(f"Written to {output}.")


def _print_parts(report: "SplitReport") -> None:
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
        f"warning: {name} is empty: too few products, or classes with a single product, which stay in train"
        for name in (TEST, VALIDATION)
        if not report.counts[name]
    ]
    if report.rare:
        smallest = ", ".join(f"{name} {size}" for name, size in list(report.rare.items())[-SHOWN_CLASSES:])
        fewest = f"{len(report.rare)} rare classes (under {report.settings['min_examples']} products)"
        sentences.append(f"{fewest} are kept, the smallest: {smallest}")
    return sentences
