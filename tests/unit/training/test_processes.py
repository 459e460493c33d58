"""Two real processes that train one tiny network."""

import io
import subprocess
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console

from hangtag.domain.errors import TrainingError, UsageError
from hangtag.training import processes
from hangtag.training.checkpoint import read_checkpoint
from hangtag.training.loop import RunSettings, train
from hangtag.training.processes import count_workers, train_in_processes
from hangtag.training.progress import TrainingProgress

pytestmark = pytest.mark.training


class Quiet(TrainingProgress):
    """Says nothing, and does something after the first epoch."""

    def __init__(self, after_first_epoch=lambda: None) -> None:
        super().__init__(Console(file=io.StringIO()))
        self._after_first_epoch = after_first_epoch

    def finish_epoch(self, figures: dict[str, float]) -> None:
        super().finish_epoch(figures)
        if figures["epoch"] == 1:
            self._after_first_epoch()


@pytest.fixture
def recipe(tiny_recipe):
    """Two epochs of a network without batch norm or dropout, on photos as they are: the parts add up to the whole."""
    network = tiny_recipe.network.model_copy(update={"architecture": "basic_cnn", "dropout": 0})
    still = dict.fromkeys(
        ("flip_probability", "rotation_degrees", "shift_share", "brightness", "contrast"), 0.0
    )
    still |= {"zoom_out": 1.0, "zoom_in": 1.0, "background_probability": 0.0, "tint": 0.0}
    still |= {"detail_probability": 0.0, "noise_levels": 0.0}
    augmentation = tiny_recipe.augmentation.model_copy(update=still)
    optimisation = tiny_recipe.optimisation.model_copy(update={"epochs": 2, "precision": "float32"})
    parts = {"network": network, "augmentation": augmentation, "optimisation": optimisation}
    return tiny_recipe.model_copy(update=parts)


def weights(trained) -> dict[str, torch.Tensor]:
    return trained.network.state_dict()


def save_pixels(data, folder):
    """Let the train photos lie in a file, as those of a real run do."""
    np.save(folder / "train.npy", data.train.pixels)
    return replace(data, train=replace(data.train, pixels=np.load(folder / "train.npy", mmap_mode="r")))


def test_two_processes_learn_what_one_does_and_resume_where_they_stopped(recipe, tiny_data, tmp_path):
    data = save_pixels(tiny_data, tmp_path)
    alone = train(recipe, data, RunSettings(tmp_path / "alone", threads=1), Quiet())

    def stop() -> None:
        raise KeyboardInterrupt

    run = RunSettings(tmp_path / "both")
    with pytest.raises(KeyboardInterrupt):
        train_in_processes(recipe, data, run, Quiet(stop), workers=2)
    assert read_checkpoint(run.checkpoint)[0].epoch == 1
    both = train_in_processes(recipe, data, replace(run, resume=True), Quiet(), workers=2)
    for name, tensor in weights(alone).items():
        assert torch.allclose(tensor, weights(both)[name], atol=1e-4), name
    assert len(both.history) == 2


def test_a_worker_that_is_lost_ends_the_training_and_says_so(recipe, tiny_data, tmp_path, monkeypatch):
    started = []
    popen = subprocess.Popen

    def keep(*arguments: object, **settings: object) -> subprocess.Popen:
        started.append(popen(*arguments, **settings))
        return started[-1]

    monkeypatch.setattr(processes.subprocess, "Popen", keep)
    lose = Quiet(lambda: started[0].kill())  # noqa: PLW0108 - nothing is started yet
    with pytest.raises(TrainingError, match=r"a worker was lost.*`resume=True`"):
        train_in_processes(recipe, tiny_data, RunSettings(tmp_path / "run"), lose, workers=2)
    assert started[0].poll() is not None


def test_there_is_a_process_for_each_processor_as_far_as_the_batch_reaches(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "count_usable_cpus", lambda: 8)
    settings = RunSettings(tmp_path)
    large = recipe.model_copy(
        update={"optimisation": recipe.optimisation.model_copy(update={"batch_size": 64})}
    )
    assert count_workers(large, settings, None) == 4
    assert count_workers(recipe, settings, None) == 1
    assert count_workers(recipe, settings, 4) == 4
    assert count_workers(large, replace(settings, threads=2), None) == 1
    with pytest.raises(UsageError, match="too small for 5 workers"):
        count_workers(recipe, settings, 5)


def test_a_gpu_takes_one_process(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    settings = RunSettings(tmp_path, device="mps")
    assert count_workers(recipe, settings, None) == 1
    with pytest.raises(UsageError, match="not on mps"):
        count_workers(recipe, settings, 2)
