"""One training, from a split table to a measured bundle, after that of its teacher, if any."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hangtag.domain.errors import UsageError
from hangtag.domain.extras import missing_extra
from hangtag.pipelines.arguments import SILENT, Progress

if TYPE_CHECKING:
    import pyarrow as pa

    from hangtag.bundle.card import Card
    from hangtag.datasets.opening import Catalogue
    from hangtag.evaluation.heads import Report
    from hangtag.evaluation.photo_set import PhotoSet
    from hangtag.evaluation.precision import PrecisionCost
    from hangtag.inference.model import Model
    from hangtag.networks.pretrained import Weights
    from hangtag.training.data import TrainingData
    from hangtag.training.loop import RunSettings, TrainedNetwork
    from hangtag.training.recipe import Recipe

    Join = Callable[[Recipe, Path], tuple[pa.Table, Catalogue]]


TEACHER: Final = "teacher"
"""The subfolder of a run in which its teacher is trained."""


@dataclass(frozen=True, slots=True)
class TrainResult:
    """The result of a training: the bundle and its figures.

    `reports` are those of validation, test, and the kept-back photos of joined sets. `precisions` are those that `auto`
    may choose; `bf16_costs` says by column what bfloat16 loses on validation. `teacher` is the result for the teacher,
    if the recipe names one.
    """

    bundle: Path
    reports: "tuple[Report, ...]"
    precisions: tuple[str, ...]
    bf16_costs: "Mapping[str, PrecisionCost]"
    teacher: "TrainResult | None" = None

    def load(self) -> "Model":
        """Load the model that was trained."""
        from hangtag.bundle.signatures import OWN
        from hangtag.inference.model import load_model

        return load_model(self.bundle, trusted=OWN)


@dataclass(frozen=True, slots=True)
class Training:
    """What to train, where to put the files, and the engine, which has the signature of the loop's `train`.

    `teachers` are the bundles that a recipe with a distillation learns from. `epochs` also applies to a teacher that is
    trained first. With a `twin`, the card of a measured bundle, the model is also trained on validation and test.
    """

    recipe: "Recipe"
    settings: "RunSettings"
    engine: "Callable[..., TrainedNetwork]"
    teachers: Sequence[Path] = ()
    epochs: int | None = None
    progress: Progress = SILENT
    twin: "Card | None" = None

    def train(self, table: "pa.Table", source: "Catalogue", facts: Mapping[str, Any]) -> TrainResult:
        """Train with a split table, export and measure. `facts` go into the bundle's card."""
        from rich.console import Console

        from hangtag.training.bundling import write_trained_bundle
        from hangtag.training.progress import TrainingProgress

        recipe, folder = self.recipe, self.settings.folder
        data, facts = self._load_data(table, source, facts)
        with TrainingProgress(Console(stderr=True, quiet=self.progress is SILENT)) as progress:
            trained = self.engine(recipe, data, self.settings, progress)
        bundle = folder / f"{recipe.name}.onnx"
        write_trained_bundle(trained, recipe, data, {**facts, "train_photos": len(data.train)}, bundle)
        if self.twin is not None:
            return TrainResult(bundle, (), tuple(self.twin.precisions), {})
        return measure_bundle(bundle, table, source)

    def _load_data(
        self, table: "pa.Table", source: "Catalogue", facts: Mapping[str, Any]
    ) -> "tuple[TrainingData, Mapping[str, Any]]":
        """Load the photos with their labels and soft targets; return them with the facts about them for the card."""
        from hangtag.training.data import load_everything, load_training_data
        from hangtag.training.loop import describe_classes
        from hangtag.training.rows import learn_everything
        from hangtag.training.soft_targets import teach_by_names

        recipe, folder = self.recipe, self.settings.folder
        if self.twin is None:
            data = load_training_data(table, source, recipe.columns, recipe.preprocessing, folder / "pixels")
        else:
            data = load_everything(table, source, self.twin, folder / "pixels")
            table = learn_everything(table)
        self.progress.say(f"{len(data.train):,} train and {len(data.validation):,} validation photos")
        self.progress.say(f"heads: {describe_classes(data.classes)}")
        if recipe.names:
            data = teach_by_names(data, table, recipe.seed)
        if recipe.distillation:
            from hangtag.bundle.card import REFERENCE_PRECISION
            from hangtag.inference.model import load_model
            from hangtag.training.soft_targets import describe_teacher, teach_by_models

            teachers = [load_model(path, precision=REFERENCE_PRECISION) for path in self.teachers]
            data = teach_by_models(data, table, source, teachers, folder / "pixels")
            facts = {**facts, "teachers": [describe_teacher(teacher) for teacher in teachers]}
        return data, facts


def train_with_teacher(training: Training, join: "Join", facts: Mapping[str, Any]) -> TrainResult:
    """Train; first train the teacher that the recipe names, if no teacher was given.

    The teacher's run is in the folder `teacher` of this run, and is resumed with it.
    """
    distillation, taught = training.recipe.distillation, None
    if distillation is not None and distillation.teacher is not None and not training.teachers:
        recipe = _read_teacher(distillation.teacher, training)
        settings = replace(training.settings, folder=training.settings.folder / TEACHER)
        bundle = settings.folder / f"{recipe.name}.onnx"
        if not bundle.is_file():
            training.progress.say(f"training the teacher, {recipe.name}, in {settings.folder}")
            settings.folder.mkdir(parents=True, exist_ok=True)
            start = replace(settings, weights=_read_start(recipe) if recipe.network.pretrained else None)
            taught = train_with_teacher(replace(training, recipe=recipe, settings=start), join, facts)
        training = replace(training, teachers=(bundle,))
    if distillation is not None and distillation.start_from_teacher:
        weights = _read_teachers_weights(training.recipe, training.teachers)
        training = replace(training, settings=replace(training.settings, weights=weights))
    result = training.train(*join(training.recipe, training.settings.folder), facts)
    return replace(result, teacher=taught)


