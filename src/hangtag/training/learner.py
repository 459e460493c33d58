"""The network under training: its weights, their moving average, the optimiser, one step, one validation."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from hangtag.domain.errors import TrainingError
from hangtag.networks.multihead import HeadedNetwork, Normalise
from hangtag.training.augmentation import augment
from hangtag.training.checkpoint import pack_optimiser, unpack_optimiser
from hangtag.training.data import UNKNOWN, Samples
from hangtag.training.losses import Losses, soft_name
from hangtag.training.recipe import Recipe
from hangtag.training.recipe_sections import OptimisationRecipe
from hangtag.training.workers import SINGLE_PROCESS, WorkerGroup

Targets = Mapping[str, Tensor]
_VALIDATION_BATCH = 256


class Learner:
    """Trains a network on batches to minimise `losses`. In a `group`, it trains on its part of every batch."""

    def __init__(
        self,
        recipe: Recipe,
        normalise: Normalise,
        network: HeadedNetwork,
        losses: Losses,
        group: WorkerGroup = SINGLE_PROCESS,
    ) -> None:
        self.recipe = recipe
        self.augmentation = recipe.augmentation
        self.size = 1.0
        self.group = group
        self.normalise = normalise.to(group.device)
        self.network = network.to(group.device).to(memory_format=torch.channels_last)
        self.losses = losses.to(group.device)
        averaging = partial(_average_weights, recipe.optimisation.ema_decay)
        self.average = AveragedModel(self.network, multi_avg_fn=averaging, use_buffers=True)
        self.optimiser = _build_optimiser(self.network, recipe.optimisation)

    @property
    def result(self) -> HeadedNetwork:
        """The network to validate and export: the averaged one if the recipe averages."""
        averaged = self.average.module if self.recipe.optimisation.ema_decay else self.network
        assert isinstance(averaged, HeadedNetwork)  # noqa: S101 - it is a copy of self.network
        return averaged

    def begin_epoch(self, epoch: int) -> None:
        """Apply the recipe's freezing and augmentation for this epoch, counted from 1."""
        self.augmentation = self.recipe.augmentation
        self.size = self.augmentation.small_size if epoch <= self.augmentation.small_epochs else 1.0
        if epoch > self.recipe.optimisation.epochs - self.augmentation.plain_epochs:
            self.augmentation = self.augmentation.model_copy(update={"plain_share": 1.0})
        schedule = self.recipe.fine_tuning
        if schedule is not None:
            learning = 0 if epoch <= schedule.frozen_epochs else schedule.last_blocks
            self.network.freeze(all_but_last=learning)
            self.result.freeze(all_but_last=learning)  # the average has its own statistics to keep

    def step(
        self, photos: Tensor, targets: Targets, learning_rate: float, generator: torch.Generator
    ) -> tuple[float, float]:
        """Augment one batch of uint8 photos (N, H, W, 3) and learn from it. Return its loss and mean top-1 accuracy.

        Both are NaN, and no step is taken, if no label is known. Raises `TrainingError` if the loss is otherwise not
        finite.
        """
        return self.learn(self.augment(photos, generator), targets, learning_rate)

    def augment(self, photos: Tensor, generator: torch.Generator) -> Tensor:
        """Augment and normalise uint8 photos (N, H, W, 3). Return float (N, 3, H, W), reduced in early epochs."""
        augmented = augment(photos.permute(0, 3, 1, 2).float(), self.augmentation, generator)
        if self.size < 1:
            size = [max(1, round(side * self.size)) for side in augmented.shape[-2:]]
            augmented = functional.interpolate(augmented, size, mode="bilinear", antialias=True)
        normalised: Tensor = self.normalise(augmented.to(self.group.device))
        return normalised

    def learn(self, photos: Tensor, targets: Targets, learning_rate: float) -> tuple[float, float]:
        """Take one optimiser step on normalised photos (N, 3, H, W). Return the loss and mean top-1 accuracy."""
        self.network.train()
        targets = {name: values.to(self.group.device) for name, values in targets.items()}
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        with self._precision():
            logits = self.network(photos)
        loss = self.losses.training(logits, targets, self.group)
        heads = {column: logits[column] for column in self.recipe.columns}
        accuracy = _mean(list(top1_accuracy(heads, targets).values())) / self.group.size
        is_known = float(loss.requires_grad)  # a worker's part, or a whole batch, may have no known label
        whole_loss, whole_accuracy, workers = self.group.sum([loss.item(), accuracy, is_known])
        if not workers:
            return math.nan, math.nan
        if not math.isfinite(whole_loss):
            raise TrainingError(
                f"the loss became {whole_loss}",
                fix="Lower optimisation.peak_learning_rate or gradient_clip.",
            )
        self.optimiser.zero_grad(set_to_none=True)
        if is_known:
            loss.backward()  # type: ignore[no-untyped-call]
        self.group.sum_gradients(self.network)
        if self.recipe.optimisation.gradient_clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.optimisation.gradient_clip)
        self.optimiser.step()
        if self.recipe.optimisation.ema_decay:
            self.average.update_parameters(self.network)
        return whole_loss, whole_accuracy

    @torch.no_grad()
    def measure_batch_norms(self, samples: Samples) -> None:
        """Recompute the batch norms' statistics on unaugmented train photos and without dropout, as in use.

        Dropout in front of a batch norm makes it see a variance that it never meets in use (Li et al. 2019,
        "Understanding the disharmony between dropout and batch normalization by variance shift"). Averaging over many
        batches instead of a moving average follows Wu & Johnson (2021). The recipe gives the number of photos; 0
        disables it. Frozen blocks keep their statistics. In a group, only the first worker measures; without measuring,
        all workers get the mean of their statistics.
        """
        self.group.average_batch_norms(self.network, self.average)
        count = min(self.recipe.optimisation.batch_norm_photos, len(samples))
        norms = self.result.learning_norms()
        if not (count and norms and self.group.is_first):
            return
        momenta = [norm.momentum for norm in norms]
        self.result.eval()
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # average all batches alike
            norm.train()
        spread = np.linspace(0, len(samples) - 1, count).astype(np.int64)
        # All batches count the same, so a small last one would be overweighted.
        for part in np.array_split(spread, math.ceil(count / _VALIDATION_BATCH)):
            [(photos, _)] = iter_batches(samples, part, len(part))
            with self._precision():
                self.result(self._as_served(photos))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum

    def validate(self, samples: Samples) -> tuple[float, dict[str, float]]:
        """Return the mean loss and the top-1 accuracy by column. Validation photos are never augmented."""
        logits = self.answer(samples)
        targets = {column: torch.from_numpy(values) for column, values in samples.targets.items()}
        heads = {column: logits[column] for column in self.recipe.columns}
        return self.losses.validation(heads, targets).item(), top1_accuracy(heads, targets)

    @torch.no_grad()
    def answer(self, samples: Samples) -> dict[str, Tensor]:
        """Return the logits of every output for unaugmented photos."""
        network = self.result.eval()
        logits: dict[str, list[Tensor]] = {name: [] for name in network.heads}
        for photos, _ in iter_batches(samples, np.arange(len(samples)), _VALIDATION_BATCH):
            with self._precision():
                answers = network(self._as_served(photos))
            for column, values in logits.items():
                values.append(answers[column].float().cpu())
        return {column: torch.cat(values) for column, values in logits.items()}

    def tensors(self) -> dict[str, Tensor]:
        """Return all weights and the optimiser's state by name, for a checkpoint."""
        network = {f"network/{name}": tensor for name, tensor in self.network.state_dict().items()}
        average = {f"average/{name}": tensor for name, tensor in self.average.state_dict().items()}
        return network | average | pack_optimiser(self.optimiser.state_dict())

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore the result of `tensors()`."""
        self.network.load_state_dict(_with_prefix(tensors, "network/"))
        self.average.load_state_dict(_with_prefix(tensors, "average/"))
        self.optimiser.load_state_dict(unpack_optimiser(tensors, self.optimiser.state_dict()))

    def _as_served(self, photos: Tensor) -> Tensor:
        normalised: Tensor = self.normalise(photos.permute(0, 3, 1, 2).float().to(self.group.device))
        return normalised

    def _precision(self) -> AbstractContextManager[object]:
        if self.recipe.optimisation.precision == "bfloat16":
            return torch.autocast(
                self.group.device.type, torch.bfloat16, enabled=_has_bfloat16(self.group.device)
            )
        return nullcontext()


def iter_batches(
    samples: Samples,
    order: npt.NDArray[np.int64],
    batch_size: int,
    part_of: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.int64]] = SINGLE_PROCESS.part_of,
) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Yield a worker's part of each batch: photos uint8 (N, H, W, 3) and targets by column, soft ones by `soft_name`.

    A last batch of one photo is skipped: batch norm needs two.
    """
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        if len(batch) > 1 or len(order) == 1:
            chosen = part_of(batch)
            targets = {column: torch.from_numpy(values[chosen]) for column, values in samples.targets.items()}
            soft = {
                soft_name(column): torch.from_numpy(rows[chosen]) for column, rows in samples.soft.items()
            }
            yield torch.from_numpy(samples.pixels[chosen]), targets | soft


