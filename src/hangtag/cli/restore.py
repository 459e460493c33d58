"""The command `hangtag restore`."""

from pathlib import Path
from typing import Annotated

import typer


def restore(
    path: Annotated[Path, typer.Argument(help="The file that `hangtag backup` wrote.", exists=True)],
    data_folder: Annotated[
        Path | None, typer.Option(help="The data folder to fill.  [default: HANGTAG_DATA_FOLDER]")
    ] = None,
) -> None:
    """Restore a backup into an empty data folder or database, and migrate it to this version.

    Every photo is verified against its checksum. Stop the service first.
    """
    from hangtag.domain.durable import writing_privately
    from hangtag.domain.extras import require_extra

    require_extra("serve", "restoring a backup", "sqlalchemy", "alembic", "pydantic_settings")
    from hangtag.server.run import build_settings
    from hangtag.store.backup import read_backup
    from hangtag.store.database import connect_database, find_url
    from hangtag.store.folder import FolderClaim, PhotoFolder

    settings = build_settings({} if data_folder is None else {"data_folder": data_folder})
    with writing_privately():
        claim = FolderClaim(settings.data_folder)
        engine = connect_database(find_url(settings.database_url, settings.data_folder))
        try:
            summary = read_backup(path, engine, PhotoFolder(settings.data_folder))
        finally:
            engine.dispose()
            claim.release()
    batches = summary.rows.get("batches", 0)
    typer.echo(f"{batches:,} batches and {summary.photos:,} files restored")
