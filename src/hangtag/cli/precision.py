"""The commands `hangtag bench` and `quantise`: what a model runs fastest in."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from hangtag.inference.measured import EngineSetting, Timing
    from hangtag.pipelines.bench import Measured


def bench(
    *,
    model: Annotated[str, typer.Option("--model", "-m", help="A model's name or file.")] = "default",
    photos: Annotated[
        Path | None,
        typer.Option(help="A folder of photos to measure with.  [default: the sample photos]"),
    ] = None,
    count: Annotated[
        int, typer.Option(min=32, help="Photos in each round; fewer photos are repeated.")
    ] = 512,
    rounds: Annotated[int, typer.Option(min=1, help="How many rounds to measure.")] = 5,
    store: Annotated[
        bool, typer.Option("--store/--no-store", help="Let --precision auto use the measurements.")
    ] = True,
    forget: Annotated[
        bool, typer.Option("--forget", help="Remove earlier measurements, and measure nothing.")
    ] = False,
) -> None:
    """Measure this machine, and choose the fastest way to label on it.

    Reading, decoding and the network are measured alone and together, in every precision that the model and the
    processor support. The choice is stored for this model on this machine, in the user's cache or in the file
    HANGTAG_BENCH, and used whenever the precision is auto. Run it while the machine is idle.
    """
    from hangtag.pipelines import bench as pipeline

    if forget:
        removed = pipeline.forget_measurements()
        typer.echo("there are no measurements" if removed is None else f"{removed} removed")
        return
    measured = pipeline.bench(model, photos=photos, count=count, rounds=rounds, store=store)
    _print(measured, rounds, store=store)


def _print(measured: "Measured", rounds: int, *, store: bool) -> None:
    from hangtag.cli.console import open_console
    from hangtag.inference.measured import FILE_VARIABLE, NO_FILE

    console = open_console()
    console.print(
        f"{measured.photos:,} photos, {measured.processors} processors, medians of {rounds} rounds\n"
    )
    console.print(_render_engines(measured.timings, measured.allowed))
    console.print(_render_parts(measured.rates))
    if measured.setting is None:
        return
    typer.echo(f"\nauto will use {_describe(measured.setting, measured.timings)}")
    if measured.kept_in is not None:
        typer.echo(f"stored in {measured.kept_in}; `hangtag bench --forget` removes it")
    elif store:
        typer.echo(f"nothing is stored: {FILE_VARIABLE} is {NO_FILE}")


def _render_engines(timings: "Sequence[Timing]", allowed: "Sequence[str]") -> "Table":
    from rich.table import Table

    table = Table("the network alone", box=None, pad_edge=False)
    for heading in ("threads", "batch size", "images/s", "relative"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    for timing in timings:
        setting = timing.setting
        table.add_row(
            setting.precision,
            str(setting.threads),
            str(setting.batch_size),
            f"{timing.images_per_s:,.0f}",
            f"{timing.images_per_s / timings[0].images_per_s:.2f}",
            "" if setting.precision in allowed else "not used: the model's card does not allow it",
        )
    return table


def _render_parts(rates: "Mapping[str, float]") -> "Table":
    from rich.table import Table

    table = Table("from photo to label", box=None, pad_edge=False)
    table.add_column("images/s", justify="right", no_wrap=True)
    for part, rate in rates.items():
        table.add_row(part, f"{rate:,.0f}")
    return table


def _describe(chosen: "EngineSetting", timings: "Sequence[Timing]") -> str:
    rates = {timing.setting: timing.images_per_s for timing in timings}
    times = rates[chosen] / timings[0].images_per_s
    first = timings[0].setting
    gain = (
        "" if chosen == first else f": {times:.2f} times as fast as {first.precision} with default settings"
    )
    return f"{chosen.precision}, {chosen.threads} threads, batches of {chosen.batch_size}{gain}"


def quantise(
    model: Annotated[str, typer.Argument(help="A model's name or file.")] = "default",
    *,
    catalogue: Annotated[
        Path, typer.Option(help="The catalogue: its folder, or the zip as downloaded.", envvar="HANGTAG_DATA")
    ],
    split_table: Annotated[
        Path, typer.Option(help="The table from hangtag split that the model was trained with.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write. Default: MODEL.int8.onnx next to the model."),
    ] = None,
    photos: Annotated[int, typer.Option(min=4, help="How many train photos to calibrate with.")] = 600,
    exact: Annotated[
        int | None, typer.Option(min=0, help="How many of the first layers stay in float32.  [default: 1]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Chooses the photos; the same seed gives the same photos.")] = 42,
) -> None:
    """Make the int8 form of a model, and measure what it loses.

    Ranges are measured on train photos, the loss against float32 on validation photos. The new file is written next to
    the model. --precision auto uses it only if it loses next to nothing and `hangtag bench` finds it the fastest.
    """
    from hangtag.pipelines import quantise as pipeline

    made = pipeline.quantise(
        model, catalogue, split_table, output=output, photos=photos, exact=exact, seed=seed
    )
    for column, cost in made.costs.items():
        typer.echo(
            f"int8 on validation: {column} loses {cost.lost_points:+.2f} points, "
            f"{cost.agreement:.2%} of {cost.support:,} answers are the same",
            err=True,
        )
    typer.echo(f"{made.path} written")
    if not made.is_found:
        typer.echo(f"Load it by its path: --model {made.path}")
        return
    if made.is_allowed:
        typer.echo("--precision auto uses it if `hangtag bench` finds it the fastest on this machine.")
    else:
        typer.echo("It loses too much accuracy for --precision auto; --precision int8 still uses it.")