def top1_accuracy(logits: Mapping[str, Tensor], targets: Targets) -> dict[str, float]:
    """Return the share of known labels that are the top class, by column; NaN if no label is known."""
    shares = {}
    for column, values in logits.items():
        known = targets[column] != UNKNOWN
        right = (values.argmax(dim=1) == targets[column])[known]
        shares[column] = right.float().mean().item()
    return shares


def learning_rate_at(step: int, total_steps: int, recipe: OptimisationRecipe) -> float:
    """Return the learning rate of a step: a linear warm-up, then constant or a half cosine to zero.

    The cosine schedule is Loshchilov & Hutter's (2017).
    """
    warmup = max(1, round(recipe.warmup_share * total_steps))
    if step < warmup:
        return recipe.peak_learning_rate * (step + 1) / warmup
    if recipe.schedule == "constant":
        return recipe.peak_learning_rate
    progress = (step - warmup) / max(1, total_steps - warmup)
    return recipe.peak_learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def ema_decay_at(step: int, decay: float) -> float:
    """Return the weight of the previous average in a step, counted from 0.

    It grows from a tenth to `decay`. With `decay` from the first step on, a short training would end with mostly its
    initial weights: with 0.998, 37 % of them remain after 500 steps.
    """
    return min(decay, (1 + step) / (10 + step))


def _average_weights(
    decay: float, averaged: Sequence[Tensor], current: Sequence[Tensor], step: Tensor
) -> None:
    """Move the averaged weights towards the current ones; `step` is part of the average's state in a checkpoint."""
    update = get_ema_multi_avg_fn(ema_decay_at(int(step), decay))  # type: ignore[no-untyped-call]
    update(averaged, current, step)


def _build_optimiser(network: nn.Module, recipe: OptimisationRecipe) -> torch.optim.AdamW:
    """Build the optimiser. Weight decay applies only to matrices; biases and batch-norm scales gain nothing from it."""
    matrices = [weight for weight in network.parameters() if weight.ndim > 1]
    vectors = [weight for weight in network.parameters() if weight.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.peak_learning_rate, foreach=True)


def _has_bfloat16(device: torch.device) -> bool:
    """Return whether a device supports bfloat16 natively. On older GPUs it would be slower than float32."""
    return device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)


def _with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
