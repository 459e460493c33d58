import csv
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console

from hangtag.domain.errors import TrainingError, UsageError
from hangtag.training import loop
from hangtag.training.checkpoint import RunState, read_checkpoint, write_checkpoint
from hangtag.training.data import UNKNOWN, Samples, TrainingData
from hangtag.training.loop import RunSettings, train
from hangtag.training.progress import TrainingProgress
from hangtag.training.workers import choose_device


class StopAfter(TrainingProgress):
    """Stops a run as Ctrl-C would, in the middle of an epoch."""

    def __init__(self, steps: int) -> None:
        super().__init__(Console(file=io.StringIO()))
        self.steps_left = steps

    def finish_step(self, step: int, images_per_s: float, loss: float) -> None:
        super().finish_step(step, images_per_s, loss)
        self.steps_left -= 1
        if self.steps_left == 0:
            raise KeyboardInterrupt


def quiet() -> TrainingProgress:
    return TrainingProgress(Console(file=io.StringIO()))


def weights_of(trained) -> dict[str, torch.Tensor]:
    return trained.network.state_dict()


def test_a_resumed_run_ends_with_the_weights_of_one_that_never_stopped(tiny_recipe, tiny_data, tmp_path):
    straight = train(tiny_recipe, tiny_data, RunSettings(tmp_path / "a"), quiet())
    with pytest.raises(KeyboardInterrupt):
        train(tiny_recipe, tiny_data, RunSettings(tmp_path / "b"), StopAfter(6))
    assert read_checkpoint(tmp_path / "b" / "checkpoint.safetensors")[0].epoch == 1
    resumed = train(tiny_recipe, tiny_data, RunSettings(tmp_path / "b", resume=True), quiet())
    for name, tensor in weights_of(straight).items():
        assert torch.equal(tensor, weights_of(resumed)[name]), name
    for before, after in zip(straight.history, resumed.history, strict=True):
        timing = {"images_per_s", "seconds"}
        assert {k: v for k, v in before.items() if k not in timing} == {
            k: v for k, v in after.items() if k not in timing
        }


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tiny_recipe, tiny_data, tmp_path):
    short = tiny_recipe.with_epochs(1)
    first = weights_of(train(short, tiny_data, RunSettings(tmp_path / "a"), quiet()))
    again = weights_of(train(short, tiny_data, RunSettings(tmp_path / "b"), quiet()))
    other = weights_of(
        train(short.model_copy(update={"seed": 1}), tiny_data, RunSettings(tmp_path / "c"), quiet())
    )
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())
    assert any(not torch.equal(tensor, other[name]) for name, tensor in first.items())


