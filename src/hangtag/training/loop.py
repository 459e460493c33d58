"""The training loop, read from top to bottom."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hangtag.domain.errors import TrainingError
from hangtag.domain.interrupts import deferring_interrupts
from hangtag.networks.multihead import ServedNetwork
from hangtag.networks.pretrained import Weights
from hangtag.networks.registry import build_network
from hangtag.training.checkpoint import (
    History,
    RunState,
    read_checkpoint,
    require_same_run,
    require_tensorboard,
    write_checkpoint,
    write_history,
)
from hangtag.training.data import OOD_OUTPUT, TrainingData
from hangtag.training.learner import Learner, iter_batches, learning_rate_at
from hangtag.training.losses import Losses
from hangtag.training.progress import TrainingProgress, say
from hangtag.training.recipe import Recipe
from hangtag.training.workers import Device, WorkerGroup, choose_device

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The files of a run, the resources that it uses, and the initial weights of its backbone.

    `group` are the workers that train together, each of which calls `train`; the first of them validates and writes.
    Without one, this process trains on `device`. Raises `UsageError` for a missing device, and `TrainingError` if
    TensorBoard is not installed.
    """

    folder: Path
    resume: bool = False
    threads: int | None = None
    tensorboard: bool = False
    weights: Weights | None = None
    group: WorkerGroup | None = None
    device: Device = "auto"

    def __post_init__(self) -> None:
        choose_device(self.device)
        if self.tensorboard:
            require_tensorboard()

    @property
    def checkpoint(self) -> Path:
        """The checkpoint file, rewritten after every epoch."""
        return self.folder / "checkpoint.safetensors"


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """The result of training: the network in evaluation mode, and the history."""

    network: ServedNetwork
    history: History


def train(
    recipe: Recipe,
    data: TrainingData,
    settings: RunSettings,
    progress: TrainingProgress,
    clock: Clock = time.perf_counter,
) -> TrainedNetwork:
    """Train a network. Write a checkpoint and the history after every epoch.

    If it is stopped at any moment and called again with `resume`, the weights are the same as without the stop.

    Raises `TrainingError` if the loss is not finite, or if the checkpoint is for another recipe or other data.
    """
    settings.folder.mkdir(parents=True, exist_ok=True)
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    group = settings.group or WorkerGroup(choose_device(settings.device))
    if group.is_first and group.device.type != "cpu":
        say(f"training on {_describe_device(group.device)}")
    with torch.random.fork_rng():
        learner = _build_learner(recipe, data, settings, group)
        state, best = _start_or_resume(recipe, data, settings, learner)
        progress.start(state.epoch, recipe.optimisation.epochs, _steps_per_epoch(recipe, data))
        for epoch in range(state.epoch + 1, recipe.optimisation.epochs + 1):
            if _has_lost_patience(state, recipe):
                break
            figures = _train_epoch(epoch, data, learner, progress, clock)
            state.epoch = epoch
            state.history.append(figures)
            if figures["validation_loss"] < state.best_loss:
                state.best_epoch, state.best_loss = epoch, figures["validation_loss"]
                best = _best_tensors(learner, recipe)
            if group.is_first:
                _save(settings, state, learner.tensors() | best)
                progress.finish_epoch(figures)
    network = learner.result
    if best:
        network.load_state_dict({name.removeprefix("best/"): tensor for name, tensor in best.items()})
    return TrainedNetwork(ServedNetwork(learner.normalise, network).cpu().eval(), state.history)


def write_first_checkpoint(recipe: Recipe, data: TrainingData, settings: RunSettings) -> None:
    """Write the checkpoint of a run that has not trained yet, so that all workers begin with the same weights.

    With `resume`, an existing checkpoint stays unchanged. Raises `TrainingError` if it is from another run.
    """
    settings.folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        learner = _build_learner(recipe, data, settings, WorkerGroup())
        state, best = _start_or_resume(recipe, data, settings, learner)
    write_checkpoint(settings.checkpoint, state, learner.tensors() | best)


def _build_learner(recipe: Recipe, data: TrainingData, run: RunSettings, group: WorkerGroup) -> Learner:
    torch.manual_seed(recipe.seed)
    class_counts = {column: len(data.classes[column]) for column in recipe.columns}
    if recipe.ood:
        class_counts[OOD_OUTPUT] = 1
    settings = recipe.network
    size = (recipe.preprocessing.height, recipe.preprocessing.width)
    normalise, network = build_network(
        settings.architecture, class_counts, size, dropout=settings.dropout, weights=run.weights
    )
    network.tap(settings.tapped)
    return Learner(recipe, normalise, network, Losses.from_recipe(recipe, data), group)


