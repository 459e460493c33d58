"""The command `hangtag serve`."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="The address to listen on.  [default: 127.0.0.1]")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="The port; 0 takes a free one.  [default: 8080]")
    ] = None,
    data_folder: Annotated[
        Path | None, typer.Option(help="The folder of the database and the photos.")
    ] = None,
    catalogue: Annotated[
        Path | None, typer.Option(help="The catalogue that the page shows.  [default: HANGTAG_DATA]")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="Out-of-fold predictions to find the catalogue's suspect labels with."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="The default model: its name or file.")
    ] = None,
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "int8"] | None,
        typer.Option(help="auto: the fastest on this machine; fp32: always the same bits."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="How many processors to use.  [default: all]")
    ] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Serve the page and the HTTP API.

    Environment variables (HANGTAG_...) set these options and more. After Ctrl-C or SIGTERM, open requests are finished.
    """
    from hangtag.domain.extras import require_extra

    require_extra("serve", "serving", "fastapi", "uvicorn", "sqlalchemy", "alembic", "python_multipart")
    from hangtag.server.run import build_settings, run_server

    given = {
        "host": host,
        "port": port,
        "data_folder": data_folder,
        "catalogue": catalogue,
        "catalogue_labels": labels,
        "model": model,
        "precision": precision,
        "threads": threads,
    }
    settings = build_settings({name: value for name, value in given.items() if value is not None})
    run_server(settings, open_browser=open_browser)
