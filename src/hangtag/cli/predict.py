"""The command `hangtag predict`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from hangtag.cli.help import MORE

if TYPE_CHECKING:
    from rich.console import Console

    from hangtag.labelling.outputs import Output

EXIT_SOME_NOT_LABELLED: Final = 3


def predict(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Photos, folders, 'patterns', zips, tars, tables, addresses (http, s3, gs, az); - reads names.",
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
        typer.Option("--format", help="The table's format, where no name of an output says it."),
    ] = None,
    rows_per_part: Annotated[
        int, typer.Option(min=1, help="How many rows a part of a folder has.", rich_help_panel=MORE)
    ] = 100_000,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the job of this output: label what has no row yet.")
    ] = False,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed", help="Go on, and label again the photos that failed.", rich_help_panel=MORE
        ),
    ] = False,
    restart: Annotated[
        bool,
        typer.Option(
            "--restart", help="Drop what an earlier job for this output has done.", rich_help_panel=MORE
        ),
    ] = False,
    summary_file: Annotated[
        Path | None,
        typer.Option(
            "--summary", help="Write the counts of the summary into this file, as JSON.", rich_help_panel=MORE
        ),
    ] = None,
    explain: Annotated[
        Path | None,
        typer.Option(help="Also write, into this folder, a picture of what each photo's labels rest on."),
    ] = None,
    photo_column: Annotated[
        str | None,
        typer.Option(
            "--photo-column",
            help="The column of a table that names photos.  [default: by its name]",
            rich_help_panel=MORE,
        ),
    ] = None,
    connections: Annotated[
        int,
        typer.Option(
            min=1, help="How many photos to fetch at a time from servers and stores.", rich_help_panel=MORE
        ),
    ] = 16,
    timeout: Annotated[
        float,
        typer.Option(min=0.1, help="How many seconds an attempt to fetch may take.", rich_help_panel=MORE),
    ] = 30.0,
    top_k: Annotated[int, typer.Option(min=1, help="How many candidates to write for each label.")] = 1,
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "int8"],
        typer.Option(help="auto: what is fastest here; fp32: always the same bits."),
    ] = "auto",
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How many processors to use; with Ray, each worker.  [default: all that there are]",
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
            help="The Ray cluster: auto, or HOST:PORT.  [default: one for this run, here]",
            rich_help_panel=MORE,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="How many Ray workers.  [default: as many as there is room for]", rich_help_panel=MORE
        ),
    ] = None,
    chunk: Annotated[
        int | None,
        typer.Option(
            min=1, help="How many photos a Ray worker takes at a time.  [default: 1024]", rich_help_panel=MORE
        ),
    ] = None,
    gpus: Annotated[
        float, typer.Option(min=0, help="How many GPUs Ray sets aside for each worker.", rich_help_panel=MORE)
    ] = 0.0,
) -> None:
    """Label photos: files, folders, archives, tables that name them, addresses.

    Every photo becomes a row with its labels and confidences, or with the reason why it has none. Without --output the
    first rows are shown as a table. An interrupted run goes on with --resume. Leaves with 0 when all photos were
    labelled, with 3 when some were not, with 130 when it was interrupted.
    """
    from rich.console import Console

    from hangtag.cli.predict_engine import check_options, label_on_ray
    from hangtag.cli.predict_outputs import check_outputs
    from hangtag.cli.predict_run import choose_start, label_in_job, label_once, load_models, write_summary
    from hangtag.inference.cpus import count_usable_cpus
    from hangtag.labelling.cluster.settings import CHUNK_PHOTOS, ClusterSettings
    from hangtag.labelling.fingerprint import Fingerprint
    from hangtag.labelling.inputs import InputSettings, open_inputs
    from hangtag.labelling.outputs import Output
    from hangtag.labelling.plan import Plan
    from hangtag.labelling.run import Labeller
    from hangtag.labelling.terminal import print_summary

    destination = Output.choose(output, table_format)
    start = choose_start(
        destination, {"--resume": resume, "--retry-failed": retry_failed, "--restart": restart}
    )
    names = model or ["default"]
    check_outputs(destination, summary_file, explain, inputs, names)
    check_options(engine, {"--address": address, "--workers": workers, "--chunk": chunk, "--gpus": gpus})
    messages = Console(stderr=True, highlight=False)
    settings = InputSettings(photo_column, connections, timeout)
    with open_inputs(inputs, settings) as walk:
        models = load_models(names, precision, threads)
        cluster = ClusterSettings(address, workers, threads, gpus, chunk or CHUNK_PHOTOS)
        pipeline = None if engine == "local" else label_on_ray(cluster, names, models, settings)
        labeller = Labeller(models, top_k, threads or count_usable_cpus(), walk.columns, pipeline)
        if destination is None or destination.is_standard_output:
            summary = label_once(labeller, walk, destination, messages)
        else:
            fingerprint = Fingerprint.of(models, labeller.layout)
            plan = Plan(destination, labeller.layout, fingerprint, inputs, start, rows_per_part)
            summary = label_in_job(labeller, walk, plan, messages)
        print_summary(_choose_console(destination, messages), summary, walk.damage)
        if summary_file is not None:
            write_summary(summary, summary_file)
        if explain is not None:
            from hangtag.cli.predict_pictures import draw_pictures

            draw_pictures(models, walk, explain, messages)
    if summary.failed:
        raise typer.Exit(EXIT_SOME_NOT_LABELLED)


def _choose_console(destination: "Output | None", messages: "Console") -> "Console":
    """Return where the summary is printed: not among the rows of a table on standard output."""
    from hangtag.cli.console import open_console

    return messages if destination is not None and destination.is_standard_output else open_console()
