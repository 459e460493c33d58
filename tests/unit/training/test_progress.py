import io

import pytest
from matplotlib.figure import Figure
from rich.console import Console

from hangtag.domain.errors import TrainingError
from hangtag.training import checkpoint
from hangtag.training.checkpoint import write_history
from hangtag.training.loop import RunSettings
from hangtag.training.progress import TrainingProgress

FIGURES = {
    "epoch": 1,
    "train_loss": 1.0,
    "validation_loss": 2.0,
    "train_top1_accuracy": 0.5,
    "validation_top1_accuracy": 0.4,
    "images_per_s": 100.0,
    "seconds": 50.0,
}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_log_gets_a_line_every_half_minute_and_a_terminal_none(is_terminal):
    file, clock = io.StringIO(), Clock()
    console = Console(file=file, force_terminal=is_terminal, width=40)
    progress = TrainingProgress(console, clock)
    progress.start(2, 4, 100)
    for step in range(1, 101):
        clock.now += 1
        progress.finish_step(step, 64.0, 0.25)
    lines = file.getvalue().splitlines()
    if is_terminal:
        assert lines == []
        return
    assert [line.split("  ")[:2] for line in lines] == [
        ["epoch 3/4", f"step {step}/100"] for step in (30, 60, 90)
    ]
    assert lines[-1].endswith("64 images/s  loss 0.250  0:01:50 left")


def test_the_epoch_is_a_line_that_no_width_breaks():
    file = io.StringIO()
    progress = TrainingProgress(Console(file=file, width=40))
    progress.start(0, 2, 10)
    progress.finish_epoch(FIGURES)
    [line] = file.getvalue().splitlines()
    assert "50.00% train, 40.00% validation" in line


def test_the_plot_names_whole_epochs(tmp_path, monkeypatch):
    drawn = []
    save = Figure.savefig

    def keep(figure: Figure, *args: object, **settings: object) -> None:
        drawn.append(figure)
        save(figure, *args, **settings)

    monkeypatch.setattr(Figure, "savefig", keep)
    write_history(tmp_path, [FIGURES, {**FIGURES, "epoch": 2}])
    for axis in drawn[0].axes:
        assert all(float(tick).is_integer() for tick in axis.get_xticks())


def test_without_tensorboard_a_run_that_wants_it_is_refused_before_it_begins(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "find_spec", lambda _: None)
    with pytest.raises(TrainingError, match=r"tensorboard.*pip install"):
        RunSettings(tmp_path, tensorboard=True)
