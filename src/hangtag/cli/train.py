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
        typer.Option(help="A table from `hangtag split`. Default: split as the recipe says."),
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
        typer.Option(min=2, help="Train on this many photos, and keep the same share of validation photos."),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            help="Train on these columns. Default: those of the recipe that the catalogue has.",
            metavar="NAME",
            rich_help_panel=MORE,
        ),
    ] = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"],
        typer.Option(help="The device to train on. auto: a GPU if there is one.", rich_help_panel=MORE),
    ] = "auto",
    on_everything: Annotated[
        bool,
        typer.Option(
            "--on-everything",
            help="Also train on the validation and test photos. Needs --figures-of.",
            rich_help_panel=MORE,
        ),
    ] = False,
    figures_of: Annotated[
        Path | None,
        typer.Option(
            help="The measured bundle of this recipe; its figures go into the new card.",
            metavar="FILE",
            rich_help_panel=MORE,
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="The weights that a pretrained backbone starts from: a .safetensors or .pth file, or none.",
            metavar="FILE",
        ),
    ] = None,
    join: Annotated[
        list[str] | None,
        typer.Option(
            help="Also train on another set: people=own_photos. `custom` is the catalogue's custom set.",
            metavar="NAME=PATH",
            rich_help_panel=MORE,
        ),
    ] = None,
    negatives: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder of photos that show no product, for a recipe with [ood]; repeatable.",
            rich_help_panel=MORE,
        ),
    ] = None,
    teacher: Annotated[
        list[Path] | None,
        typer.Option(
            help="A bundle to learn from, for a recipe with [distillation]; repeatable.",
            metavar="FILE",
            rich_help_panel=MORE,
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Train in one process with this many threads; with --workers, threads of each worker.",
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
            help="Train this many times, each without a different part of the photos, for out-of-fold predictions.",
            rich_help_panel=MORE,
        ),
    ] = None,
    fold: Annotated[
        int | None,
        typer.Option(min=1, help="Train only this fold, counted from 1.", rich_help_panel=MORE),
    ] = None,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(
            help="Where to train: on this machine, or on a Ray cluster (extra `ray`).", rich_help_panel=MORE
        ),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            help="The Ray cluster: auto, or HOST:PORT. Default: a new one on this machine.",
            rich_help_panel=MORE,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How many processes train together. Default: one per processor; with Ray, one per GPU or machine.",
            rich_help_panel=MORE,
        ),
    ] = None,
    corrections: Annotated[
        Path | None,
        typer.Option(
            help="Labels that people set, in place of the catalogue's: a table from the page, or decisions.",
            metavar="FILE",
            rich_help_panel=MORE,
        ),
    ] = None,
    without_suspects: Annotated[
        Path | None,
        typer.Option(
            help="Ignore the labels in this file: suspects.csv of `hangtag check --labels`.",
            metavar="FILE",
            rich_help_panel=MORE,
        ),
    ] = None,
) -> None:
    """Train a model from a recipe and export it as a bundle.

    The run's folder holds the cleaned table, the split table, a checkpoint after every epoch, history.csv, a plot,
    and at the end RECIPE.onnx. Ctrl-C loses at most the running epoch; --resume continues and ends at the same result.

    With --folds, the result is out_of_fold.parquet, which `hangtag check --labels` uses to find suspect labels.
    """
    from hangtag.cli.console import TerminalProgress
    from hangtag.pipelines.train import TrainOptions, run_folds, run_training

    if fold is not None and folds is None:
        raise UsageError("--fold needs --folds", fix="Add --folds 5.")
    if on_everything == (figures_of is None):
        raise UsageError(
            "a model that is trained on all photos has none left to be measured on"
            if on_everything
            else "--figures-of needs --on-everything",
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
        corrections=corrections,
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
    """Parse the recipe values given with --set: values in TOML syntax, or else text without quotes."""
    import tomllib

    changes: dict[str, object] = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not (name.strip() and separator):
            raise UsageError(
                f"{text!r} has no value", where="--set", fix="Write --set optimisation.epochs=3."
            )
        try:
            changes[name.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            changes[name.strip()] = value.strip()
    return changes


def _read_joins(given: list[str]) -> dict[str, Path | None]:
    """Parse the paths of further sets: by name, None for the custom set next to the catalogue."""
    from hangtag.pipelines.train import CUSTOM

    places: dict[str, Path | None] = {}
    for text in given:
        name, _, path = text.partition("=")
        if not path and name != CUSTOM:
            raise UsageError(f"{name!r} has no path", where="--join", fix=f"Write {name}=PATH.")
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
    typer.echo(f"precisions that auto may choose: {', '.join(result.precisions)}", err=True)


def _print_folds(found: "FoldsResult", catalogue: Path) -> None:
    for fold, result in found.results.items():
        typer.echo(f"fold {fold}:")
        _print_reports(result)
    if found.table is None:
        typer.echo(f"{found.folder}: the predictions are joined once all folds are finished")
    else:
        check = shlex.join(["hangtag", "check", str(catalogue), "--labels", str(found.table)])
        typer.echo(f"{found.table} written; find suspect labels with it: {check}")
