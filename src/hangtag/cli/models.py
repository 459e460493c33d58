"""The command `hangtag models`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from hangtag.cli.shop_models import list_versions, promote, roll_back
from hangtag.domain.columns import LABEL_COLUMNS

if TYPE_CHECKING:
    from hangtag.bundle.card import Card

models = typer.Typer(no_args_is_help=False, rich_markup_mode=None, pretty_exceptions_enable=False)

_KEY_HEADS: Final = ("masterCategory", "articleType")
_ABSENT: Final = "–"
_HELD_OUT: Final = "held_out"


@models.callback(invoke_without_command=True)
def list_models(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the models, or show the card of one.

    Lists the models that come with hangtag and those in the folders of the environment variable HANGTAG_MODELS.
    """
    if context.invoked_subcommand is not None:
        return
    from hangtag.bundle.shipped import list_bundles

    described = [_describe(path) for path in list_bundles()]
    if as_json:
        typer.echo(json.dumps(described, ensure_ascii=False, indent=2))
    elif described:
        _print_list(described)
    else:
        typer.echo("There are no models. `hangtag train` makes one; HANGTAG_MODELS names folders of them.")


@models.command("show")
def show_model(
    name: Annotated[str, typer.Argument(help="A model's name, or its file.", metavar="MODEL")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole card as JSON.")] = False,
) -> None:
    """Show the card of a model: what it predicts, how well, and what it was trained on."""
    from hangtag.bundle.card_json import card_values
    from hangtag.bundle.file import read_bundle
    from hangtag.bundle.shipped import find_bundle

    path = find_bundle(name)
    bundle = read_bundle(path)
    card = bundle.card
    if as_json:
        typer.echo(json.dumps(card_values(card), ensure_ascii=False, indent=2))
        return
    from hangtag.cli.card_text import print_card
    from hangtag.cli.console import open_console

    print_card(open_console(), bundle)


@models.command("card")
def write_model_card(
    name: Annotated[str, typer.Argument(help="A model's name, or its file.", metavar="MODEL")],
) -> None:
    """Print the model card of a model as Markdown: use, data, figures, limits and cost."""
    from hangtag.bundle.file import read_card
    from hangtag.bundle.shipped import find_bundle
    from hangtag.evaluation.model_card import render_model_card

    path = find_bundle(name)
    typer.echo(render_model_card(read_card(path), path.stat().st_size), nl=False)


models.command("versions")(list_versions)
models.command("promote")(promote)
models.command("rollback")(roll_back)


def _describe(path: Path) -> dict[str, Any]:
    """Return what the list says of one file; a file that cannot be read is listed with the problem."""
    from hangtag.bundle.file import read_card
    from hangtag.domain.errors import BundleError

    values: dict[str, Any] = {"name": path.stem, "path": str(path), "bytes": path.stat().st_size}
    try:
        card = read_card(path)
    except BundleError as error:
        return values | {"problem": error.problem}
    return values | {
        "version": card.version,
        "description": card.description,
        "columns": list(card.columns),
        "figures": _figures(card),
    }


def _figures(card: "Card") -> dict[str, float]:
    """Return the top-1 accuracies on the test split in the card: of the key heads, and the mean of all.

    Figures on photos that the model may have been trained on are left out: a card may come from anyone.
    """
    test = card.metrics.get("test")
    seen = test.get("seen_in_training") if isinstance(test, dict) else None
    if isinstance(seen, dict) and seen.get("verdict") != _HELD_OUT:
        return {}
    found = {column: card.figure("test", "heads", column, "top1_accuracy") for column in _KEY_HEADS}
    found["mean"] = card.figure("test", "mean_top1_accuracy")
    return {name: value for name, value in found.items() if value is not None}


def _print_list(described: list[dict[str, Any]]) -> None:
    from hangtag.cli.card_text import printable
    from hangtag.cli.console import open_console
    from hangtag.tables.terminal import add_figures, figures_table, print_table

    table = figures_table("model")
    table.add_column("version", no_wrap=True)
    add_figures(table, "MB", *_KEY_HEADS, "mean")
    table.add_column("heads", overflow="fold")
    for values in described:
        figures = [_percent(values.get("figures", {}).get(name)) for name in (*_KEY_HEADS, "mean")]
        columns = values.get("columns", [])
        heads = printable(", ".join(columns) if len(columns) < len(LABEL_COLUMNS) else f"all {len(columns)}")
        if "problem" in values:
            heads = printable(values["problem"], style="red")
        size = f"{values['bytes'] / 1e6:.1f}"
        table.add_row(
            printable(values["name"]), printable(values.get("version", _ABSENT)), size, *figures, heads
        )
    console = open_console()
    print_table(console, table)
    console.print("Top-1 accuracy on the model's own test split.", style="dim")


def _percent(value: float | None) -> str:
    return _ABSENT if value is None else f"{value:.1%}"
