"""Workers that train one network together: each takes a part of every batch, and all take the same step.

A worker's loss is normalised by the labels of the whole batch, so the sum of the workers' gradients is exactly the
gradient of the batch, however it was divided. `WorkerGroup` is the interface, and itself a group of one.
"""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, distributed, nn

from hangtag.domain.errors import UsageError

FEWEST_PHOTOS: Final = 2
"""The smallest part of a batch: batch norm needs two photos."""


Device = Literal["auto", "cpu", "cuda", "mps"]
"""The device to train on; `auto` uses a GPU if there is one."""


def choose_device(name: str) -> torch.device:
    """Return the device to train on. Raises `UsageError` if this machine does not have it."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, is_there in there.items() if is_there))
    if not there.get(name):
        raise UsageError(
            f"torch finds no device {name!r} here",
            where="`device`",
            fix=f"It finds {', '.join(kind for kind, is_there in there.items() if is_there)}.",
        )
    return torch.device(name)


class WorkerGroup:
    """A group of one worker, whose part is the whole batch. It computes on `device`."""

    rank: int = 0
    size: int = 1

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = torch.device("cpu") if device is None else device

    @property
    def is_first(self) -> bool:
        """Whether this worker validates and writes files."""
        return self.rank == 0

    def part_of(self, batch: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return this worker's part of a batch of positions."""
        return batch

    def sum(self, values: Sequence[float]) -> list[float]:
        """Return each value summed over the workers."""
        return list(values)

    def sum_gradients(self, network: nn.Module) -> None:
        """Sum the gradients of the workers, in place."""

    def average_batch_norms(self, *networks: nn.Module) -> None:
        """Give all workers the mean of their batch-norm statistics, in place."""


SINGLE_PROCESS: Final = WorkerGroup()


class ProcessGroup(WorkerGroup):
    """The processes of an existing torch process group. Each computes on its own device."""

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self.rank = distributed.get_rank()
        self.size = distributed.get_world_size()

    def part_of(self, batch: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return an equal part of a batch. If it is too small to be divided, return all of it.

        A batch that every worker takes whole counts several times in every sum, and so does not distort the means.
        """
        if len(batch) < FEWEST_PHOTOS * self.size:
            return batch
        return np.array_split(batch, self.size)[self.rank]

    def sum(self, values: Sequence[float]) -> list[float]:
        """Return each value summed over the workers."""
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(total)
        summed: list[float] = total.tolist()
        return summed

    def sum_gradients(self, network: nn.Module) -> None:
        """Sum the gradients of the workers in one message.

        A weight keeps no gradient, so that the optimiser skips it, only if no worker has one.
        """
        weights = [weight for weight in network.parameters() if weight.requires_grad]
        gradients = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
        known = torch.tensor([float(weight.grad is not None) for weight in weights], device=self.device)
        *summed, known = _all_reduce([*gradients, known])
        for weight, gradient, workers in zip(weights, summed, known.tolist(), strict=True):
            weight.grad = gradient if workers else None

    def average_batch_norms(self, *networks: nn.Module) -> None:
        """Give all workers the mean of the floating-point buffers, in place."""
        buffers = [
            buffer for network in networks for buffer in network.buffers() if buffer.is_floating_point()
        ]
        if buffers:
            for buffer, summed in zip(buffers, _all_reduce(buffers), strict=True):
                buffer.copy_(summed / self.size)


def _all_reduce(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return each tensor summed over the workers, in its own shape and memory format."""
    together = torch.cat([tensor.flatten() for tensor in tensors])
    distributed.all_reduce(together)
    parts = together.split([tensor.numel() for tensor in tensors])  # type: ignore[no-untyped-call]
    return [
        torch.empty_like(tensor).copy_(part.view(tensor.shape))
        for tensor, part in zip(tensors, parts, strict=True)
    ]
