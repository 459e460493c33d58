"""The command `hangtag taxonomy`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from hangtag.exporting.taxonomy import CategoryMapping, MappingCheck

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
