"""One training, from a split table to a measured bundle, by the engine that the command chose."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hangtag.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from hangtag.catalogue.source import Catalogue
    from hangtag.evaluation.photo_set import PhotoSet
    from hangtag.training.loop import RunSettings, TrainedNetwork
    from hangtag.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Training:
    """What is trained, where its files lie, and the engine, which is called as `train` of the loop is.

    `teachers` are the bundles that a recipe with a distillation learns from.
    """

    recipe: "Recipe"
    settings: "RunSettings"
    engine: "Callable[..., TrainedNetwork]"
    teachers: "Sequence[Path]" = ()

    def train(self, table: "pa.Table", source: "Catalogue", facts: dict[str, Any]) -> Path:
        """Train by a split table, export and measure; return the bundle. `facts` go into its card."""
        from hangtag.training.bundling import write_trained_bundle
        from hangtag.training.data import load_training_data
        from hangtag.training.loop import describe_classes
        from hangtag.training.progress import TrainingProgress

        recipe, folder = self.recipe, self.settings.folder
        data = load_training_data(table, source, recipe.columns, recipe.preprocessing, folder / "pixels")
        typer.echo(f"{len(data.train):,} train and {len(data.validation):,} validation photos", err=True)
        typer.echo(f"heads: {describe_classes(data.classes)}", err=True)
        if recipe.names:
            from hangtag.training.names import teach_by_names

            data = teach_by_names(data, table, recipe.seed)
        if recipe.distillation:
            from hangtag.training.teachers import teach_by_models

            data = teach_by_models(data, table, source, self.teachers, folder / "pixels")
            facts = {**facts, "taught_by": list(data.taught_by)}
        with TrainingProgress() as progress:
            trained = self.engine(recipe, data, self.settings, progress)
        bundle = folder / f"{recipe.name}.onnx"
        write_trained_bundle(trained, recipe, data, {**facts, "train_photos": len(data.train)}, bundle)
        _measure(bundle, table, source)
        return bundle


def choose_engine(name: str, address: str | None, workers: int | None) -> "Callable[..., TrainedNetwork]":
    """Return what trains: this process, or the workers of a Ray cluster.

    Raises `UsageError` where Ray is not installed, or is told something and not asked for.
    """
    if name != "ray":
        if address is not None or workers is not None:
            raise UsageError("--address and --workers are for --engine ray", fix="Add --engine ray.")
        from hangtag.training.loop import train

        return train
    try:
        from hangtag.training.on_ray import Cluster, train_on_ray
    except ImportError:
        raise UsageError(
            "training on a cluster needs the extra `ray`", fix="Run `pip install 'hangtag[train,ray]'`."
        ) from None
    return partial(train_on_ray, cluster=Cluster(address, workers))


def _measure(bundle: Path, table: "pa.Table", source: "Catalogue") -> None:
    """Measure the bundle on the splits that it did not learn from, and store what came out in its card.

    Half precision is allowed only where it was measured to cost nothing.
    """
    from rich.console import Console

    from hangtag.bundle.card import REFERENCE_PRECISION
    from hangtag.bundle.file import replace_card
    from hangtag.evaluation.evaluate import measure
    from hangtag.evaluation.precision import allow_precisions
    from hangtag.evaluation.report import add_to_card, print_report
    from hangtag.inference.model import load_model
    from hangtag.training.rows import own_rows

    model = load_model(bundle, precision=REFERENCE_PRECISION)
    card = model.card
    for photos in _unlearnt(table, source):
        report = measure(model, photos).report
        print_report(Console(), report)
        card = add_to_card(card, report)
    precisions, costs = allow_precisions(bundle, own_rows(table), source)
    for column, cost in costs.items():
        typer.echo(f"bf16 on validation: {column} loses {cost.lost_points:+.2f} points", err=True)
    typer.echo(f"arithmetics that may be chosen: {', '.join(precisions)}", err=True)
    replace_card(bundle, replace(card, precisions=precisions))


def _unlearnt(table: "pa.Table", source: "Catalogue") -> "list[PhotoSet]":
    """Return what a run can be measured on: validation, test, and what it kept back of joined sets with labels."""
    import pyarrow.compute as pc

    from hangtag.evaluation.photo_set import PhotoSet, split_photos
    from hangtag.training.negatives import NEGATIVES
    from hangtag.training.rows import own_rows, rows_by_set

    own = own_rows(table)
    kept_back = {
        name: rows.filter(pc.equal(rows.column("split"), "validation"))
        for name, rows in rows_by_set(table).items()
        if name != NEGATIVES
    }
    sets = [PhotoSet(name, rows, source) for name, rows in kept_back.items() if rows.num_rows]
    return [split_photos(own, source, "validation"), split_photos(own, source, "test"), *sets]