def _describe_device(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _start_or_resume(
    recipe: Recipe, data: TrainingData, settings: RunSettings, learner: Learner
) -> tuple[RunState, dict[str, Tensor]]:
    if not (settings.resume and settings.checkpoint.exists()):
        return RunState(recipe.training_fingerprint(), data.run_fingerprint), {}
    state, tensors = read_checkpoint(settings.checkpoint)
    recipes = (recipe.training_fingerprint(), recipe.former_fingerprint())
    require_same_run(state, recipes, data.run_fingerprint, settings.checkpoint)
    learner.load_tensors(tensors)
    return state, {name: tensor for name, tensor in tensors.items() if name.startswith("best/")}


def _train_epoch(
    epoch: int, data: TrainingData, learner: Learner, progress: TrainingProgress, clock: Clock
) -> dict[str, float]:
    """Train one epoch and validate. All randomness is seeded by the recipe's seed and the epoch's number."""
    recipe, group = learner.recipe, learner.group
    # All workers use the same order; the augmentation of each is its own.
    order_seed, *torch_seeds = np.random.SeedSequence([recipe.seed, epoch]).generate_state(1 + group.size)
    torch_seed = torch_seeds[group.rank]
    order = np.random.default_rng(order_seed).permutation(_positions_of_epoch(recipe, data))
    torch.manual_seed(int(torch_seed))
    generator = torch.Generator().manual_seed(int(torch_seed))
    learner.begin_epoch(epoch)
    steps = _steps_per_epoch(recipe, data)
    started, seen = clock(), 0
    losses, accuracies = [], []
    batch_size = recipe.optimisation.batch_size
    for step, (photos, targets) in enumerate(iter_batches(data.train, order, batch_size, group.part_of)):
        rate = _learning_rate(recipe, epoch, step, steps)
        try:
            loss, accuracy = learner.step(photos, targets, rate, generator)
        except TrainingError as error:
            raise TrainingError(
                error.problem, where=f"epoch {epoch}, step {step + 1}", fix=error.fix
            ) from None
        seen = min((step + 1) * batch_size, len(order))
        losses.append(loss)
        accuracies.append(accuracy)
        progress.finish_step(step + 1, seen / (clock() - started), loss)
    trained = clock() - started
    learner.measure_batch_norms(data.train)
    validated = _validate(data, learner) if group.is_first else {"validation_loss": 0.0}
    [validated["validation_loss"]] = group.sum([validated["validation_loss"]])
    return {
        "epoch": epoch,
        "learning_rate": rate,
        "train_loss": float(np.nanmean(losses)),
        "train_top1_accuracy": float(np.nanmean(accuracies)),
        **validated,
        "images_per_s": seen / trained,
        "seconds": clock() - started,
    }


def _validate(data: TrainingData, learner: Learner) -> dict[str, float]:
    loss, accuracies = learner.validate(data.validation)
    return {
        "validation_loss": loss,
        "validation_top1_accuracy": float(np.nanmean(list(accuracies.values()))),
        **{f"validation_{column}_top1_accuracy": value for column, value in accuracies.items()},
        **_validate_elsewhere(data, learner),
    }


def _validate_elsewhere(data: TrainingData, learner: Learner) -> dict[str, float]:
    """Return the network's accuracy on the held-out photos of joined sets, and the share that would be flagged.

    The flagging threshold is, for now, the score that one in fifty validation photos exceeds.
    """
    figures: dict[str, float] = {}
    for name, samples in data.kept_back.items():
        accuracies = learner.validate(samples)[1]
        known = {column: value for column, value in accuracies.items() if not math.isnan(value)}
        figures |= {f"{name}_{column}_top1_accuracy": value for column, value in known.items()}
    if learner.recipe.ood:
        threshold = torch.quantile(learner.answer(data.validation)[OOD_OUTPUT][:, 0], 0.98)
        for name, samples in data.kept_back.items():
            flagged = learner.answer(samples)[OOD_OUTPUT][:, 0] > threshold
            figures[f"{name}_flagged_share"] = flagged.float().mean().item()
    return figures


def _learning_rate(recipe: Recipe, epoch: int, step: int, steps: int) -> float:
    schedule = recipe.fine_tuning
    if schedule is not None and schedule.last_blocks and epoch > schedule.frozen_epochs:
        return schedule.learning_rate
    optimisation = recipe.optimisation
    return learning_rate_at((epoch - 1) * steps + step, optimisation.epochs * steps, optimisation)


def _positions_of_epoch(recipe: Recipe, data: TrainingData) -> npt.NDArray[np.int64]:
    """Return the train photos that an epoch shows: each once, those of joined sets as often as the recipe says."""
    return np.concatenate([np.arange(len(data.train)), np.repeat(data.joined, recipe.joining.repeats - 1)])


def _steps_per_epoch(recipe: Recipe, data: TrainingData) -> int:
    full, rest = divmod(len(_positions_of_epoch(recipe, data)), recipe.optimisation.batch_size)
    return full + (rest > 1)


def _save(settings: RunSettings, state: RunState, tensors: Mapping[str, Tensor]) -> None:
    with deferring_interrupts():  # so that checkpoint and history are of the same epoch
        write_checkpoint(settings.checkpoint, state, tensors)
        write_history(settings.folder, state.history, tensorboard=settings.tensorboard)


def _has_lost_patience(state: RunState, recipe: Recipe) -> bool:
    patience = recipe.optimisation.patience
    return patience > 0 and state.epoch - state.best_epoch >= patience


def _best_tensors(learner: Learner, recipe: Recipe) -> dict[str, Tensor]:
    """Return the best epoch's weights, if the recipe may return to them."""
    if recipe.optimisation.patience == 0:
        return {}
    return {f"best/{name}": tensor.clone() for name, tensor in learner.result.state_dict().items()}


def describe_classes(classes: Mapping[str, tuple[str, ...]]) -> str:
    """List the heads and their sizes on one line: `masterCategory 7, gender 5`."""
    return ", ".join(f"{column} {len(names)}" for column, names in classes.items())
