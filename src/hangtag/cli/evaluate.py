"""The command `hangtag evaluate`."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def evaluate(
    bundle: Annotated[str, typer.Argument(help="The model: its name or its file.", metavar="BUNDLE")],
    *,
    catalogue: Annotated[
        Path, typer.Option(help="The catalogue that holds the photos: folder or zip.", envvar="HANGTAG_DATA")
    ],
    split_table: Annotated[Path, typer.Option(help="The table from hangtag split.")],
    on: Annotated[
        Literal["test", "validation", "train"], typer.Option(help="The split to measure on.")
    ] = "test",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the figures as JSON.")] = None,
    write_card: Annotated[
        bool, typer.Option("--write-card", help="Store the figures in the model's own card.")
    ] = False,
    precision: Annotated[
        Literal["auto", "fp32", "bf16"], typer.Option(help="auto: as hangtag predict answers by default.")
    ] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="How many processors to use.  [default: all that there are]")
    ] = None,
) -> None:
    """Measure a model on a split of a catalogue.

    The exported model itself answers, with the code that labels photos. For each head: the share of right answers with
    its 95 % interval, the share of right ones among the first three, the mean F1 of the classes in the split, and how
    far confidence lies from truth.
    """
    from hangtag.bundle.file import replace_card
    from hangtag.bundle.shipped import find_bundle
    from hangtag.catalogue.files import write_json
    from hangtag.catalogue.source import open_catalogue
    from hangtag.catalogue.tables import read_table
    from hangtag.cli.console import open_console
    from hangtag.evaluation.evaluate import evaluate_model
    from hangtag.evaluation.report import add_to_card, print_report
    from hangtag.inference.cpus import count_usable_cpus
    from hangtag.inference.model import load_model

    table = read_table(split_table)
    path = find_bundle(bundle)
    model = load_model(path, precision=precision, threads=threads)
    with open_catalogue(catalogue) as source:
        report = evaluate_model(model, table, source, on, threads or count_usable_cpus())
    print_report(open_console(), report)
    if output is not None:
        write_json(report, output)
    if write_card:
        replace_card(path, add_to_card(model.card, report))
