"""The command `hangtag train`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hangtag.cli.help import MORE
from hangtag.domain.errors import UsageError

if TYPE_CHECKING:
    from hangtag.pipelines.train import FoldsResult
    from hangtag.pipelines.train_bundle import TrainResult


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
    resume: Annotated[bool, typer.Option("--resume", help="Resume after the last finished epoch.")] = False,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Change a value of the recipe: optimisation.peak_learning_rate=0.001; repeatable.",
            metavar="KEY=VALUE",
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Train this many epochs instead of the recipe's.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=2, help="Learn from so many train photos, and as large a share of validation."),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            help="Learn these columns. Default: those of the recipe that the catalogue has.",
            metavar="NAME",
            rich_help_panel=MORE,
        ),
    ] = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"],
        typer.Option(help="What computes. auto: a GPU where there is one.", rich_help_panel=MORE),
    ] = "auto",
    on_everything: Annotated[
        bool,
        typer.Option(
            "--on-everything",
            help="Learn the validation and test photos, too. Needs --figures-of.",
            rich_help_panel=MORE,
        ),
    ] = False,
    figures_of: Annotated[
        Path | None,
        typer.Option(
            help="The measured bundle of this recipe, whose figures the card states.",
            metavar="FILE",
            rich_help_panel=MORE,
        ),
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
            rich_help_panel=MORE,
        ),
    ] = None,
    negatives: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder of photos of no product, for a recipe with [ood]; repeatable.",
            rich_help_panel=MORE,
        ),
    ] = None,
    teacher: Annotated[
        list[Path] | None,
        typer.Option(
            help="A bundle whose answers are learnt, too, by a recipe with a [distillation].",
            metavar="FILE",
            rich_help_panel=MORE,
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Train in one process of so many threads; with --workers, of each.",
            rich_help_panel=MORE,
        ),
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write events for TensorBoard.", rich_help_panel=MORE)
    ] = False,
    folds: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Train so many times, each without another part of the photos, and write out-of-fold predictions.",
            rich_help_panel=MORE,
        ),
    ] = None,
    fold: Annotated[
        int | None,
        typer.Option(
            min=1, help="Train this one of the folds only; the others another time.", rich_help_panel=MORE
        ),
    ] = None,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(
            help="What trains: this machine, or workers on a Ray cluster (extra `ray`).", rich_help_panel=MORE
        ),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            help="The Ray cluster: auto, or HOST:PORT. Default: one of this machine alone.",
            rich_help_panel=MORE,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes that train together. Default: one for each processor; with Ray, for each GPU or machine.",
            rich_help_panel=MORE,
        ),
    ] = None,
    without_suspects: Annotated[
        Path | None,
        typer.Option(
            help="Do not learn the labels in suspects.csv of `hangtag check --labels`.",
            metavar="FILE",
            rich_help_panel=MORE,
        ),
    ] = None,
) -> None:
    """Train a model from a recipe and export it as a bundle.

    The run's folder holds the cleaned table, the split table, a checkpoint after every epoch, history.csv, a plot,
    and at the end RECIPE.onnx. Ctrl-C loses at most the running epoch; --resume continues and ends at the same result.

    With --folds the end is out_of_fold.parquet instead, by which `hangtag check --labels` finds suspect labels.
    """
    from hangtag.cli.console import TerminalProgress
    from hangtag.pipelines.train import TrainOptions, run_folds, run_training

    if fold is not None and folds is None:
        raise UsageError("--fold says which of the --folds to train", fix="Add --folds 5.")
    if on_everything == (figures_of is None):
        raise UsageError(
            "a model that learns everything has no photos left to be measured on"
            if on_everything
            else "--figures-of is for a model that learns everything",
            where="--on-everything",
            fix="Name the measured bundle of the same recipe with --figures-of FILE, together with --on-everything.",
        )
    options = TrainOptions(
        recipe=recipe,
        catalogue=catalogue,
        run=run,
        changes=_read_changes(changes or []),
        epochs=epochs,
        split_table=split_table,
        limit=limit,
        columns=[name.strip() for text in columns or [] for name in text.split(",")],
        figures_of=figures_of,
        device=device,
        resume=resume,
        weights=weights,
        joins=_read_joins(join or []),
        negatives=negatives or (),
        teachers=teacher or (),
        without_suspects=without_suspects,
        threads=threads,
        tensorboard=tensorboard,
        engine=engine,
        address=address,
        workers=workers,
    )
    with TerminalProgress() as progress:
        if folds is None:
            _print_result(run_training(options, progress))
        else:
            _print_folds(run_folds(options, folds, fold, progress), catalogue)


def _read_changes(given: list[str]) -> dict[str, object]:
    """Read what --set changes in the recipe: values as TOML writes them, or else text without its quotes."""
    import tomllib

    changes: dict[str, object] = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not (name.strip() and separator):
            raise UsageError(
                f"{text!r} names no value", where="--set", fix="Write --set optimisation.epochs=3."
            )
        try:
            changes[name.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            changes[name.strip()] = value.strip()
    return changes


def _read_joins(given: list[str]) -> dict[str, Path | None]:
    """Read where further sets are: by name, None for the custom set beside the catalogue."""
    from hangtag.pipelines.train import CUSTOM

    places: dict[str, Path | None] = {}
    for text in given:
        name, _, path = text.partition("=")
        if not path and name != CUSTOM:
            raise UsageError(f"where is {name!r}?", where="--join", fix=f"Write {name}=PATH.")
        places[name] = Path(path) if path else None
    return places


def _print_result(result: "TrainResult") -> None:
    _print_reports(result)
    typer.echo(
        f"{result.bundle} written; label photos with it: hangtag predict PHOTOS --model {result.bundle}"
    )


def _print_reports(result: "TrainResult") -> None:
    from hangtag.cli.console import open_console
    from hangtag.evaluation.report import print_report

    if result.teacher is not None:
        _print_reports(result.teacher)
    console = open_console()
    for report in result.reports:
        print_report(console, report)
    for column, cost in result.bf16_costs.items():
        typer.echo(f"bf16 on validation: {column} loses {cost.lost_points:+.2f} points", err=True)
    typer.echo(f"precisions that may be chosen: {', '.join(result.precisions)}", err=True)


def _print_folds(found: "FoldsResult", catalogue: Path) -> None:
    for fold, result in found.results.items():
        typer.echo(f"fold {fold}:")
        _print_reports(result)
    if found.table is None:
        typer.echo(f"{found.folder}: finish the other folds, then the predictions are joined")
    else:
        check = shlex.join(["hangtag", "check", str(catalogue), "--labels", str(found.table)])
        typer.echo(f"{found.table} written; find suspect labels with it: {check}")
