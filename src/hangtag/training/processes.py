"""Training with several single-threaded processes on this machine, whose gradients are summed.

Threads of one process wait for each other after every layer: if anything else runs on the machine, the slowest one sets
the pace. Processes synchronise once per step. The first of them is the command itself. It starts the others and sends
them their work through standard input; they exit when it closes.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import numpy as np
import torch
from rich.console import Console
from torch import distributed

from hangtag.domain.errors import HangtagError, TrainingError, UsageError
from hangtag.inference.runtime import count_usable_cpus
from hangtag.training.data import Samples, TrainingData
from hangtag.training.loop import RunSettings, TrainedNetwork, train, write_first_checkpoint
from hangtag.training.progress import TrainingProgress
from hangtag.training.recipe import Recipe
from hangtag.training.workers import FEWEST_PHOTOS, ProcessGroup, choose_device

PHOTOS_A_WORKER: Final = 16
"""The default number of photos per worker in a batch. Its batch norms see only these."""

_GROUP_TIMEOUT: Final = timedelta(minutes=30)
"""How long workers wait for each other: the first one also validates and writes."""

_LOOK_EVERY_S: Final = 0.05
_EXIT_GRACE_S: Final = 10.0
"""How long a worker with a lost connection may take to exit: the kernel closes its sockets first."""

_STANDARD_INPUT: Final = 0
_LOOPBACK: Final = {"linux": "lo", "darwin": "lo0"}


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker is sent. The pixels of `data` are not sent; `pixels` has the file of each part."""

    recipe: Recipe
    data: TrainingData
    pixels: Mapping[str, Path]
    settings: RunSettings

    @classmethod
    def of(cls, recipe: Recipe, data: TrainingData, settings: RunSettings) -> "Work":
        """Describe a training whose pixels are in files. Pixels that are not in files are sent."""
        pixels = {}

        def leave_pixels(name: str, samples: Samples) -> Samples:
            if not isinstance(samples.pixels, np.memmap):
                return samples
            pixels[name] = Path(str(samples.pixels.filename))
            return replace(samples, pixels=np.array(samples.pixels[:0]))

        return cls(recipe, _change_samples(data, leave_pixels), pixels, settings)

    def open_data(self) -> TrainingData:
        """Return the data with their pixels. Raises `OSError` if they cannot be read."""

        def open_pixels(name: str, samples: Samples) -> Samples:
            path = self.pixels.get(name)
            return samples if path is None else replace(samples, pixels=np.load(path, mmap_mode="r"))

        return _change_samples(self.data, open_pixels)


def _change_samples(data: TrainingData, change: Callable[[str, Samples], Samples]) -> TrainingData:
    return replace(
        data,
        train=change("train", data.train),
        validation=change("validation", data.validation),
        kept_back={name: change(name, samples) for name, samples in data.kept_back.items()},
    )


