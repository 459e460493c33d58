"""The checkpoint: all that a run needs to resume as if it had never stopped.

It is one safetensors file (tensors, no code) whose header holds the rest as JSON. The random state needs no place in
it: every epoch seeds its own generators from the recipe's seed and the epoch's number.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
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
    """How far a run is, apart from its tensors. `best_*` are used where the recipe has patience."""

    recipe: str
    data: str
    epoch: int = 0
    history: History = field(default_factory=list)
    best_epoch: int = 0
    best_loss: float = float("inf")


def write_checkpoint(path: Path, state: RunState, tensors: Mapping[str, Tensor]) -> None:
    """Write the checkpoint atomically: a run killed here still has the epoch before."""
    contiguous = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        save_file(contiguous, temporary, metadata={"state": json.dumps(asdict(state))})


def read_checkpoint(path: Path) -> tuple[RunState, dict[str, Tensor]]:
    """Read a checkpoint. Raises `TrainingError` when it is none."""
    try:
        with safe_open(path, framework="pt") as file:
            state: dict[str, Any] = json.loads(file.metadata()["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise TrainingError(f"the checkpoint cannot be read ({error})", where=path) from None
    return RunState(**state), tensors


def require_same_run(state: RunState, recipes: Sequence[str], data: str, path: Path) -> None:
    """Raise `TrainingError` when a checkpoint belongs to none of the recipes, or to other data.

    `recipes` are the fingerprints of one recipe: by this version of hangtag, and by those before.
    """
    for what, before, now in (("recipe", state.recipe, recipes), ("data", state.data, [data])):
        if before not in now:
            raise TrainingError(
                f"the checkpoint was made with another {what}",
                where=path,
                fix="Train without --resume to start anew, or in another run folder.",
            )


def pack_optimiser(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return an optimiser's per-weight state as named tensors."""
    return {
        f"optimiser/{index}/{name}": tensor
        for index, values in state["state"].items()
        for name, tensor in values.items()
    }


def unpack_optimiser(tensors: Mapping[str, Tensor], state: dict[str, Any]) -> dict[str, Any]:
    """Return `state` (of a fresh optimiser) with the per-weight state that `pack_optimiser` named."""
    per_weight: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        if key.startswith("optimiser/"):
            _, index, name = key.split("/")
            per_weight.setdefault(int(index), {})[name] = tensor
    return {**state, "state": per_weight}
