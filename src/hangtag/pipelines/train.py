"""Training: from a catalogue and a recipe to a measured bundle."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from hangtag.datasets.interface import list_photo_folders
from hangtag.datasets.opening import Catalogue, open_catalogue, open_custom_set
from hangtag.domain.errors import UsageError
from hangtag.domain.extras import require_extra
from hangtag.pipelines.arguments import SILENT, AnyPath, Progress, checked, refuse_among_photos
from hangtag.pipelines.corrections import correct_labels, keep_facts, read_facts, require_same_corrections
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
    """The options of `hangtag train`.

    `changes` override values of the recipe by their dotted names. `joins` are the paths of joined sets by name; None
    stands for the catalogue's custom set. With `figures_of`, the measured bundle of the same recipe, the model is also
    trained on the validation and test photos.
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
    corrections: Path | None = None
    figures_of: Path | None = None
    device: Device = "auto"
    threads: int | None = None
    tensorboard: bool = False
    engine: Literal["local", "ray"] = "local"
    address: str | None = None
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class FoldsResult:
    """The results of the folds trained by this run, and the table of all predictions.

    `table` is None until all folds are finished.
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
    corrections: AnyPath | None = None,
    device: Device = "auto",
    threads: int | None = None,
    progress: Progress = SILENT,
) -> TrainResult:
    """Train a model from a recipe on a catalogue, measure it, and return the bundle with its figures.

    `recipe` is the name of a recipe that comes with hangtag, or the path of a .toml file. `changes` override its
    values, such as `{"optimisation.epochs": 3}`. The files go to the folder `run` (default: `runs/RECIPE`); `resume`
    continues a training that was stopped there. `limit` is the number of train photos to use, `columns` the columns to
    train on. `weights` is the file that a pretrained backbone starts from, or "none". `corrections` is a file of labels
    that people set in place of the catalogue's. `device` defaults to a GPU if there is one. Needs the extra `train`.

    Raises `UsageError`, `RecipeError`, `CatalogueError` or `TrainingError`, each with a fix.

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
        corrections=_optional_path(corrections),
        device=device,
        threads=threads,
    )
    return run_training(options, progress)


def run_training(options: TrainOptions, progress: Progress = SILENT) -> TrainResult:
    """Train with these options. Raises the errors of `train`."""
    prepared = _prepare(options, progress)
    _begin(prepared.settings)
    if not prepared.settings.checkpoint.exists():
        prepared = prepared.with_weights()
    with _open_data(prepared) as data:
        return data.train(data.table, prepared.settings.folder)


def run_folds(
    options: TrainOptions, folds: int, fold: int | None = None, progress: Progress = SILENT
) -> FoldsResult:
    """Train once for each fold, without its photos, and join the predictions for them; `fold` trains only that fold.

    A fold that is finished is not trained again. Raises the errors of `train`.
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
    """A run with parsed options: its recipe, folder, settings and engine."""

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
    # Threads that spin while waiting slow a training down tenfold if anything else runs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    require_extra("train", "training", "torch", "timm", "safetensors")
    from hangtag.training.loop import RunSettings

    recipe = _read_recipe(options).with_joins(options.joins)
    _require_ood(recipe, options.negatives)
    _require_teachers(recipe, options.teachers, folds)
    folder = options.run or Path("runs") / recipe.name
    if folds is not None and options.figures_of is not None:
        raise UsageError(
            "folds hold photos out of the training", where="`on_everything`", fix="Leave `folds` out."
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
        raise UsageError("the recipe has no [ood] section, which negatives need", where="`negatives`")


def _require_teachers(recipe: "Recipe", teachers: Sequence[Path], folds: int | None) -> None:
    distillation = recipe.distillation
    if teachers and distillation is None:
        raise UsageError("the recipe has no [distillation] section, which a teacher needs", where="`teacher`")
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
    """Refuse to overwrite a training. Discard the files of one without a checkpoint, unless it is resumed."""
    from hangtag.training.data import discard_pixels

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
        discard_pixels(run.folder / "pixels")


def _read_weights(recipe: "Recipe", given: str | None) -> "Weights | None":
    """Read the backbone's initial weights, so that errors come early; None for random weights."""
    if (given is None and not recipe.network.pretrained) or given == NO_WEIGHTS:
        return None
    from hangtag.networks.pretrained import read_weights

    return read_weights(recipe.network.architecture, None if given is None else Path(given))


