"""The command `hangtag train`."""

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from hangtag.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from hangtag.datasets.opening import Catalogue
    from hangtag.networks.pretrained import Weights
    from hangtag.training.loop import RunSettings
    from hangtag.training.recipe import Recipe

NO_WEIGHTS: Final = "none"
CUSTOM: Final = "custom"


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
    limit: Annotated[
        int | None,
        typer.Option(min=2, help="Learn from so many train photos, and as large a share of validation."),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="What a pretrained backbone starts from: a .safetensors or .pth file, or none.",
            metavar="FILE",
        ),
    ] = None,
    join: Annotated[
        list[str] | None,
        typer.Option(
            help="Learn from a further set, too: people=own_photos. `custom` alone is the one beside the catalogue.",
            metavar="NAME=PATH",
        ),
    ] = None,
    negatives: Annotated[
        Path | None, typer.Option(help="A folder of photos of no product, for a recipe with a gate.")
    ] = None,
    teacher: Annotated[
        list[Path] | None,
        typer.Option(
            help="A bundle whose answers are learnt, too, by a recipe with a [distillation].", metavar="FILE"
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads for training. Default: torch's choice.")
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write events for TensorBoard.")
    ] = False,
    folds: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Train so many times, each without another part of the photos, and write out-of-fold predictions.",
        ),
    ] = None,
    fold: Annotated[
        int | None, typer.Option(min=1, help="Train this one of the folds only; the others another time.")
    ] = None,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="What trains: this process, or workers on a Ray cluster (extra `ray`)."),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(help="The Ray cluster: auto, or HOST:PORT. Default: one of this machine alone."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="With Ray: workers at most. Default: one for each GPU, or else machine."),
    ] = None,
    without_suspects: Annotated[
        Path | None,
        typer.Option(
            help="Do not learn the labels in suspects.csv of `hangtag check --labels`.", metavar="FILE"
        ),
    ] = None,
) -> None:
    """Train a model from a recipe and export it as a bundle.

    The run's folder holds the cleaned table, the split table, a checkpoint after every epoch, history.csv, a plot,
    and at the end RECIPE.onnx. Ctrl-C loses at most the running epoch; --resume goes on and ends at the same result.

    With --folds the end is out_of_fold.parquet instead, by which `hangtag check --labels` finds suspect labels.
    """
    _require_training()
    from hangtag.cli.train_bundle import Training, choose_engine, train_with_teacher
    from hangtag.cli.train_folds import choose_folds, train_folds
    from hangtag.datasets.opening import open_catalogue
    from hangtag.training.folds import fold_folder, plan_folds
    from hangtag.training.joining import join_photos
    from hangtag.training.loop import RunSettings
    from hangtag.training.rows import limit_rows
    from hangtag.training.suspects import forget_labels, read_suspects

    places = _read_places(join or [])
    chosen = _read_recipe(recipe, epochs, weights).with_joins(places)
    _require_gate(chosen, negatives)
    _require_teachers(chosen, teacher or [], folds)
    folder = run or Path("runs") / chosen.name
    settings = RunSettings(folder, resume=resume, threads=threads, tensorboard=tensorboard)
    chosen_folds, trainer = choose_folds(folds, fold), choose_engine(engine, address, workers)
    for place in [folder] if folds is None else [fold_folder(folder, one) for one in chosen_folds]:
        _begin(replace(settings, folder=place))
    if chosen_folds or not settings.checkpoint.exists():
        settings = replace(settings, weights=_read_weights(chosen, weights))
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        main = stack.enter_context(open_catalogue(catalogue))
        sets = {name: stack.enter_context(_open_set(name, places, catalogue)) for name in chosen.joins}
        table = _split(main, chosen, split_table, settings)
        if limit is not None:
            table = limit_rows(table, limit, chosen.seed)
        facts = {**_facts(main, table), "joined": list(sets), "weights": weights and Path(weights).name}
        if without_suspects is not None:
            table, facts["without_suspects"] = forget_labels(table, read_suspects(without_suspects))
            typer.echo(f"not learnt: {facts['without_suspects']}", err=True)

        def train_once(rows: "pa.Table", place: Path) -> Path:
            join = partial(join_photos, rows, (main, sets), negatives=negatives)
            training = Training(chosen, replace(settings, folder=place), trainer, teacher or (), epochs)
            return train_with_teacher(training, join, facts)

        if folds is not None:
            train_folds(plan_folds(table, chosen, folds), chosen_folds, folder, main, train_once)
            return
        bundle = train_once(table, folder)
    typer.echo(f"{bundle} written; label photos with it: hangtag predict PHOTOS --model {bundle}")


