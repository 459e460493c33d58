"""The command `hangtag doctor`."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hangtag.pipelines.doctor import Finding

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
        _print(findings)
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


def _print(findings: "Sequence[Finding]") -> None:
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
