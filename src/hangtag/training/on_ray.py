"""Training on a Ray cluster. This is the only module of training that imports Ray.

Ray Train places the workers, connects them, stops all of them if one is lost, and restarts as many as the cluster has
room for. The workers run the loop of `loop.py`. They share only the run's folder: the pixels that were decoded before
they started, and the checkpoint, which one of them writes and all of them resume from.
"""

import hashlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
from ray.train.torch import TorchTrainer, get_device
from rich.console import Console

from hangtag.domain.errors import HangtagError, TrainingError, UsageError
from hangtag.training.data import TrainingData
from hangtag.training.loop import RunSettings, TrainedNetwork, train, write_first_checkpoint
from hangtag.training.processes import Work
from hangtag.training.progress import TrainingProgress
from hangtag.training.recipe import Recipe
from hangtag.training.workers import FEWEST_PHOTOS, ProcessGroup

MOST_FAILURES: Final = 10
"""After this many lost workers a run gives up, so that a recurring fault does not keep a cluster busy forever."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Ray cluster by its address (None: start one on this machine), and its maximum number of workers."""

    address: str | None = None
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """The maximum number of training workers, and the resources of each."""

    workers: int
    processors: int
    use_gpu: bool = False


def train_on_ray(
    recipe: Recipe, data: TrainingData, settings: RunSettings, progress: TrainingProgress, cluster: Cluster
) -> TrainedNetwork:
    """Train as `train` does, on the workers of a cluster.

    A run that began on one machine can be resumed on a cluster, and vice versa. The pixels of `data` are in files in
    the run's folder, which all machines of the cluster must see under the same path.

    Raises `UsageError` if there is no such cluster or it has no room for the workers, and `TrainingError` as `train`
    does, or if workers were lost too often.
    """
    settings = replace(settings, folder=settings.folder.resolve())
    write_first_checkpoint(recipe, data, settings)
    with _connected(cluster.address):
        plan = plan_workers([node["Resources"] for node in ray.nodes() if node["Alive"]], cluster, settings)
        _require_enough_photos(plan, recipe)
        _run_workers(Work.of(recipe, data, replace(settings, threads=plan.processors, weights=None)), plan)
    return train(recipe, data, replace(settings, resume=True), progress)  # only the result is left to read


def plan_workers(nodes: Sequence[Mapping[str, float]], cluster: Cluster, settings: RunSettings) -> WorkerPlan:
    """Choose the workers from the resources of each machine: one per GPU, or else one per machine.

    The processors are divided among them, unless the settings give a number of threads. Raises `UsageError` if the
    cluster has no room for them.
    """
    gpus = int(sum(node.get("GPU", 0) for node in nodes))
    unit = "GPU" if gpus else "CPU"
    able = [node for node in nodes if node.get(unit, 0) >= 1]
    workers = cluster.workers or gpus or len(able)
    for processors in [settings.threads] if settings.threads else range(int(_most(able, "CPU")), 0, -1):
        room = sum(int(_room(node, processors, with_gpu=bool(gpus))) for node in able)
        if 0 < workers <= room:
            return WorkerPlan(workers, processors, use_gpu=bool(gpus))
    raise UsageError(
        f"the Ray cluster has no room for {workers or 1} workers: it has {gpus} GPUs and "
        f"{int(sum(node.get('CPU', 0) for node in nodes))} processors on {len(nodes)} machines",
        where="`workers`",
        fix="Ask for fewer, or for fewer `threads` each.",
    )


def _most(nodes: Sequence[Mapping[str, float]], resource: str) -> float:
    return max((node.get(resource, 0) for node in nodes), default=0)


def _room(node: Mapping[str, float], processors: int, *, with_gpu: bool) -> float:
    room = node.get("CPU", 0) // processors
    return min(room, node.get("GPU", 0)) if with_gpu else room


