"""The commands `hangtag export` and `taxonomy`: labels in the form that a shop system takes."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hangtag.cli.help import MORE

if TYPE_CHECKING:
    from hangtag.exporting.taxonomy import CategoryMapping, MappingCheck

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


EXIT_INCOMPLETE: Final = 1
_SHOWN: Final = 20

taxonomy = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
_Name = Annotated[
    str, typer.Argument(help="google, shopify, or a table with your own mapping.", metavar="TAXONOMY")
]


@taxonomy.callback()
def describe_taxonomy() -> None:
    """Show, check and draft the mapping from the model's categories to those of a shop or channel."""


@taxonomy.command("show")
def show_taxonomy(
    name: _Name,
    *,
    search: Annotated[str, typer.Option(help="Only rows with these words.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """Show the rows of a mapping: labels, category, and confidence."""
    from hangtag.exporting.taxonomy import describe_rule, load_mapping

    mapping = load_mapping(name)
    words = search.casefold().split()
    rows = [
        (describe_rule(rule), rule.category)
        for rule in mapping.rules
        if all(word in f"{describe_rule(rule)} {rule.category.path}".casefold() for word in words)
    ]
    if as_json:
        values = [{"labels": labels, **category._asdict()} for labels, category in rows]
        typer.echo(json.dumps(values, ensure_ascii=False, indent=2))
        return
    from rich.table import Table
    from rich.text import Text

    from hangtag.cli.console import open_console
    from hangtag.tables.terminal import print_table

    table = Table("labels", "id", "path", "confidence", "note")
    for labels, category in rows:
        table.add_row(*(Text(text) for text in (labels, *category[:4])))
    print_table(open_console(), table)
    _say_source(mapping)


@taxonomy.command("check")
def check_taxonomy(
    name: _Name,
    *,
    model: Annotated[
        str, typer.Option("--model", "-m", help="The model whose paths are checked.")
    ] = "default",
    labels: Annotated[Path | None, typer.Option(help="A table of labels: count its products, too.")] = None,
    against: Annotated[
        Path | None, typer.Option(help="The channel's own file of ids and paths: compare with it.")
    ] = None,
) -> None:
    """Check a mapping: that every path of a model has a category, every row can apply, and every id exists.

    Exits with 1 if something is missing or wrong.
    """
    from hangtag.pipelines import export as pipeline

    report = pipeline.check_taxonomy(name, model, labels, against)
    _print_check(report.check)
    for outcome, count in report.products.most_common():
        typer.echo(f"  {count:,} products: {outcome}")
    for problem in report.differences[:_SHOWN]:
        typer.echo(problem)
    if against is not None and not report.differences:
        typer.echo(f"every id and path is as in {against}")
    elif against is None and report.source.get("checked"):
        typer.echo(f"ids: {report.source['checked']}")
    if report.differences or not report.check.is_complete:
        raise typer.Exit(EXIT_INCOMPLETE)


@taxonomy.command("map")
def map_taxonomy(
    categories: Annotated[Path, typer.Argument(help="Your categories, one per line.", metavar="CATEGORIES")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Write the draft into this .csv.")],
    model: Annotated[
        str, typer.Option("--model", "-m", help="The model whose paths are mapped.")
    ] = "default",
) -> None:
    """Draft a mapping to your own categories by their names. Read every row before you use it."""
    from hangtag.pipelines import export as pipeline

    mapped, paths = pipeline.draft_taxonomy(categories, output, model)
    typer.echo(
        f"{mapped:,} of {paths:,} paths have a category with a similar name; {output} lists all of them"
    )


def _print_check(check: "MappingCheck") -> None:
    from hangtag.domain.taxonomy import format_path
    from hangtag.domain.text import render_count

    total = len(check.paths)
    typer.echo(render_count(total, "path", "paths"))
    for outcome, count in check.counts.most_common():
        typer.echo(f"  {count:,} {outcome} ({count / total:.1%})")
    missing = [path for path in check.paths if path.rule is None]
    for path in missing[:_SHOWN]:
        typer.echo(f"unmapped: {format_path(list(path.labels.values()))}")
    for problem in check.unknown[:_SHOWN]:
        typer.echo(problem)


def _say_source(mapping: "CategoryMapping") -> None:
    if mapping.source:
        source = mapping.source
        typer.echo(
            f"{source['title']}, {source['version']}; mapping {source['mapping']}. {source['licence']}"
        )
