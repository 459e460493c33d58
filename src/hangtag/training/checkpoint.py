"""What a run writes after every epoch: its checkpoint, and its history as a table, a plot and for TensorBoard.

The checkpoint is all that a run needs to resume as if it had never stopped: one safetensors file (tensors, no code)
with the rest as JSON in its header. It needs no random state, since every epoch seeds its own generators from the
recipe's seed and the epoch's number.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from hangtag.domain.durable import replacing
from hangtag.domain.errors import TrainingError

History = list[dict[str, float]]


@dataclass(slots=True)
class RunState:
    """The progress of a run, apart from its tensors. `best_*` are used if the recipe has patience."""

    recipe: str
    data: str
    epoch: int = 0
    history: History = field(default_factory=list)
    best_epoch: int = 0
    best_loss: float = float("inf")


def write_checkpoint(path: Path, state: RunState, tensors: Mapping[str, Tensor]) -> None:
    """Write the checkpoint atomically. A run that is killed here keeps the previous epoch's."""
    contiguous = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        save_file(contiguous, temporary, metadata={"state": json.dumps(asdict(state))})


def read_checkpoint(path: Path) -> tuple[RunState, dict[str, Tensor]]:
    """Read a checkpoint. Raises `TrainingError` if the file is not one."""
    try:
        with safe_open(path, framework="pt") as file:
            state: dict[str, Any] = json.loads(file.metadata()["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is not a mapping
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise TrainingError(f"the checkpoint cannot be read ({error})", where=path) from None
    return RunState(**state), tensors


def require_same_run(state: RunState, recipes: Sequence[str], data: str, path: Path) -> None:
    """Raise `TrainingError` if a checkpoint belongs to another recipe or other data.

    `recipes` are the fingerprints of one recipe, by this version of hangtag and by earlier ones.
    """
    for what, before, now in (("recipe", state.recipe, recipes), ("data", state.data, [data])):
        if before not in now:
            raise TrainingError(
                f"the checkpoint was made with a different {what}",
                where=path,
                fix="Leave `resume` out to start again, or choose another folder with `run`.",
            )


def pack_optimiser(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return an optimiser's per-weight state as named tensors."""
    return {
        f"optimiser/{index}/{name}": tensor
        for index, values in state["state"].items()
        for name, tensor in values.items()
    }


def unpack_optimiser(tensors: Mapping[str, Tensor], state: dict[str, Any]) -> dict[str, Any]:
    """Return a fresh optimiser's `state` with the per-weight state that `pack_optimiser` stored."""
    per_weight: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        if key.startswith("optimiser/"):
            _, index, name = key.split("/")
            per_weight.setdefault(int(index), {})[name] = tensor
    return {**state, "state": per_weight}


def write_history(folder: Path, history: History, *, tensorboard: bool = False) -> None:
    """Write `history.csv` and `history.png` atomically and, if requested, the last epoch to `tensorboard/`."""
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
    # importing takes a second, so only trainings do it
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
    """Raise `TrainingError` if TensorBoard is not installed."""
    if find_spec("tensorboard") is None:
        raise TrainingError(
            "TensorBoard is not installed",
            where="`tensorboard`",
            fix="Run `pip install 'hangtag[tensorboard]'`, or leave `tensorboard` out.",
        )


def _write_tensorboard(folder: Path, figures: dict[str, float]) -> None:
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - optional

    with SummaryWriter(str(folder)) as writer:
        for name, value in figures.items():
            writer.add_scalar(name, value, int(figures["epoch"]))
