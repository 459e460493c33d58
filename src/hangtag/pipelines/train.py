"""Training: a catalogue and a recipe go in, a measured bundle comes out."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from hangtag.datasets.opening import Catalogue, open_catalogue, open_custom_set
from hangtag.domain.errors import UsageError
from hangtag.domain.extras import require_extra
from hangtag.pipelines.arguments import SILENT, AnyPath, Progress, checked
from hangtag.pipelines.train_bundle import TEACHER, Training, TrainResult, choose_engine, train_with_teacher

if TYPE_CHECKING:
    import pyarrow as pa

    from hangtag.bundle.card import Card
    from hangtag.networks.pretrained import Weights
    from hangtag.training.loop import RunSettings
    from hangtag.training.recipe import Recipe

NO_WEIGHTS: Final = "none"
Device = Literal["auto", "cpu", "cuda", "mps"]
CUSTOM: Final = "custom"


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """What is trained on what, and how.

    `changes` override values of the recipe by their dotted names. `joins` are further sets to learn from by name, None
    for the custom set beside the catalogue. With `figures_of`, the measured bundle of the same recipe, validation and
    test are learnt, too. The other fields are the options of `hangtag train`.
    """

    recipe: str
    catalogue: Path
    run: Path | None = None
    changes: Mapping[str, object] = field(default_factory=dict)
    epochs: int | None = None
    split_table: Path | None = None
    limit: int | None = None
    columns: Sequence[str] = ()
    resume: bool = False
    weights: str | None = None
    joins: Mapping[str, Path | None] = field(default_factory=dict)
    negatives: Sequence[Path] = ()
    teachers: Sequence[Path] = ()
    without_suspects: Path | None = None
    figures_of: Path | None = None
    device: Device = "auto"
    threads: int | None = None
    tensorboard: bool = False
    engine: Literal["local", "ray"] = "local"
    address: str | None = None
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class FoldsResult:
    """What the trainings of the folds made: by fold, unless it was finished before, and the table of all predictions.

    `table` is None while folds are lacking.
    """

    folder: Path
    table: Path | None
    results: Mapping[int, TrainResult]


@checked
def train(
    recipe: AnyPath,
    catalogue: AnyPath,
    *,
    run: AnyPath | None = None,
    changes: Mapping[str, object] | None = None,
    split_table: AnyPath | None = None,
    limit: int | None = None,
    columns: Sequence[str] = (),
    resume: bool = False,
    weights: AnyPath | None = None,
    device: Device = "auto",
    threads: int | None = None,
    progress: Progress = SILENT,
) -> TrainResult:
    """Train a model from a recipe on a catalogue, measure it, and return the bundle with its figures.

    `recipe` is the name of one that comes with hangtag or the path of a .toml file; `changes` override its values, such
    as `{"optimisation.epochs": 3}`. The files lie in the folder `run` (`runs/RECIPE`); with `resume` a training that
    was stopped there is resumed. `limit` learns from so many train photos, `columns` chooses what is learnt.
    `weights` is the file that a pretrained backbone starts from, or "none". `device` is a GPU where there is one.
    Needs the extra `train`.

    Raises `UsageError`, `RecipeError`, `CatalogueError` or `TrainingError`, each with what to do about it.

    >>> import hangtag
    >>> result = hangtag.train("default", "Clothing_Dataset_small.zip", run="runs/mine")  # doctest: +SKIP
    >>> result.load().predict("shirt.jpg")  # doctest: +SKIP
    """
    options = TrainOptions(
        recipe=str(recipe),
        catalogue=Path(catalogue),
        run=_optional_path(run),
        changes=changes or {},
        split_table=_optional_path(split_table),
        limit=limit,
        columns=columns,
        resume=resume,
        weights=None if weights is None else str(weights),
        device=device,
        threads=threads,
    )
    return run_training(options, progress)


def run_training(options: TrainOptions, progress: Progress = SILENT) -> TrainResult:
    """Train as the options say; raises as `train`."""
    prepared = _prepare(options, progress)
    _begin(prepared.settings)
    if not prepared.settings.checkpoint.exists():
        prepared = prepared.with_weights()
    with _open_data(prepared) as data:
        return data.train(data.table, prepared.settings.folder)


def run_folds(
    options: TrainOptions, folds: int, fold: int | None = None, progress: Progress = SILENT
) -> FoldsResult:
    """Train once for each fold, without its photos, and join the predictions for them; `fold` trains that one alone.

    A fold that is finished is not trained again. Raises as `train`.
    """
    prepared = _prepare(options, progress, folds)
    from hangtag.training.folds import finish_fold, fold_folder, join_folds, plan_folds

    chosen = _choose_folds(folds, fold)
    for number in chosen:
        _begin(replace(prepared.settings, folder=fold_folder(prepared.settings.folder, number)))
    folder, results = prepared.settings.folder, {}
    with _open_data(prepared.with_weights()) as data:
        plan = plan_folds(data.table, prepared.recipe, folds)
        for number in chosen:
            progress.say(f"fold {number} of {folds}")

            def train_fold(rows: "pa.Table", place: Path, number: int = number) -> Path:
                results[number] = data.train(rows, place)
                return results[number].bundle

            finish_fold(plan, number, folder, data.main, train_fold)
        return FoldsResult(folder, join_folds(plan, folder), results)


def _optional_path(path: AnyPath | None) -> Path | None:
    return None if path is None else Path(path)


def _choose_folds(folds: int, fold: int | None) -> Sequence[int]:
    if fold is None:
        return range(1, folds + 1)
    if not 1 <= fold <= folds:
        raise UsageError(f"there is no fold {fold} of {folds}")
    return (fold,)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A run whose options were understood: its recipe, its folder and settings, and what trains."""

    options: TrainOptions
    progress: Progress
    recipe: "Recipe"
    settings: "RunSettings"
    engine: Callable[..., Any]

    def with_weights(self) -> "_Prepared":
        """Return the run with the weights that its backbone starts from."""
        return replace(
            self, settings=replace(self.settings, weights=_read_weights(self.recipe, self.options.weights))
        )


