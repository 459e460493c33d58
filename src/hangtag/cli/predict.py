"""The commands `hangtag predict` and `samples`, which writes photos to try it on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from hangtag.cli.help import MORE
from hangtag.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from hangtag.labelling.inputs.photo import PhotoInput
    from hangtag.labelling.outputs import Layout, Output
    from hangtag.labelling.plan import Start
    from hangtag.labelling.run import OnProgress
    from hangtag.tables.writing import TableWriter

EXIT_SOME_NOT_LABELLED: Final = 3


def predict(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Photos, folders, 'patterns', zips, tars, tables, URLs (http, s3, gs, az); - reads names from stdin.",
            metavar="INPUT",
        ),
    ],
    *,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "-m", help="A model's name or file; several are compared.  [default: default]"
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="The table: .csv, .xlsx, .jsonl, .parquet; FOLDER/ for parts; - for stdout.",
        ),
    ] = None,
    table_format: Annotated[
        Literal["csv", "xlsx", "jsonl", "parquet"] | None,
        typer.Option("--format", help="The table's format, if the file extension does not say it."),
    ] = None,
    rows_per_part: Annotated[
        int, typer.Option(min=1, help="Rows in each part of a folder.", rich_help_panel=MORE)
    ] = 100_000,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue an interrupted run: label the photos that have no row yet."),
    ] = False,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed", help="Like --resume, and retry the photos that failed.", rich_help_panel=MORE
        ),
    ] = False,
    restart: Annotated[
        bool,
        typer.Option(
            "--restart", help="Discard the rows of an earlier run and start again.", rich_help_panel=MORE
        ),
    ] = False,
    summary_file: Annotated[
        Path | None,
        typer.Option(
            "--summary", help="Write the counts of the summary to this file, as JSON.", rich_help_panel=MORE
        ),
    ] = None,
    explain: Annotated[
        Path | None,
        typer.Option(help="Also write a heat map of each photo to this folder."),
    ] = None,
    photo_column: Annotated[
        str | None,
        typer.Option(
            "--photo-column",
            help="The column of a table that names photos.  [default: found by its name]",
            rich_help_panel=MORE,
        ),
    ] = None,
    connections: Annotated[
        int,
        typer.Option(
            min=1,
            help="How many photos to fetch at a time from servers and object stores.",
            rich_help_panel=MORE,
        ),
    ] = 16,
    timeout: Annotated[
        float,
        typer.Option(
            min=0.1, help="How many seconds one attempt to fetch a photo may take.", rich_help_panel=MORE
        ),
    ] = 30.0,
    allow_private: Annotated[
        bool,
        typer.Option(
            "--allow-private", help="Fetch from addresses in private networks, too.", rich_help_panel=MORE
        ),
    ] = False,
    top_k: Annotated[int, typer.Option(min=1, help="Candidates to write for each label.")] = 1,
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "int8"],
        typer.Option(help="auto: the fastest on this machine; fp32: the same bits on every run."),
    ] = "auto",
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How many processors to use; with Ray, for each worker.  [default: all]",
            rich_help_panel=MORE,
        ),
    ] = None,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="local: this process; ray: workers on a Ray cluster.", rich_help_panel=MORE),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            help="The Ray cluster: auto, or HOST:PORT.  [default: a new one on this machine]",
            rich_help_panel=MORE,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="How many Ray workers.  [default: as many as fit]", rich_help_panel=MORE),
    ] = None,
    chunk: Annotated[
        int | None,
        typer.Option(
            min=1, help="How many photos a Ray worker takes at a time.  [default: 1024]", rich_help_panel=MORE
        ),
    ] = None,
    gpus: Annotated[
        float, typer.Option(min=0, help="How many GPUs Ray reserves for each worker.", rich_help_panel=MORE)
    ] = 0.0,
) -> None:
    """Label photos: files, folders, archives, tables that list them, URLs.

    Every photo gets a row with its labels and confidences, or with the reason why it has none. Without --output, the
    first rows are shown as a table. --resume continues an interrupted run. Exits with 0 if all photos were labelled,
    with 3 if some were not, and with 130 if it was interrupted.
    """
    from hangtag.cli.console import open_console
    from hangtag.imaging.addresses import AddressRules
    from hangtag.labelling.cluster.pool import CHUNK_PHOTOS, ClusterSettings
    from hangtag.labelling.inputs import InputSettings
    from hangtag.labelling.outputs import Output
    from hangtag.labelling.terminal import print_summary
    from hangtag.pipelines.predict import TableOptions, predict_table

    destination = Output.choose(output, table_format)
    _require_ray(engine, {"--address": address, "--workers": workers, "--chunk": chunk, "--gpus": gpus})
    cluster = ClusterSettings(address, workers, threads, gpus, chunk or CHUNK_PHOTOS)
    options = TableOptions(
        inputs=inputs,
        models=model or ["default"],
        output=destination,
        start=_choose_start(destination, resume=resume, retry_failed=retry_failed, restart=restart),
        rows_per_part=rows_per_part,
        top_k=top_k,
        precision=precision,
        threads=threads,
        settings=InputSettings(photo_column, connections, timeout, rules=AddressRules(allow_private)),
        cluster=cluster if engine == "ray" else None,
        summary_file=summary_file,
        explain=explain,
    )
    view = _TerminalView()
    result = predict_table(options, view)
    # The summary must not appear among the rows of a table on standard output.
    is_piped = destination is not None and destination.is_standard_output
    console = view.messages if is_piped else open_console()
    print_summary(console, result.summary, result.damage, result.notes)
    if result.summary.failed:
        raise typer.Exit(EXIT_SOME_NOT_LABELLED)


def _choose_start(output: "Output | None", *, resume: bool, retry_failed: bool, restart: bool) -> "Start":
    """Return what to do with an earlier job for this output.

    Raises `UsageError` for contradictory options, or an output that is not a job's.
    """
    from hangtag.labelling.plan import Start

    options = {
        "--restart": (restart, Start.RESTART),
        "--retry-failed": (retry_failed, Start.RETRY),
        "--resume": (resume, Start.RESUME),
    }
    given = [option for option, (is_given, _) in options.items() if is_given]
    if given and (output is None or output.is_standard_output):
        raise UsageError("this needs an --output that is a file or a folder", where=given[-1])
    if "--restart" in given and len(given) > 1:
        raise UsageError(f"{given[-1]} and --restart cannot be used together", fix="Choose one of them.")
    return options[given[0]][1] if given else Start.NEW


def _require_ray(engine: str, options: "Mapping[str, object]") -> None:
    """Raise `UsageError` for a Ray-only option if the engine is another one."""
    given = [name for name, value in options.items() if value]
    if engine != "ray" and given:
        raise UsageError("this option needs --engine ray", where=given[0], fix="Add --engine ray.")


class _TerminalView:
    """Shows the table on standard output, and progress on standard error."""

    def __init__(self) -> None:
        from rich.console import Console

        self.messages = Console(stderr=True, highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """Print a line."""
        self.messages.print(text, markup=False)

    def open_table(self, layout: "Layout") -> "TableWriter":
        """Return a table that is printed when it is finished."""
        from hangtag.cli.console import open_console
        from hangtag.labelling.terminal import TerminalTable

        return TerminalTable(open_console(), layout)

    def open_progress(self, walk: "PhotoInput", finished: int) -> "AbstractContextManager[OnProgress]":
        """Show a bar on a terminal only: importing its library takes longer than labelling a photo."""
        import contextlib

        from hangtag.labelling.terminal import ProgressLines

        if not self.messages.is_terminal:
            return contextlib.nullcontext(ProgressLines(self.messages, finished))
        from hangtag.labelling.terminal import show_progress

        return show_progress(self.messages, walk.count, finished)


def samples(
    folder: Annotated[Path, typer.Argument(help="Where to write the photos; created if it does not exist.")],
) -> None:
    """Write the sample photos that come with hangtag.

    Use them to try `hangtag predict` on a machine without photos.
    """
    from hangtag.imaging.samples import write_sample_photos
    from hangtag.pipelines.arguments import Destination, check_destinations

    check_destinations([Destination("folder", folder, is_folder=True)], [])
    paths = write_sample_photos(folder)
    typer.echo(f"{len(paths)} sample photos written to {folder}")
