"""The history of a run: one row an epoch, as a table, as a plot, and for TensorBoard where it is wanted."""

import csv
from importlib.util import find_spec
from pathlib import Path

from hangtag.domain.durable import replacing
from hangtag.domain.errors import TrainingError
from hangtag.training.checkpoint import History


def write_history(folder: Path, history: History, *, tensorboard: bool = False) -> None:
    """Write `history.csv` and `history.png` atomically, and the last epoch to `tensorboard/` if asked for."""
    _write_csv(folder / "history.csv", history)
    _write_plot(folder / "history.png", history)
    if tensorboard:
        _write_tensorboard(folder / "tensorboard", history[-1])


def _write_csv(path: Path, history: History) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(history[0]))
        writer.writeheader()
        writer.writerows({name: round(value, 6) for name, value in row.items()} for row in history)


def _write_plot(path: Path, history: History) -> None:
    # A second of importing that only a training pays.
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    accuracy, loss = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in history]
    for axis, quantity, title in (
        (accuracy, "top1_accuracy", "Top-1 accuracy, mean of the heads"),
        (loss, "loss", "Loss"),
    ):
        for part, style in (("train", "--"), ("validation", "-")):
            axis.plot(epochs, [row[f"{part}_{quantity}"] for row in history], style, label=part, marker=".")
        axis.set(title=title, xlabel="epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
        axis.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def require_tensorboard() -> None:
    """Raise `TrainingError` where TensorBoard is not installed."""
    if find_spec("tensorboard") is None:
        raise TrainingError(
            "TensorBoard is not installed",
            where="--tensorboard",
            fix="Run `pip install 'hangtag[tensorboard]'`, or leave the option out.",
        )


def _write_tensorboard(folder: Path, figures: dict[str, float]) -> None:
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - optional

    with SummaryWriter(str(folder)) as writer:
        for name, value in figures.items():
            writer.add_scalar(name, value, int(figures["epoch"]))