def count_workers(recipe: Recipe, settings: RunSettings, workers: int | None) -> int:
    """Return the number of training processes: the requested number, or one per processor of this machine.

    A GPU has one. Unless requested, no worker gets fewer than `PHOTOS_A_WORKER` photos of a batch. Raises `UsageError`
    for more workers than a batch can be divided among.
    """
    batch_size = recipe.optimisation.batch_size
    if workers is not None and workers * FEWEST_PHOTOS > batch_size:
        raise UsageError(
            f"a batch of {batch_size} photos is too small for {workers} workers",
            where="`workers`",
            fix=f"Take at most {batch_size // FEWEST_PHOTOS}, or raise optimisation.batch_size.",
        )
    if workers is not None:
        if workers > 1 and settings.device not in {"auto", "cpu"}:
            raise UsageError(
                f"{workers} processes train on processors, not on {settings.device}",
                where="`workers`",
                fix="Leave `workers` out: a GPU takes one process.",
            )
        return workers
    if settings.threads is not None or choose_device(settings.device).type != "cpu":
        return 1
    return max(1, min(count_usable_cpus(), batch_size // PHOTOS_A_WORKER))


def train_in_processes(
    recipe: Recipe,
    data: TrainingData,
    settings: RunSettings,
    progress: TrainingProgress,
    workers: int | None = None,
) -> TrainedNetwork:
    """Train as `train` does, with several processes. The result depends on their number, and on nothing else.

    Raises the same errors as `train` and `count_workers`, and `TrainingError` if a worker is lost.
    """
    count = count_workers(recipe, settings, workers)
    if count == 1:
        return train(recipe, data, settings, progress)
    settings = replace(settings, folder=settings.folder.resolve(), threads=settings.threads or 1)
    write_first_checkpoint(recipe, data, settings)
    settings = replace(settings, resume=True, weights=None, device="cpu")
    with tempfile.TemporaryDirectory(prefix="hangtag-") as folder:
        meeting = Path(folder) / "meeting"
        places = [(meeting, rank, count) for rank in range(1, count)]
        with _started(places, Work.of(recipe, data, settings)) as others, _joined(meeting, 0, count) as group:
            try:
                return train(recipe, data, replace(settings, group=group), progress)
            except RuntimeError as error:
                if not _any_ended(others):
                    raise
                raise TrainingError(
                    f"a worker was lost ({str(error).splitlines()[0]})",
                    where=settings.folder,
                    fix="Continue with `resume=True`; fewer `workers` take less memory.",
                ) from None


@contextmanager
def _joined(meeting: Path, rank: int, count: int) -> Iterator[ProcessGroup]:
    """Join the group of workers that rendezvous at a file."""
    if sys.platform in _LOOPBACK:  # any other interface would need the host name to be resolved
        os.environ.setdefault("GLOO_SOCKET_IFNAME", _LOOPBACK[sys.platform])
    store = distributed.FileStore(str(meeting), count)  # type: ignore[attr-defined]  # exported, but not in __all__
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=count, timeout=_GROUP_TIMEOUT)
    try:
        yield ProcessGroup(torch.device("cpu"))
    finally:
        distributed.destroy_process_group()


@contextmanager
def _started(places: list[tuple[Path, int, int]], work: Work) -> Iterator[Sequence[subprocess.Popen[bytes]]]:
    """Start the workers, and stop them afterwards in any case. They also exit with this process."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    children: list[subprocess.Popen[bytes]] = []
    try:
        for meeting, rank, count in places:
            command = [sys.executable, "-m", __name__, str(meeting), str(rank), str(count)]
            child = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)  # noqa: S603 - this very module
            children.append(child)
            assert child.stdin is not None  # noqa: S101 - it is a pipe
            with Connection(os.dup(child.stdin.fileno()), readable=False) as pipe, suppress(BrokenPipeError):
                pipe.send(work)  # if it has already exited, the wait below reports it
        _wait_for(children, [_ready_file(meeting, rank) for meeting, rank, _ in places])
        yield children
    finally:
        for child in children:
            child.kill()
        for child in children:
            child.communicate()


def _any_ended(workers: Sequence[subprocess.Popen[bytes]]) -> bool:
    """Return whether a worker has exited, or does so within `_EXIT_GRACE_S`."""
    deadline = time.monotonic() + _EXIT_GRACE_S
    while all(worker.poll() is None for worker in workers):
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_EVERY_S)
    return True


def _ready_file(meeting: Path, rank: int) -> Path:
    return meeting.with_name(f"ready-{rank}")


def _wait_for(children: Sequence[subprocess.Popen[bytes]], ready: Sequence[Path]) -> None:
    """Wait until all workers have their work. Waiting for one at the rendezvous itself could last forever."""
    while not all(path.exists() for path in ready):
        if any(child.poll() is not None for child in children):
            raise TrainingError("a worker ended before it started", fix="Its output above says why.")
        time.sleep(_LOOK_EVERY_S)


def _work(meeting: Path, rank: int, count: int) -> None:
    """Train as one of the workers, until the work is done or the command exits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is handled by the command, which stops its workers
    work: Work = Connection(os.dup(_STANDARD_INPUT), writable=False).recv()
    data = work.open_data()
    threading.Thread(target=_end_with_command, daemon=True).start()
    _ready_file(meeting, rank).touch()
    with _joined(meeting, rank, count) as group, TrainingProgress(Console(quiet=True)) as progress:
        train(work.recipe, data, replace(work.settings, group=group), progress)


def _end_with_command() -> None:
    os.read(_STANDARD_INPUT, 1)  # returns when the command exits, as nothing more is ever sent
    os._exit(1)


if __name__ == "__main__":
    try:
        _work(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    except HangtagError:  # the command meets the same problem and reports it
        sys.exit(1)
