"""The commands `hangtag models versions`, `promote` and `rollback`: the shop models of a data folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hangtag.cli.users import DataFolder, print_rows

if TYPE_CHECKING:
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
        rows = [_describe(item, models.folder.path(item["sha256"])) for item in items]
    print_rows(
        rows,
        as_json=as_json,
        nothing="Nothing was learnt yet. Check products in the page of `hangtag serve`.",
    )


def promote(
    version: Version,
    *,
    reason: Annotated[
        str | None,
        typer.Option(help="Why, if some classes are significantly worse. It is kept.", show_default=False),
    ] = None,
    data_folder: DataFolder = None,
) -> None:
    """Let a version label from now on. The service relabels what nobody has checked."""
    with open_models(data_folder) as models:
        found = models.promote(_find(models, version), reason)
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


def _find(models: "ShopModels", version: str) -> str:
    """Return the id of a version that may be given by its name among the models."""
    items, _ = models.list_versions()
    return next((str(item["id"]) for item in items if item["model"] == version), version)


def _describe(item: dict[str, Any], path: Path) -> dict[str, Any]:
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
