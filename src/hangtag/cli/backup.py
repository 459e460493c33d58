"""The command `hangtag backup`."""

from pathlib import Path
from typing import Annotated

import typer


def backup(
    path: Annotated[Path, typer.Argument(help="The tar file to write.")],
    data_folder: Annotated[
        Path | None, typer.Option(help="The data folder of the service.  [default: HANGTAG_DATA_FOLDER]")
    ] = None,
) -> None:
    """Write all batches, decisions and photos of a service to one file.

    The service may keep running. The database is SQLite in the data folder, or the one in HANGTAG_DATABASE_URL.
    `hangtag restore` can read the file into either.
    """
    from hangtag.domain.extras import require_extra

    require_extra("serve", "a backup", "sqlalchemy", "alembic", "pydantic_settings")
    from hangtag.domain.errors import UsageError
    from hangtag.server.run import build_settings
    from hangtag.store.backup import write_backup
    from hangtag.store.database import find_url, open_database
    from hangtag.store.first_edition import count_jobs
    from hangtag.store.folder import PhotoFolder

    settings = build_settings({} if data_folder is None else {"data_folder": data_folder})
    engine = open_database(find_url(settings.database_url, settings.data_folder))
    try:
        if count_jobs(engine):
            problem = "the database has jobs of the first edition"
            raise UsageError(problem, fix="Run `hangtag upgrade` first: it makes batches of them.")
        summary = write_backup(engine, PhotoFolder(settings.data_folder), path)
    finally:
        engine.dispose()
    batches = summary.rows.get("batches", 0)
    typer.echo(f"{batches:,} batches and {summary.photos:,} files written to {path}")
