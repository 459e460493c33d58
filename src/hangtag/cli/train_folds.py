"""The option `--folds` of `hangtag train`: one training after the other, then one table."""

from collections.abc import Sequence
from pathlib import Path

import typer

from hangtag.datasets.opening import Catalogue
from hangtag.domain.errors import UsageError
from hangtag.training.folds import FoldPlan, TrainFold, finish_fold, join_folds


def choose_folds(folds: int | None, fold: int | None) -> Sequence[int]:
    """Return the numbers of the folds to train; none where no folds were asked for.

    Raises `UsageError` for a fold that does not exist.
    """
    if folds is None:
        if fold is not None:
            raise UsageError("--fold says which of the --folds to train", fix="Add --folds 5.")
        return ()
    if fold is None:
        return range(1, folds + 1)
    if fold > folds:
        raise UsageError(f"there is no fold {fold} of {folds}")
    return (fold,)


def train_folds(
    plan: FoldPlan, chosen: Sequence[int], run: Path, catalogue: Catalogue, train_fold: TrainFold
) -> None:
    """Finish the chosen folds, and join the predictions once all folds are finished."""
    for fold in chosen:
        typer.echo(f"fold {fold} of {plan.folds}", err=True)
        finish_fold(plan, fold, run, catalogue, train_fold)
    joined = join_folds(plan, run)
    if joined is None:
        typer.echo(f"{run}: finish the other folds, then the predictions are joined")
    else:
        typer.echo(
            f"{joined} written; find suspect labels with it: hangtag check CATALOGUE --labels {joined}"
        )