def _require_training() -> None:
    try:
        import torch  # noqa: F401
    except ImportError:
        raise UsageError(
            "training needs the extra `train`", fix="Run `pip install 'hangtag[train]'`."
        ) from None


def _read_recipe(name: str, epochs: int | None, weights: str | None) -> "Recipe":
    from hangtag.networks.registry import require_architecture
    from hangtag.training.recipe import find_recipe, read_recipe

    recipe = read_recipe(find_recipe(name)).with_epochs(epochs)
    require_architecture(recipe.network.architecture)
    return recipe.from_scratch() if weights == NO_WEIGHTS else recipe


def _require_gate(recipe: "Recipe", negatives: Path | None) -> None:
    if negatives is not None and recipe.gate is None:
        raise UsageError("the recipe has no [gate] that could learn from them", where="--negatives")


def _require_teachers(recipe: "Recipe", teachers: list[Path], folds: int | None) -> None:
    distillation = recipe.distillation
    if teachers and distillation is None:
        raise UsageError("the recipe has no [distillation] that could learn from it", where="--teacher")
    if distillation is not None and distillation.teacher is None and not teachers:
        raise UsageError(
            "the recipe has a [distillation], and nothing says who teaches",
            where="--teacher",
            fix="Name a bundle with --teacher FILE, or in the section a recipe as its teacher.",
        )
    if teachers and folds is not None:
        raise UsageError(
            "a teacher that has seen a fold's photos would tell what out-of-fold predictions must not know",
            where="--teacher",
            fix="Leave --teacher or --folds out.",
        )


def _begin(settings: "RunSettings") -> None:
    """Refuse to overwrite a training; of one that died before its first checkpoint, take nothing unless resumed."""
    from hangtag.cli.train_bundle import TEACHER
    from hangtag.training.data import forget_pixels

    if settings.resume:
        return
    runs = (settings, replace(settings, folder=settings.folder / TEACHER))
    for run in runs:
        if run.checkpoint.exists():
            raise UsageError(
                "there is a training here already",
                where=run.folder,
                fix="Go on with --resume, choose another folder with --run, or delete this one.",
            )
    for run in runs:
        forget_pixels(run.folder / "pixels")


def _read_weights(recipe: "Recipe", given: str | None) -> "Weights | None":
    """Read what the backbone starts from, before hours of work: None where that is random weights."""
    if (given is None and not recipe.network.pretrained) or given == NO_WEIGHTS:
        return None
    from hangtag.networks.pretrained import read_weights

    return read_weights(recipe.network.architecture, None if given is None else Path(given))


def _read_places(given: list[str]) -> dict[str, Path | None]:
    """Read where further sets are: by name, None for the custom set beside the catalogue."""
    places: dict[str, Path | None] = {}
    for text in given:
        name, _, path = text.partition("=")
        if not path and name != CUSTOM:
            raise UsageError(f"where is {name!r}?", where="--join", fix=f"Write {name}=PATH.")
        places[name] = Path(path) if path else None
    return places


def _open_set(name: str, places: "Mapping[str, Path | None]", catalogue: Path) -> "Catalogue":
    """Open a set that a recipe joins: where the run was told it is, or the custom set beside the catalogue."""
    from hangtag.datasets.opening import open_catalogue, open_custom_set

    place = places.get(name)
    if place is not None:
        return open_catalogue(place)
    found = open_custom_set(catalogue) if name == CUSTOM else None
    if found is None:
        raise UsageError(
            f"the recipe joins the set {name!r}, and nothing says where it is",
            where=catalogue if name == CUSTOM else "--join",
            fix=f"Name it with --join {name}=PATH, make a custom set with `hangtag custom`, or remove it from `joins`.",
        )
    return found


def _split(
    source: "Catalogue", recipe: "Recipe", split_table: Path | None, settings: "RunSettings"
) -> "pa.Table":
    """Read the split table, or make one in the run's folder; a resumed run finds the one that it began with."""
    from hangtag.catalogue.clean import clean_catalogue
    from hangtag.catalogue.split import split_catalogue
    from hangtag.catalogue.split_report import write_split
    from hangtag.tables.tables import read_table

    folder = settings.folder
    made = folder / "split.parquet"
    if split_table is None and not (settings.resume and made.exists()):
        clean_catalogue(source, folder)
        write_split(split_catalogue(read_table(folder / "cleaned.parquet"), source, recipe.split), made)
    return read_table(split_table or made)


def _facts(source: "Catalogue", table: "pa.Table") -> dict[str, Any]:
    from hangtag.datasets.splits import read_split_facts

    return {"catalogue": source.name, "split": read_split_facts(table)}
