"""What a run that never came to a checkpoint has left in its folder, and what the next one makes of it."""

import re

import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")

from hangtag.cli.main import main
from hangtag.datasets.splits import read_split_facts
from hangtag.pipelines.train_bundle import TrainResult
from hangtag.training.recipe import find_recipe


@pytest.fixture
def start(tiny_catalogue, tmp_path, monkeypatch):
    """Start a run whose split has a seed, and stop it before it trains; return the seed of the split it found."""
    seeds = []

    def stop(training, join, facts):
        seeds.append(facts["split"]["seed"])
        assert read_split_facts(join(training.recipe, training.settings.folder)[0]) == facts["split"]
        return TrainResult(training.settings.folder / "none.onnx", (), (), {})

    monkeypatch.setattr("hangtag.pipelines.train.train_with_teacher", stop)

    def start(seed, *options):
        recipe = tmp_path / "r.toml"
        text = find_recipe("basic_cnn").read_text(encoding="utf-8")
        recipe.write_text(re.sub(r"(?m)^(\[split\].*(?:\n.*)*?\nseed = ).*", rf"\g<1>{seed}", text))
        arguments = ["--catalogue", str(tiny_catalogue), "--run", str(tmp_path / "run"), *options]
        with pytest.raises(SystemExit):
            main(["train", str(recipe), *arguments])
        return seeds[-1]

    return start


def test_a_fresh_run_splits_anew_and_a_resumed_one_keeps_its_split(start):
    assert start(1) == 1
    assert start(7) == 7
    assert start(1, "--resume") == 7


@pytest.mark.parametrize("place", ["pixels", "teacher/pixels"])
def test_a_fresh_run_takes_no_pixels_of_another(place, start, tmp_path):
    key = tmp_path / "run" / place / "train.key"
    key.parent.mkdir(parents=True)
    key.write_text("what the pixels were made of")
    start(1, "--resume")
    assert key.exists()
    start(1)
    assert not key.exists()
