"""The command `hangtag adapt`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hangtag.pipelines.adapt import AdaptResult


def adapt(
    labelled: Annotated[
        list[Path],
        typer.Argument(
            help="Labelled photos: a catalogue, a table of photos and labels, or Label Studio's JSON.",
            metavar="LABELLED...",
            show_default=False,
        ),
    ],
    *,
    model: Annotated[
        str, typer.Option("--model", "-m", help="The model to start from: its name or file.")
    ] = "default",
    output: Annotated[Path, typer.Option("--output", "-o", help="The file of the adapted model.")] = Path(
        "shop.onnx"
    ),
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="A column of the table to add to the model as a new attribute; repeatable.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="The model's name.  [default: the name of its file]", show_default=False),
    ] = None,
    target_accuracy: Annotated[
        float | None,
        typer.Option(
            min=0.5,
            max=1,
            help="The share of confident labels that should be right.  [default: that of the model]",
            show_default=False,
        ),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Processors to use.  [default: all]")] = None,
) -> None:
    """Adapt a model to your shop: fit new heads on the same network to a few dozen labelled photos or more.

    Labels that the model does not know become new classes if they have three examples. The accuracy before and after
    is measured by cross-validation: on photos that the heads did not learn from. The result is a model like any other.
    """
    from hangtag.cli.console import TerminalProgress
    from hangtag.pipelines import adapt as pipeline

    with TerminalProgress() as progress:
        found = pipeline.adapt(
            labelled,
            model=model,
            output=output,
            columns=column or [],
            name=name,
            target_accuracy=target_accuracy,
            threads=threads,
            progress=progress,
        )
    _print(found)


def _print(found: "AdaptResult") -> None:
    from hangtag.cli.console import open_console
    from hangtag.tables.terminal import add_figures, figures_table, print_table

    table = figures_table("column")
    add_figures(table, "labels", "before", "after", "95 % interval")
    table.add_column("new classes", overflow="fold")
    for column, result in found.columns.items():
        low, high = result.interval
        interval = f"{low:.1%} to {high:.1%}" if result.is_changed else "unchanged"
        before = "-" if result.before is None else f"{result.before:.1%}"
        table.add_row(
            column,
            f"{result.labels:,}",
            before,
            f"{result.after:.1%}",
            interval,
            ", ".join(result.new_classes),
        )
    print_table(open_console(), table)
    for column, labels in found.left_out.items():
        named = ", ".join(f"{label} ({count})" for label, count in labels.items())
        typer.echo(f"Too few examples to learn, {column}: {named}", err=True)
    if found.failed:
        typer.echo(f"{found.failed:,} photos could not be read", err=True)
    if found.forgets:
        typer.echo(
            "On photos like those it was first trained on, its accuracy probably falls by over 0.3 points.",
            err=True,
        )
    typer.echo(f"{found.path} written: hangtag predict --model {found.path} PHOTOS")