def _prepare(options: TrainOptions, progress: Progress, folds: int | None = None) -> _Prepared:
    # Threads that wait for each other without resting slow a training down to a tenth where anything else runs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    require_extra("train", "training", "torch", "timm", "safetensors")
    from hangtag.training.loop import RunSettings

    recipe = _read_recipe(options).with_joins(options.joins)
    _require_ood(recipe, options.negatives)
    _require_teachers(recipe, options.teachers, folds)
    folder = options.run or Path("runs") / recipe.name
    if folds is not None and options.figures_of is not None:
        raise UsageError(
            "a fold is held out of the training", where="`on_everything`", fix="Leave `folds` out."
        )
    settings = RunSettings(
        folder,
        resume=options.resume,
        threads=options.threads,
        tensorboard=options.tensorboard,
        device=options.device,
    )
    engine = choose_engine(options.engine, options.address, options.workers)
    return _Prepared(options, progress, recipe, settings, engine)


def _read_recipe(options: TrainOptions) -> "Recipe":
    from hangtag.networks.registry import require_architecture
    from hangtag.training.recipe import find_recipe, read_recipe

    recipe = read_recipe(find_recipe(options.recipe), options.changes).with_epochs(options.epochs)
    require_architecture(recipe.network.architecture)
    return recipe.from_scratch() if options.weights == NO_WEIGHTS else recipe


def _require_ood(recipe: "Recipe", negatives: Sequence[Path]) -> None:
    if negatives and recipe.ood is None:
        raise UsageError("the recipe has no [ood] section that could learn from them", where="`negatives`")


def _require_teachers(recipe: "Recipe", teachers: Sequence[Path], folds: int | None) -> None:
    distillation = recipe.distillation
    if teachers and distillation is None:
        raise UsageError(
            "the recipe has no [distillation] section that could learn from it", where="`teacher`"
        )
    if distillation is not None and distillation.teacher is None and not teachers:
        raise UsageError(
            "the recipe has a [distillation] section but no teacher",
            where="`teacher`",
            fix="Name a bundle with `teacher`, or a recipe as `teacher` in the section.",
        )
    if teachers and folds is not None:
        raise UsageError(
            "a teacher that has seen a fold's photos would leak their labels into the out-of-fold predictions",
            where="`teacher`",
            fix="Leave `teacher` or `folds` out.",
        )


def _begin(settings: "RunSettings") -> None:
    """Refuse to overwrite a training; of one that died before its first checkpoint, take nothing unless resumed."""
    from hangtag.training.data import forget_pixels

    if settings.resume:
        return
    runs = (settings, replace(settings, folder=settings.folder / TEACHER))
    for run in runs:
        if run.checkpoint.exists():
            raise UsageError(
                "this folder already holds a training",
                where=run.folder,
                fix="Continue it with `resume=True`, choose another folder with `run`, or delete this one.",
            )
    for run in runs:
        forget_pixels(run.folder / "pixels")


