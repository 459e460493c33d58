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