def _require_enough_photos(plan: WorkerPlan, recipe: Recipe) -> None:
    batch_size = recipe.optimisation.batch_size
    if plan.workers * FEWEST_PHOTOS > batch_size:
        raise UsageError(
            f"a batch of {batch_size} photos is too small for {plan.workers} workers",
            where="`workers`",
            fix=f"Take at most {batch_size // FEWEST_PHOTOS}, or raise optimisation.batch_size.",
        )


def _run_workers(work: Work, plan: WorkerPlan) -> None:
    """Run the workers with Ray Train until the training is done, with fewer of them if some are lost."""
    resources = {"CPU": plan.processors, **({"GPU": 1} if plan.use_gpu else {})}
    trainer = TorchTrainer(
        _train_as_worker,
        train_loop_config={"work": work},
        scaling_config=ScalingConfig(
            num_workers=(1, plan.workers),
            use_gpu=plan.use_gpu,
            resources_per_worker=resources,
            placement_strategy="SPREAD",
        ),
        run_config=RunConfig(
            name="ray",
            storage_path=str(work.settings.folder),
            failure_config=FailureConfig(max_failures=MOST_FAILURES, controller_failure_limit=MOST_FAILURES),
        ),
    )
    try:
        with _own_interrupts():
            problem = trainer.fit().return_value
    except TrainingFailedError as error:
        raise TrainingError(
            f"Ray stopped the training ({_last_line(error)})",
            where=work.settings.folder,
            fix="Its output above says why. Continue with `resume=True`.",
        ) from None
    if problem is None:
        raise TrainingError(
            "Ray ended the training before its last epoch", fix="Continue with `resume=True`."
        )
    if problem:
        raise TrainingError(problem)


def _last_line(error: Exception) -> str:
    return next(
        (line.strip() for line in reversed(str(error).splitlines()) if line.strip()), "no reason given"
    )


def _train_as_worker(told: Mapping[str, Work]) -> str:
    """Train as one of the workers. Return the problem that makes the training impossible, or None.

    Such a problem is the same for all workers, and would recur after a restart. Raising would cause one.
    """
    work = told["work"]
    group = ProcessGroup(get_device())
    data = _open_data(work)
    mark = -1 if data is None else _checkpoint_number(work.settings.checkpoint)
    [first] = group.sum([mark if group.is_first else 0])
    [without] = group.sum([mark != first])
    if data is None or without:
        return (
            f"{work.settings.folder}: {without or group.size:.0f} of {group.size} workers do not see the run's folder. "
            "Choose a `run` folder on storage that all machines have under the same path."
        )
    settings = replace(work.settings, resume=True, group=group)
    console = Console(stderr=True, quiet=not group.is_first)
    try:
        with TrainingProgress(console) as progress:
            train(work.recipe, data, settings, progress)
    except HangtagError as error:
        return str(error)
    return ""


def _open_data(work: Work) -> TrainingData | None:
    if not work.settings.checkpoint.is_file():
        return None
    try:
        return work.open_data()
    except OSError:
        return None


def _checkpoint_number(checkpoint: Path) -> int:
    """Return a number that identifies a checkpoint and is exact as a float."""
    return int.from_bytes(hashlib.sha256(checkpoint.read_bytes()).digest()[:6])


@contextmanager
def _connected(address: str | None) -> Iterator[None]:
    """Connect to a cluster, or start one on this machine's processors that is stopped after the training."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no usage is reported
    processors = len(os.sched_getaffinity(0)) if address is None else None
    try:
        ray.init(address=address or "local", num_cpus=processors, include_dashboard=False)
    except Exception as error:  # noqa: BLE001 - Ray raises a plain Exception where a machine is slow to start
        raise UsageError(
            f"no Ray cluster can be reached or started ({_last_line(error)})",
            where="`address`",
            fix="Start one with `ray start --head`, or leave `address` out to use this machine alone.",
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _own_interrupts() -> Iterator[None]:
    """Let Ctrl-C stop the workers, which Ray handles, and then this command as usual."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit:  # Ray raises it when interrupted
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGINT, before)
