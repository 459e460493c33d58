"""The command `hangtag train`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hangtag.domain.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from hangtag.catalogue.source import Catalogue
    from hangtag.training.recipe import Recipe


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe that comes with hangtag, or a .toml file.")],
    *,
    catalogue: Annotated[
        Path, typer.Option(help="The catalogue: its folder, or the zip as downloaded.", envvar="HANGTAG_DATA")
    ],
    split_table: Annotated[
        Path | None,
        typer.Option(help="A table from `hangtag split`; else the catalogue is split as the recipe says."),
    ] = None,
    run: Annotated[Path | None, typer.Option(help="The run's folder. Default: runs/RECIPE.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last finished epoch.")] = False,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Train this many epochs instead of the recipe's.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads for training. Default: torch's choice.")
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write events for TensorBoard.")
    ] = False,
) -> None:
    """Train a model from a recipe and export it as a bundle.

    The run's folder holds the cleaned table, the split table, a checkpoint after every epoch, history.csv, a plot,
    and at the end RECIPE.onnx. Ctrl-C loses at most the running epoch; --resume goes on and ends at the same result.
    """
    _require_training()
    from hangtag.catalogue.source import open_catalogue
    from hangtag.training.bundling import write_trained_bundle
    from hangtag.training.data import load_training_data
    from hangtag.training.loop import RunSettings, describe_classes
    from hangtag.training.loop import train as run_training
    from hangtag.training.progress import TrainingProgress
    from hangtag.training.recipe import find_recipe, read_recipe

    chosen = read_recipe(find_recipe(recipe)).with_epochs(epochs)
    folder = run or Path("runs") / chosen.name
    settings = RunSettings(folder, resume=resume, threads=threads, tensorboard=tensorboard)
    _refuse_to_overwrite(settings.checkpoint, resume=resume)
    folder.mkdir(parents=True, exist_ok=True)
    with open_catalogue(catalogue) as source:
        table = _split(source, chosen, split_table, folder)
        data = load_training_data(table, source, chosen.columns, chosen.preprocessing, folder / "pixels")
        typer.echo(f"{len(data.train):,} train and {len(data.validation):,} validation photos", err=True)
        typer.echo(f"heads: {describe_classes(data.classes)}", err=True)
        with TrainingProgress() as progress:
            trained = run_training(chosen, data, settings, progress)
        bundle = folder / f"{chosen.name}.onnx"
        write_trained_bundle(trained, chosen, data, _facts(source, table, len(data.train)), bundle)
        _measure(bundle, table, source)
    typer.echo(f"{bundle} written; label photos with it: hangtag predict PHOTOS --model {bundle}")


def _require_training() -> None:
    try:
        import torch  # noqa: F401
    except ImportError:
        raise UsageError(
            "training needs the extra `train`", fix="Run `pip install 'hangtag[train]'`."
        ) from None


def _refuse_to_overwrite(checkpoint: Path, *, resume: bool) -> None:
    if checkpoint.exists() and not resume:
        raise UsageError(
            "there is a training here already",
            where=checkpoint.parent,
            fix="Go on with --resume, choose another folder with --run, or delete this one.",
        )


def _split(source: "Catalogue", recipe: "Recipe", split_table: Path | None, folder: Path) -> "pa.Table":
    """Read the split table, or make one in the run's folder; a resumed run finds the one that it began with."""
    from hangtag.catalogue.clean import clean_catalogue
    from hangtag.catalogue.split import split_catalogue
    from hangtag.catalogue.split_report import write_split
    from hangtag.catalogue.tables import read_table

    made = folder / "split.parquet"
    if split_table is None and not made.exists():
        clean_catalogue(source, folder)
        write_split(split_catalogue(read_table(folder / "cleaned.parquet"), source, recipe.split), made)
    return read_table(split_table or made)


def _facts(source: "Catalogue", table: "pa.Table", train_photos: int) -> dict[str, Any]:
    from hangtag.catalogue.split import read_split_facts

    return {"catalogue": source.name, "train_photos": train_photos, "split": read_split_facts(table)}


def _measure(bundle: Path, table: "pa.Table", source: "Catalogue") -> None:
    """Measure the bundle on the splits that it did not learn from, and store what came out in its card.

    Half precision is allowed only where it was measured to cost nothing.
    """
    from rich.console import Console

    from hangtag.bundle.card import REFERENCE_PRECISION
    from hangtag.bundle.file import replace_card
    from hangtag.evaluation.evaluate import evaluate_model
    from hangtag.evaluation.precision import compare_precisions, is_free
    from hangtag.evaluation.report import add_to_card, print_report
    from hangtag.inference.model import load_model

    model = load_model(bundle, precision=REFERENCE_PRECISION)
    card = model.card
    for split in ("validation", "test"):
        report = evaluate_model(model, table, source, split)
        print_report(Console(), report)
        card = add_to_card(card, report)
    fast = load_model(bundle, precision="bf16")
    costs = compare_precisions(model, fast, table, source, "validation")
    for column, cost in costs.items():
        typer.echo(
            f"{fast.engine.precision} on validation: {column} loses {cost.lost_points:+.2f} points", err=True
        )
    if fast.engine.precision != REFERENCE_PRECISION and is_free(costs):
        card = replace(card, precisions=(REFERENCE_PRECISION, fast.engine.precision))
    replace_card(bundle, card)
