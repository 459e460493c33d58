"""The command `hangtag upgrade`."""

from pathlib import Path
from typing import Annotated

import typer


def upgrade(
    *,
    data_folder: Annotated[
        Path | None, typer.Option(help="The data folder of the service.  [default: HANGTAG_DATA_FOLDER]")
    ] = None,
) -> None:
    """Migrate the database of an older version, with a copy and checks.

    Stop the service first. Starting the service migrates, too, but without a copy. A SQLite file is checked, copied
    next to itself, migrated and checked again; if anything fails, it is left as it was.
    """
    from hangtag.domain.extras import require_extra

    require_extra("serve", "upgrading", "alembic", "pydantic_settings", "sqlalchemy")
    from hangtag.server.run import build_settings
    from hangtag.server.upgrade import upgrade_store

    settings = build_settings({} if data_folder is None else {"data_folder": data_folder})
    upgrade_store(settings, typer.echo)
