"""The command `hangtag predict`."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

    from hangtag.inference.model import Model
    from hangtag.labelling.layout import Layout
    from hangtag.labelling.outputs import TableWriter

EXIT_SOME_NOT_LABELLED: Final = 3


def predict(
    inputs: Annotated[
        list[Path],
        typer.Argument(help="Photos, and folders that are searched for photos.", metavar="INPUT"),
    ],
    *,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "-m", help="A model's name or file; several are compared.  [default: default]"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The table to write: .csv, .xlsx, .jsonl or .parquet; - is CSV on stdout."
        ),
    ] = None,
    top_k: Annotated[int, typer.Option(min=1, help="How many candidates to write for each label.")] = 1,
    precision: Annotated[
        Literal["auto", "fp32", "bf16"],
        typer.Option(help="auto: what is fastest here; fp32: always the same bits."),
    ] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="How many processors to use.  [default: all that there are]")
    ] = None,
) -> None:
    """Label photos: files and folders of them.

    Every photo becomes a row with its labels and confidences, or with the reason why it has none. Without --output the
    first rows are shown as a table. Leaves with 0 when all photos were labelled, with 3 when some were not.
    """
    from rich.console import Console

    from hangtag.cli.console import open_console
    from hangtag.inference.cpus import count_usable_cpus
    from hangtag.labelling.inputs import PhotoWalk
    from hangtag.labelling.outputs import STANDARD_OUTPUT, check_output
    from hangtag.labelling.run import Labeller
    from hangtag.labelling.terminal import print_summary

    walk = PhotoWalk(inputs)
    if output is not None:
        check_output(output)
    models = _load_models(model or ["default"], precision, threads)
    labeller = Labeller(models, top_k, threads or count_usable_cpus())
    messages = Console(stderr=True, highlight=False)
    with _open_writer(output, labeller.layout) as writer, _open_progress(inputs, messages) as on_progress:
        summary = labeller.label(walk, writer, on_progress)
    print_summary(messages if output == STANDARD_OUTPUT else open_console(), summary)
    if summary.failed:
        raise typer.Exit(EXIT_SOME_NOT_LABELLED)


def _load_models(
    names: "Sequence[str]", precision: Literal["auto", "fp32", "bf16"], threads: int | None
) -> "dict[str, Model]":
    """Load the models, by the name on their card, or as they were called where that would be ambiguous."""
    from hangtag.domain.errors import UsageError
    from hangtag.inference.model import load_model

    if len(set(names)) < len(names):
        raise UsageError("a model is named twice", where="--model")
    loaded = [load_model(name, precision=precision, threads=threads) for name in names]
    titles = [model.card.name for model in loaded]
    return dict(zip(titles if len(set(titles)) == len(titles) else names, loaded, strict=True))


def _open_progress(
    inputs: "Sequence[Path]", messages: "Console"
) -> "contextlib.AbstractContextManager[Callable[[int], None]]":
    """Show a bar where a person can see it; its library takes longer to import than a photo to label."""
    if not messages.is_terminal:
        from hangtag.labelling.run import ignore_progress

        return contextlib.nullcontext(ignore_progress)
    from hangtag.labelling.progress import show_progress

    return show_progress(inputs, messages)


@contextlib.contextmanager
def _open_writer(output: Path | None, layout: "Layout") -> "Iterator[TableWriter]":
    from hangtag.cli.console import open_console
    from hangtag.labelling.outputs import open_output
    from hangtag.labelling.terminal import TerminalTable

    if output is not None:
        with open_output(output, layout) as writer:
            yield writer
        return
    table = TerminalTable(open_console(), layout)
    yield table
    table.finish()