@dataclass(frozen=True, slots=True)
class _Data:
    """The open catalogues of a run, its split table, and the facts about them for the card."""

    prepared: _Prepared
    main: Catalogue
    sets: Mapping[str, Catalogue]
    table: "pa.Table"
    facts: Mapping[str, Any]
    twin: "Card | None" = None

    def train(self, rows: "pa.Table", folder: Path) -> TrainResult:
        """Train with a split table in a folder."""
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
    """Open the catalogue and the joined sets, and make or read the split table."""
    from hangtag.training.joining import drop_suspects, read_suspects
    from hangtag.training.rows import limit_rows

    options = prepared.options
    folder = prepared.settings.folder
    with ExitStack() as stack:
        main = stack.enter_context(open_catalogue(options.catalogue))
        sets = {name: stack.enter_context(_open_set(name, options)) for name in prepared.recipe.joins}
        for part in (main, *sets.values()):
            refuse_among_photos("run", folder, list_photo_folders(part))
        folder.mkdir(parents=True, exist_ok=True)
        recipe, table = _split(main, prepared)
        twin = None if options.figures_of is None else _read_twin(options.figures_of, recipe)
        if options.limit is not None:
            table = limit_rows(table, options.limit, recipe.seed, recipe.columns)
        facts = {
            **_describe(main, table),
            "joined": list(sets),
            "weights": options.weights and Path(options.weights).name,
        }
        if corrections := read_facts(table):
            facts["corrections"] = corrections
            prepared.progress.say(f"corrected labels: {corrections['labels']}")
        if options.without_suspects is not None:
            table, forgotten = drop_suspects(table, read_suspects(options.without_suspects))
            facts["without_suspects"] = forgotten
            prepared.progress.say(f"not trained on: {forgotten}")
        yield _Data(replace(prepared, recipe=recipe), main, sets, table, facts, twin)


def _read_twin(bundle: Path, recipe: "Recipe") -> "Card":
    from hangtag.bundle.file import read_card
    from hangtag.training.bundling import require_twin

    twin = read_card(bundle)
    require_twin(recipe, twin)
    return twin


def _open_set(name: str, options: TrainOptions) -> Catalogue:
    """Open a set that a recipe joins: at the given path, or the catalogue's custom set."""
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
    """Read the split table, or make one in the run's folder; a resumed run reuses its own. Labels are corrected.

    Also returns the recipe, with the columns that the catalogue has.
    """
    from hangtag.catalogue.clean import clean_catalogue
    from hangtag.catalogue.split import split_catalogue, write_split
    from hangtag.tables.tables import read_table
    from hangtag.training.joining import fit_recipe

    given, folder = prepared.options.split_table, prepared.settings.folder
    corrections = prepared.options.corrections
    made = folder / "split.parquet"
    if given is None and not (prepared.options.resume and made.exists()):
        clean_catalogue(source, folder)
        cleaned = read_table(folder / "cleaned.parquet")
        facts = None
        if corrections is not None:
            cleaned, facts = correct_labels(cleaned, corrections, source)
        recipe = fit_recipe(prepared.recipe, cleaned, prepared.options.columns)
        table = split_catalogue(cleaned, source, recipe.split)
        write_split(table if facts is None else keep_facts(table, facts), made)
        return recipe, read_table(made)
    table = read_table(given or made)
    if corrections is not None and given is None:
        require_same_corrections(table, corrections)
    elif corrections is not None:
        table = keep_facts(*correct_labels(table, corrections, source))
    return fit_recipe(prepared.recipe, table, prepared.options.columns), table


def _describe(source: Catalogue, table: "pa.Table") -> dict[str, Any]:
    from hangtag.datasets.splits import read_split_facts

    return {"catalogue": source.name, "split": read_split_facts(table)}