def _read_teacher(name: str, student: Training) -> "Recipe":
    """Read a teacher's recipe, with the run's overrides."""
    from hangtag.training.recipe import find_recipe, read_recipe

    recipe = read_recipe(find_recipe(name)).with_epochs(student.epochs).with_joins(student.recipe.joins)
    own, distillation = student.recipe.network.architecture, student.recipe.distillation
    starts = distillation is not None and distillation.start_from_teacher
    if starts and recipe.network.architecture != own:
        raise UsageError(
            f"{student.recipe.name} is to start from its teacher's weights but is another network: {own}, not "
            f"{recipe.network.architecture}",
            where=name,
            fix="Leave start_from_teacher out, or give both recipes the same architecture.",
        )
    recipe = recipe.for_columns([column for column in recipe.columns if column in student.recipe.columns])
    return recipe if student.recipe.network.pretrained else recipe.from_scratch()


def _read_teachers_weights(student: "Recipe", teachers: Sequence[Path]) -> "Weights":
    """Read the teacher's weights to start from: those of the checkpoint next to its bundle."""
    from hangtag.bundle.file import read_card

    if len(teachers) != 1:
        raise UsageError(
            f"{student.name} is to start from its teacher's weights but has {len(teachers)} teachers",
            where="`teacher`",
            fix="Name one, or leave start_from_teacher out of the recipe.",
        )
    [bundle] = teachers
    architecture, checkpoint = read_card(bundle).architecture, bundle.with_name("checkpoint.safetensors")
    if architecture != student.network.architecture:
        raise UsageError(
            f"{student.name} is to start from its teacher's weights but is another network: "
            f"{student.network.architecture}, not {architecture}",
            where=bundle,
            fix="Leave start_from_teacher out, or choose a teacher of the same architecture.",
        )
    if not checkpoint.is_file():
        raise UsageError(
            f"{student.name} is to start from its teacher's weights, and the teacher's checkpoint is not next to it",
            where=checkpoint,
            fix="Name the bundle in the folder of its run, or leave start_from_teacher out of the recipe.",
        )
    return _read_start(student, checkpoint)


def _read_start(recipe: "Recipe", file: Path | None = None) -> "Weights":
    from hangtag.networks.pretrained import read_weights

    return read_weights(recipe.network.architecture, file)


def choose_engine(name: str, address: str | None, workers: int | None) -> "Callable[..., TrainedNetwork]":
    """Return the engine that trains: processes of this machine, or the workers of a Ray cluster.

    Raises `UsageError` if Ray is not installed, or if its options are given for another engine.
    """
    if name != "ray":
        if address is not None:
            raise UsageError("`address` is for `engine='ray'`", fix="Add `engine='ray'`.")
        from hangtag.training.processes import train_in_processes

        return partial(train_in_processes, workers=workers)
    try:
        from hangtag.training.on_ray import Cluster, train_on_ray
    except ImportError:
        raise missing_extra("train,ray", "training on a cluster") from None
    return partial(train_on_ray, cluster=Cluster(address, workers))


def measure_bundle(bundle: Path, table: "pa.Table", source: "Catalogue") -> TrainResult:
    """Measure a bundle on the splits that it was not trained on, and store the figures in its card.

    Half precision is allowed only if it was measured to cost nothing.
    """
    from hangtag.bundle.card import REFERENCE_PRECISION
    from hangtag.bundle.file import replace_card
    from hangtag.bundle.signatures import OWN
    from hangtag.evaluation.evaluate import measure
    from hangtag.evaluation.precision import allow_precisions
    from hangtag.evaluation.report import add_to_card
    from hangtag.inference.model import load_model
    from hangtag.training.rows import own_rows

    model = load_model(bundle, precision=REFERENCE_PRECISION, trusted=OWN)
    card, reports = model.card, []
    for photos in _unlearnt(table, source):
        reports.append(measure(model, photos).report)
        card = add_to_card(card, reports[-1])
    precisions, costs = allow_precisions(bundle, own_rows(table), source)
    replace_card(bundle, replace(card, precisions=precisions))
    return TrainResult(bundle, tuple(reports), precisions, costs)


def _unlearnt(table: "pa.Table", source: "Catalogue") -> "list[PhotoSet]":
    """Return what a run can be measured on: validation, test, and the held-out photos of labelled joined sets."""
    import pyarrow.compute as pc

    from hangtag.evaluation.photo_set import kept_back_photos, split_photos
    from hangtag.training.negatives import NEGATIVES
    from hangtag.training.rows import own_rows, rows_by_set

    own = own_rows(table)
    kept_back = {
        name: rows.filter(pc.equal(rows.column("split"), "validation"))
        for name, rows in rows_by_set(table).items()
        if name != NEGATIVES
    }
    sets = [kept_back_photos(name, rows, source) for name, rows in kept_back.items() if rows.num_rows]
    return [split_photos(own, source, "validation"), split_photos(own, source, "test"), *sets]
