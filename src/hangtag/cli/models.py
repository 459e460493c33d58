"""The commands `hangtag models`: the bundles on this machine, and the shop models of a service."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from hangtag.cli.accounts import DataFolder, print_rows
from hangtag.domain.columns import LABEL_COLUMNS

if TYPE_CHECKING:
    from hangtag.bundle.card import Card
    from hangtag.store.shop_models import ShopModels

Version = Annotated[
    str, typer.Argument(help="The id of a version, or its name as `default-shop-3`.", metavar="VERSION")
]


@contextmanager
def open_models(data_folder: Path | None) -> Iterator["ShopModels"]:
    """Open the shop models of a service, which may be running: it follows within seconds."""
    from hangtag.domain.extras import require_extra

    require_extra("serve", "shop models", "sqlalchemy", "alembic", "pydantic_settings")
    from hangtag.server.run import build_settings
    from hangtag.store.database import find_url, open_database
    from hangtag.store.folder import PhotoFolder
    from hangtag.store.shop_models import ShopModels
    from hangtag.store.store import Store

    settings = build_settings({} if data_folder is None else {"data_folder": data_folder})
    settings.data_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = open_database(find_url(settings.database_url, settings.data_folder))
    try:
        folder = PhotoFolder(settings.data_folder)
        yield ShopModels(Store(engine, folder, settings.decode_limits, lambda _card: {}))
    finally:
        engine.dispose()


def list_versions(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data_folder: DataFolder = None,
) -> None:
    """List what a service learnt from its shop: the versions, their stages and figures."""
    with open_models(data_folder) as models:
        items, _ = models.list_versions()
        rows = [_describe_version(item, models.folder.path(item["sha256"])) for item in items]
    print_rows(
        rows,
        as_json=as_json,
        nothing="Nothing has been learned yet. Check products on the page of `hangtag serve`.",
    )


def promote(
    version: Version,
    *,
    reason: Annotated[
        str | None,
        typer.Option(
            help="Why you promote it although some classes are worse; stored with the version.",
            show_default=False,
        ),
    ] = None,
    data_folder: DataFolder = None,
) -> None:
    """Let a version label from now on. The service relabels what nobody has checked."""
    with open_models(data_folder) as models:
        found = models.promote(_find_version(models, version), reason)
    typer.echo(f"{found['model']} is in use.")


def roll_back(
    *,
    base: Annotated[
        str | None, typer.Option(help="The base model, if several were adapted.", show_default=False)
    ] = None,
    data_folder: DataFolder = None,
) -> None:
    """Go back to the version that labelled before, or to the base model."""
    with open_models(data_folder) as models:
        found = models.roll_back(base)
    typer.echo("The base model is in use." if found is None else f"{found['model']} is in use.")


def _find_version(models: "ShopModels", version: str) -> str:
    """Return the id of a version, which may be given by its model name."""
    items, _ = models.list_versions()
    return next((str(item["id"]) for item in items if item["model"] == version), version)


def _describe_version(item: dict[str, Any], path: Path) -> dict[str, Any]:
    shop = {column: found["shop"] for column, found in item["figures"].items() if found["shop"]}
    measured = [f"{column} {found['share']:.0%} of {found['checked']}" for column, found in shop.items()]
    return {
        "version": item["model"],
        "name": item["name"],
        "stage": item["stage"].replace("_", " "),
        "made": item["created"].isoformat(timespec="minutes"),
        "by": item["created_by"],
        "checks": item["learnt_from"]["checks"],
        "right on random checks": ", ".join(measured) or None,
        "file": str(path) if path.exists() else None,
    }


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
    from hangtag.bundle.file import list_bundles

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
    from hangtag.bundle.file import find_bundle, read_bundle

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
    from hangtag.bundle.file import find_bundle, read_card
    from hangtag.evaluation.model_card import render_model_card

    path = find_bundle(name)
    typer.echo(render_model_card(read_card(path), path.stat().st_size), nl=False)


@models.command("sign")
def sign_model(
    name: Annotated[str, typer.Argument(help="A model's file, or its name.", metavar="MODEL")],
    key: Annotated[
        Path,
        typer.Option("--key", "-k", help="Sign with this secret key, as `hangtag models key` makes one."),
    ],
) -> None:
    """Sign a model, so that others can tell that it is yours. The signature is written next to it."""
    from hangtag.bundle.file import find_bundle, read_bundle
    from hangtag.bundle.signatures import sign_bundle

    bundle = read_bundle(find_bundle(name))
    typer.echo(sign_bundle(bundle.path, bundle.model_bytes, key))


@models.command("verify")
def verify_model(
    name: Annotated[str, typer.Argument(help="A model's file, or its name.", metavar="MODEL")],
    keys: Annotated[
        str, typer.Option("--key", "-k", help="The public key, or its file. Default: HANGTAG_TRUSTED_KEYS.")
    ] = "",
) -> None:
    """Verify that a model is whole and signed with one of the trusted keys."""
    from hangtag.bundle.file import find_bundle, read_bundle
    from hangtag.bundle.signatures import TrustedKeys, read_keys, verify_bundle
    from hangtag.domain.errors import UsageError

    trusted = read_keys(keys) if keys else TrustedKeys.of().keys
    if not trusted:
        raise UsageError("there is no key to verify with", fix="Pass --key, or set HANGTAG_TRUSTED_KEYS.")
    bundle = read_bundle(find_bundle(name))
    comment = verify_bundle(bundle.path, bundle.model_bytes, trusted)
    typer.echo(f"{bundle.path} is signed: {comment}".replace("\t", ", "))


@models.command("key")
def make_model_key(
    path: Annotated[Path, typer.Argument(help="Write the secret key here.", metavar="FILE")],
) -> None:
    """Make a key to sign models with. The public key is written next to it and printed."""
    from hangtag.bundle.signatures import make_key

    typer.echo(make_key(path))


models.command("versions")(list_versions)
models.command("promote")(promote)
models.command("rollback")(roll_back)


def _describe(path: Path) -> dict[str, Any]:
    """Return the list entry of a file. A file that cannot be read is listed with the problem."""
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

    Figures on photos that the model may have been trained on are left out, since a card may come from anyone.
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
