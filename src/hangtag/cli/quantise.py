"""The command `hangtag quantise`."""

from pathlib import Path
from typing import Annotated

import typer


def quantise(
    model: Annotated[str, typer.Argument(help="A model's name or file.")] = "default",
    *,
    catalogue: Annotated[
        Path, typer.Option(help="The catalogue: its folder, or the zip as downloaded.", envvar="HANGTAG_DATA")
    ],
    split_table: Annotated[Path, typer.Option(help="The table from hangtag split that the model learnt by.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write. Default: MODEL.int8.onnx beside the model."),
    ] = None,
    photos: Annotated[int, typer.Option(min=4, help="How many train photos to calibrate with.")] = 600,
    exact: Annotated[
        int | None, typer.Option(min=0, help="How many first layers stay in float32.  [default: 1]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Chooses the photos; the same seed gives the same photos.")] = 42,
) -> None:
    """Make the int8 form of a model, and measure what it loses.

    Ranges are measured on train photos, the loss against float32 on the validation photos. The new file is written
    beside the model. Precision auto uses it only if it loses next to nothing and `hangtag bench` finds it the fastest.
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
        typer.echo(f"It is loaded by its own path alone: --model {made.path}")
        return
    if made.is_allowed:
        typer.echo("It may be chosen by itself: `hangtag bench` measures whether it is the fastest here.")
    else:
        typer.echo("It loses too much to be chosen by itself; --precision int8 still asks for it.")