def test_history_has_a_row_an_epoch_and_a_plot(tiny_recipe, tiny_data, run_folder):
    trained = train(tiny_recipe, tiny_data, RunSettings(run_folder), quiet())
    with (run_folder / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert float(rows[-1]["validation_loss"]) == pytest.approx(
        trained.history[-1]["validation_loss"], abs=1e-6
    )
    assert float(rows[0]["learning_rate"]) > float(rows[-1]["learning_rate"])
    assert (run_folder / "history.png").read_bytes().startswith(b"\x89PNG")
    assert not list(run_folder.glob("*.partial"))


def test_early_stopping_goes_back_to_the_best_epoch(tiny_recipe, tiny_data, run_folder):
    impatient = tiny_recipe.model_copy(
        update={
            "optimisation": tiny_recipe.optimisation.model_copy(
                update={"patience": 1, "epochs": 8, "peak_learning_rate": 0.05, "ema_decay": 0.0}
            )
        }
    )
    trained = train(impatient, tiny_data, RunSettings(run_folder), quiet())
    losses = [row["validation_loss"] for row in trained.history]
    state, tensors = read_checkpoint(run_folder / "checkpoint.safetensors")
    assert state.best_epoch == int(np.argmin(losses)) + 1
    assert len(losses) == 8 or len(losses) == state.best_epoch + 1
    kept = {
        name.removeprefix("best/"): tensor for name, tensor in tensors.items() if name.startswith("best/")
    }
    for name, tensor in trained.network.network.state_dict().items():
        assert torch.equal(tensor, kept[name]), name


def test_a_loss_that_is_not_a_number_stops_the_run_and_says_where(tiny_recipe, tiny_data, run_folder):
    wild = tiny_recipe.model_copy(
        update={"optimisation": tiny_recipe.optimisation.model_copy(update={"peak_learning_rate": 1e30})}
    )
    with pytest.raises(
        TrainingError, match=r"epoch \d, step \d+: the loss became (nan|inf).*peak_learning_rate"
    ):
        train(wild, tiny_data, RunSettings(run_folder), quiet())


def test_a_column_without_known_labels_in_a_batch_does_not_break_the_loss(tiny_recipe, tiny_data, run_folder):
    targets = {**tiny_data.train.targets, "gender": np.full(len(tiny_data.train), UNKNOWN)}
    blind = TrainingData(
        Samples(tiny_data.train.pixels, targets),
        tiny_data.validation,
        tiny_data.classes,
        tiny_data.taxonomy,
        "blind",
    )
    trained = train(tiny_recipe.with_epochs(1), blind, RunSettings(run_folder), quiet())
    assert np.isfinite(trained.history[0]["train_loss"])


def test_a_batch_of_which_nothing_is_known_is_skipped(tiny_recipe, tiny_data, run_folder):
    """Of 32 photos 4 are labelled, so that most batches of 8 have none: there is nothing to lower a rate for."""
    unknown = np.arange(len(tiny_data.train)) >= 4
    targets = {
        column: np.where(unknown, UNKNOWN, values) for column, values in tiny_data.train.targets.items()
    }
    blind = replace(tiny_data, train=Samples(tiny_data.train.pixels, targets))
    trained = train(tiny_recipe, blind, RunSettings(run_folder), quiet())
    assert all(np.isfinite(row["train_loss"]) for row in trained.history)
    assert all(torch.isfinite(tensor).all() for tensor in weights_of(trained).values())


@pytest.mark.parametrize("what", ["recipe", "data"])
def test_resuming_another_run_is_refused(what, tiny_recipe, tiny_data, run_folder):
    run_folder.mkdir()
    own = {"recipe": tiny_recipe.training_fingerprint(), "data": tiny_data.fingerprint}
    state = RunState(**{**own, what: "something else"})
    write_checkpoint(run_folder / "checkpoint.safetensors", state, {"network/x": torch.zeros(1)})
    with pytest.raises(TrainingError, match=f"different {what}"):
        train(tiny_recipe, tiny_data, RunSettings(run_folder, resume=True), quiet())


def test_what_comes_after_the_training_may_differ_when_it_goes_on(tiny_recipe, tiny_data, run_folder):
    short = tiny_recipe.with_epochs(1)
    train(short, tiny_data, RunSettings(run_folder), quiet())
    answers = short.answers.model_copy(update={"target_accuracy": 0.9})
    later = short.model_copy(update={"answers": answers, "description": "another"})
    assert later.fingerprint() != short.fingerprint()
    assert len(train(later, tiny_data, RunSettings(run_folder, resume=True), quiet()).history) == 1


def test_a_run_of_hangtag_0_1_is_resumed(tiny_recipe, tiny_data, run_folder):
    short = tiny_recipe.with_epochs(1)
    first = train(short, tiny_data, RunSettings(run_folder), quiet())
    path = run_folder / "checkpoint.safetensors"
    state, tensors = read_checkpoint(path)
    write_checkpoint(path, replace(state, recipe=short.former_fingerprint()), tensors)
    again = train(short, tiny_data, RunSettings(run_folder, resume=True), quiet())
    assert torch.equal(
        weights_of(first)["network.heads.gender.bias"], weights_of(again)["network.heads.gender.bias"]
    )


def test_a_device_that_is_not_there_is_refused_and_a_gpu_is_taken_by_itself(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto").type == choose_device("cpu").type == "cpu"
    with pytest.raises(UsageError, match=r"`device`.*'cuda'.*It finds cpu"):
        choose_device("cuda")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto").type == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto").type == "cuda"


def test_a_run_trains_on_the_device_that_it_is_told(tiny_recipe, tiny_data, run_folder, monkeypatch):
    """The `meta` device computes shapes alone, so that only where the tensors are sent can be seen."""
    monkeypatch.setattr(loop, "choose_device", lambda name: torch.device("meta" if name == "cuda" else "cpu"))
    with pytest.raises((NotImplementedError, RuntimeError), match=r"[Mm]eta"):
        train(tiny_recipe, tiny_data, RunSettings(run_folder, device="cuda"), quiet())


def test_a_damaged_checkpoint_is_a_clear_error(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(TrainingError, match="cannot be read"):
        read_checkpoint(path)
