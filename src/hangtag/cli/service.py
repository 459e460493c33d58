"""The commands of a service: `serve`, and what its data folder needs: `upgrade`, `backup`, `restore`, `doctor`."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hangtag.pipelines.doctor import Finding


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


EXIT_ERRORS: Final = 1
_STYLES: Final = {"ok": "green", "warning": "yellow", "error": "bold red"}
_SERVING: Final = ("alembic", "fastapi", "pydantic_settings", "sqlalchemy", "uvicorn")


def doctor(
    *,
    data_folder: Annotated[
        Path | None, typer.Option(help="The data folder of the service.  [default: HANGTAG_DATA_FOLDER]")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="The model to load.  [default: HANGTAG_MODEL]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check this installation: what is wrong, and how to fix it.

    Checks the packages, the runtime, the model, the decoders and, if the extra `serve` is installed, the service's
    settings, data folder, database and limits. Changes nothing. Exits with 1 if there is an error.
    """
    from hangtag.pipelines.doctor import diagnose

    given = {"data_folder": data_folder, "model": model}
    name = model or os.environ.get("HANGTAG_MODEL") or "default"
    findings = [*diagnose(name), *_diagnose_service({key: value for key, value in given.items() if value})]
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=2))
    else:
        _print_findings(findings)
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(EXIT_ERRORS)


def _diagnose_service(given: dict[str, object]) -> "list[Finding]":
    """Return the findings about the service, if it is installed and its settings can be read."""
    from hangtag.domain.errors import UsageError
    from hangtag.domain.extras import require_extra
    from hangtag.pipelines.doctor import Finding

    try:
        require_extra("serve", "serving", *_SERVING)
    except UsageError as error:
        return [Finding("extra serve", "warning", "not installed: no page, no HTTP API", error.fix)]
    from hangtag.server.doctor import diagnose_service
    from hangtag.server.run import build_settings

    try:
        settings = build_settings(given)
    except UsageError as error:
        return [Finding("settings", "error", f"{error.where}: {error.problem}", error.fix)]
    return diagnose_service(settings, os.environ)


def _print_findings(findings: "Sequence[Finding]") -> None:
    from rich.table import Table
    from rich.text import Text

    from hangtag.cli.card_text import printable
    from hangtag.cli.console import open_console
    from hangtag.domain.text import render_count

    table = Table("check", "", "found", box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for finding in findings:
        found = printable(finding.message)
        if finding.fix and finding.level != "ok":
            found.append_text(Text("\n→ ")).append_text(printable(finding.fix, style="dim"))
        table.add_row(finding.check, Text(finding.level, style=_STYLES[finding.level]), found)
    console = open_console()
    console.print(table)
    levels = [finding.level for finding in findings]
    errors = render_count(levels.count("error"), "error", "errors")
    console.print(f"\n{errors}, {render_count(levels.count('warning'), 'warning', 'warnings')}")