def _read_weights(recipe: "Recipe", given: str | None) -> "Weights | None":
    """Read what the backbone starts from, before hours of work: None where that is random weights."""
    if (given is None and not recipe.network.pretrained) or given == NO_WEIGHTS:
        return None
    from hangtag.networks.pretrained import read_weights

    return read_weights(recipe.network.architecture, None if given is None else Path(given))


@dataclass(frozen=True, slots=True)
class _Data:
    """The open catalogues of a run, its split table, and what the card will say of them."""

    prepared: _Prepared
    main: Catalogue
    sets: Mapping[str, Catalogue]
    table: "pa.Table"
    facts: Mapping[str, Any]
    twin: "Card | None" = None

    def train(self, rows: "pa.Table", folder: Path) -> TrainResult:
        """Train by a split table in a folder."""
        from hangtag.training.joining import join_photos

        run, options = self.prepared, self.prepared.options
        join = partial(join_photos, rows, (self.main, self.sets), negatives=options.negatives)
        settings = replace(run.settings, folder=folder)
        training = Training(
            run.recipe, settings, run.engine, options.teachers, options.epochs, run.progress, self.twin
        )
        return train_with_teacher(training, join, self.facts)


@contextmanager
def _open_data(prepared: _Prepared) -> Iterator[_Data]:
    """Open the catalogue and the sets that join it, and make or read the split table."""
    from hangtag.training.rows import limit_rows
    from hangtag.training.suspects import forget_labels, read_suspects

    options = prepared.options
    prepared.settings.folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        main = stack.enter_context(open_catalogue(options.catalogue))
        sets = {name: stack.enter_context(_open_set(name, options)) for name in prepared.recipe.joins}
        recipe, table = _split(main, prepared)
        twin = None if options.figures_of is None else _read_twin(options.figures_of, recipe)
        if options.limit is not None:
            table = limit_rows(table, options.limit, recipe.seed, recipe.columns)
        facts = {
            **_describe(main, table),
            "joined": list(sets),
            "weights": options.weights and Path(options.weights).name,
        }
        if options.without_suspects is not None:
            table, forgotten = forget_labels(table, read_suspects(options.without_suspects))
            facts["without_suspects"] = forgotten
            prepared.progress.say(f"not learnt: {forgotten}")
        yield _Data(replace(prepared, recipe=recipe), main, sets, table, facts, twin)


def _read_twin(bundle: Path, recipe: "Recipe") -> "Card":
    from hangtag.bundle.file import read_card
    from hangtag.training.bundling import require_twin

    twin = read_card(bundle)
    require_twin(recipe, twin)
    return twin


def _open_set(name: str, options: TrainOptions) -> Catalogue:
    """Open a set that a recipe joins: where the run was told it is, or the custom set beside the catalogue."""
    place = options.joins.get(name)
    if place is not None:
        return open_catalogue(place)
    found = open_custom_set(options.catalogue) if name == CUSTOM else None
    if found is None:
        raise UsageError(
            f"the recipe joins the set {name!r}, but its path is not given",
            where=options.catalogue if name == CUSTOM else "`join`",
            fix=f"Name it with `join={name}=PATH`, make a custom set with `hangtag custom`, or remove it from `joins`.",
        )
    return found


def _split(source: Catalogue, prepared: _Prepared) -> "tuple[Recipe, pa.Table]":
    """Read the split table, or make one in the run's folder; a resumed run finds the one that it began with.

    Returns the recipe for the columns that the catalogue has, too.
    """
    from hangtag.catalogue.clean import clean_catalogue
    from hangtag.catalogue.split import split_catalogue, write_split
    from hangtag.tables.tables import read_table
    from hangtag.training.joining import fit_recipe

    given, folder = prepared.options.split_table, prepared.settings.folder
    made = folder / "split.parquet"
    if given is None and not (prepared.options.resume and made.exists()):
        clean_catalogue(source, folder)
        cleaned = read_table(folder / "cleaned.parquet")
        recipe = fit_recipe(prepared.recipe, cleaned, prepared.options.columns)
        write_split(split_catalogue(cleaned, source, recipe.split), made)
        return recipe, read_table(made)
    table = read_table(given or made)
    return fit_recipe(prepared.recipe, table, prepared.options.columns), table


def _describe(source: Catalogue, table: "pa.Table") -> dict[str, Any]:
    from hangtag.datasets.splits import read_split_facts

    return {"catalogue": source.name, "split": read_split_facts(table)}
