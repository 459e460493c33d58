"""Training on a real Ray cluster of two machines, each a process group of its own on this one."""

import csv
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("ray", reason="the extra `ray` is not installed")

import io

import torch
from ray.cluster_utils import Cluster as MachinesHere
from rich.console import Console

from hangtag.bundle.file import read_card
from hangtag.catalogue.clean import clean_catalogue
from hangtag.catalogue.split import split_catalogue
from hangtag.datasets.opening import open_catalogue
from hangtag.domain.errors import TrainingError
from hangtag.tables.tables import read_table
from hangtag.training.checkpoint import read_checkpoint
from hangtag.training.data import load_training_data
from hangtag.training.loop import RunSettings, train
from hangtag.training.on_ray import Cluster, train_on_ray
from hangtag.training.progress import TrainingProgress
from hangtag.training.recipe import find_recipe, read_recipe

pytestmark = [
    pytest.mark.slow,
    pytest.mark.training,
    pytest.mark.filterwarnings("ignore"),  # Ray's own, of which it has many, are nothing that we could mend
]

PATIENCE_S = 600
ATTEMPTS = 3
MACHINE = {"num_cpus": 1, "include_dashboard": False}


def start_machines():
    """Return a cluster, or None if Ray does not come to stand: its nodes give up when a busy machine delays them."""
    for _ in range(ATTEMPTS):
        cluster = MachinesHere()
        try:
            cluster.add_node(**MACHINE)
            cluster.add_node(**MACHINE)
        except Exception:  # noqa: BLE001 - whatever Ray says, its cluster is not there
            cluster.shutdown()
        else:
            return cluster
    return None


@pytest.fixture(scope="module")
def machines():
    """Two machines with a processor each. The first is the head, which must not go."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        cluster = start_machines()
        if cluster is None:
            pytest.skip("Ray does not come to stand on this machine")
        yield cluster
        cluster.shutdown()


@pytest.fixture
def recipe(tmp_path) -> Path:
    """A network without batch norm and dropout, photos that are not varied: parts add up to the whole."""
    text = find_recipe("basic_cnn").read_text(encoding="utf-8").replace("= 128", "= 32")
    for name, value in (("epochs", "2"), ("batch_size", "8"), ("patience", "0"), ("precision", '"float32"')):
        text, found = re.subn(rf"(?m)^{name} = .*", f"{name} = {value}", text)
        assert found == 1
    path = tmp_path / "basic_cnn.toml"
    path.write_text(text, encoding="utf-8")
    return path


def quiet() -> TrainingProgress:
    return TrainingProgress(Console(file=io.StringIO()))


def load(recipe, catalogue: Path, folder: Path):
    with open_catalogue(catalogue) as source:
        clean_catalogue(source, folder)
        table = split_catalogue(read_table(folder / "cleaned.parquet"), source, recipe.split)
        return load_training_data(table, source, recipe.columns, recipe.preprocessing, folder / "pixels")


def read_epochs(run: Path) -> list[int]:
    try:
        with (run / "history.csv").open(newline="") as file:
            return [int(row["epoch"]) for row in csv.DictReader(file)]
    except FileNotFoundError:
        return []


faults = pytest.mark.skipif(
    "HANGTAG_RAY_FAULTS" not in os.environ,
    reason="takes many minutes of a quiet machine; HANGTAG_RAY_FAULTS=1 runs it",
)


def find_workers(node) -> list[int]:
    """Return the processes of a machine that train."""
    raylet = node.all_processes["raylet"][0].process.pid
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            command = (status.parent / "cmdline").read_text()
        except (OSError, ValueError):
            continue  # it has just ended
        if parent == raylet and "TrainWorker" in command:
            found.append(int(status.parent.name))
    return found


class Saboteur(threading.Thread):
    """Does harm to a run as soon as it has come so many epochs further."""

    def __init__(self, run: Path, harms) -> None:
        super().__init__(daemon=True)
        self.run_folder, self.harms, self.done = run, harms, []

    def run(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        for harm in self.harms:
            target = len(read_epochs(self.run_folder)) + 2
            while len(read_epochs(self.run_folder)) < target:
                if time.monotonic() > deadline:
                    return
                time.sleep(0.02)
            self.done.append((harm(), len(read_epochs(self.run_folder))))


class StopAfterOneEpoch(TrainingProgress):
    """Stops a run as Ctrl-C would."""

    def finish_epoch(self, figures: dict[str, float]) -> None:
        raise KeyboardInterrupt(f"after epoch {figures['epoch']}")


def test_two_workers_go_on_from_one_process_and_end_with_its_weights(
    machines, recipe, tiny_catalogue, tmp_path
):
    run, settings = tmp_path / "run", read_recipe(recipe)
    data = load(settings, tiny_catalogue, run)
    alone = train(settings, data, RunSettings(tmp_path / "alone"), quiet())
    with pytest.raises(KeyboardInterrupt):
        train(settings, data, RunSettings(run), StopAfterOneEpoch(Console(file=io.StringIO())))

    command = [sys.executable, "-m", "hangtag.cli.main", "train", str(recipe), "--resume", "--engine", "ray"]
    command += ["--catalogue", str(tiny_catalogue), "--run", str(run), "--address", machines.address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    assert "basic_cnn.onnx written" in done.stdout
    assert read_epochs(run) == [1, 2]
    card = read_card(run / "basic_cnn.onnx")
    assert card.figure("validation", "heads", "masterCategory", "top1_accuracy") > 0.4
    for mine, theirs in zip(alone.history, card.history, strict=True):
        for figure in ("train_loss", "validation_loss"):
            assert mine[figure] == pytest.approx(theirs[figure], rel=1e-4)
    _, tensors = read_checkpoint(run / "checkpoint.safetensors")
    for name, weight in alone.network.network.state_dict().items():
        assert torch.allclose(weight, tensors[f"network/{name}"], atol=1e-4), name


@faults
def test_a_killed_worker_and_a_lost_machine_cost_no_epoch(machines, recipe, tiny_catalogue, tmp_path):
    run = tmp_path / "run"
    longer = read_recipe(recipe).with_epochs(40)
    data = load(longer, tiny_catalogue, run)
    lost = next(iter(machines.worker_nodes))

    def kill_a_worker():
        [worker] = find_workers(lost)
        os.kill(worker, signal.SIGKILL)

    def lose_a_machine():
        assert find_workers(lost)
        machines.remove_node(lost, allow_graceful=False)

    saboteur = Saboteur(run, [kill_a_worker, lose_a_machine])
    saboteur.start()
    trained = train_on_ray(longer, data, RunSettings(run), quiet(), Cluster(machines.address, workers=2))
    assert len(saboteur.done) == 2
    assert all(epochs < 40 for _, epochs in saboteur.done)
    assert [row["epoch"] for row in trained.history] == read_epochs(run) == list(range(1, 41))
    assert trained.history[-1]["train_loss"] < trained.history[0]["train_loss"]


@faults
def test_what_no_worker_could_mend_ends_the_run_with_its_reason(machines, recipe, tiny_catalogue, tmp_path):
    run = tmp_path / "run"
    wild = read_recipe(recipe)
    optimisation = wild.optimisation.model_copy(update={"peak_learning_rate": 1e30})
    wild = wild.model_copy(update={"optimisation": optimisation})
    data = load(wild, tiny_catalogue, run)
    with pytest.raises(TrainingError, match=r"epoch \d, step \d+: the loss became"):
        train_on_ray(wild, data, RunSettings(run), quiet(), Cluster(machines.address))
