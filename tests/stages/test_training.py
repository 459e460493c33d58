"""Training as a stage: a catalogue and a recipe go in, a bundle that answers comes out, whatever happens in between."""

import csv
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")

from hangtag.bundle.file import read_card
from hangtag.inference.engine import Engine
from hangtag.inference.model import load_model
from hangtag.training.progress import TrainingProgress
from hangtag.training.recipe import find_recipe

pytestmark = pytest.mark.training

PATIENCE_S = 240


@pytest.fixture
def recipe(tmp_path) -> Path:
    """The default recipe, for photos of 32x32, two columns and a few short epochs, without an OOD detector."""
    text = find_recipe("default").read_text(encoding="utf-8")
    for old, new in (
        ('name = "default"', 'name = "tiny"'),
        (
            '"subCategory", "articleType", "gender", "baseColour", "season", "usage"]',
            '"articleType", "baseColour"]',
        ),
        ("width = 96", "width = 32"),
        ("height = 128", "height = 32"),
        ("pretrained = true", "pretrained = false"),
        ("\nepochs = 9", "\nepochs = 4"),
        ("small_epochs = 4", "small_epochs = 0"),
        ("batch_size = 64", "batch_size = 4"),
        ("validation = 0.05", "validation = 0.2"),
        ("test = 0.15", "test = 0.2"),
        ("\nvalidation = 0.2\nlargest = 3500\n", "\n"),
        ("[ood]\ndrawn = 1200\nloss_weight = 0.5\n", ""),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "tiny.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def small_recipe(recipe) -> Path:
    """The same with a small network, which exports in a fraction of the time."""
    text = recipe.read_text(encoding="utf-8")
    for old, new in (("efficientnet_lite0", "basic_cnn"), ("tapped = ", "tapped = [] # ")):
        assert old in text
        text = text.replace(old, new, 1)
    recipe.write_text(text, encoding="utf-8")
    return recipe


def interrupt(_progress, _figures):
    """Stop a run after an epoch, as Ctrl-C would."""
    raise KeyboardInterrupt


def start_training(recipe: Path, catalogue: Path, run: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "hangtag.cli.main", "train", str(recipe), "--threads", "1"]
    return subprocess.Popen(
        [*command, "--catalogue", str(catalogue), "--run", str(run), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def train(call):
    """Train in this process to the end and return what was printed, as output and errors."""

    def train(recipe, catalogue, run, *options, status=0):
        given = ("--catalogue", catalogue, "--run", run, "--threads", 1)
        found, output, errors = call("train", recipe, *given, *options)
        assert found == status, errors
        return output, errors

    return train


def read_history(run: Path) -> list[dict[str, str]]:
    with (run / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        {name: value for name, value in row.items() if name not in {"images_per_s", "seconds"}}
        for row in rows
    ]


def wait_for(path: Path, training: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert training.poll() is None, training.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_killed_and_resumed_it_ends_with_the_bundle_of_a_run_that_never_stopped(
    small_recipe, tiny_catalogue, tmp_path, train
):
    recipe = small_recipe
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    train(recipe, tiny_catalogue, straight, "--epochs", 2)

    training = start_training(recipe, tiny_catalogue, killed, "--epochs", "2")
    wait_for(killed / "checkpoint.safetensors", training)
    training.send_signal(signal.SIGKILL)
    training.communicate()
    assert not (killed / "tiny.onnx").exists()
    output, _ = train(recipe, tiny_catalogue, killed, "--resume", "--epochs", 2)
    assert "tiny.onnx written" in output

    assert read_history(killed) == read_history(straight)
    photos = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    expected = Engine(straight / "tiny.onnx", precision="fp32").run(photos)
    found = Engine(killed / "tiny.onnx", precision="fp32").run(photos)
    for column, logits in expected.items():
        assert np.array_equal(logits, found[column]), column


def test_the_bundle_says_how_it_was_made_and_labels_photos(recipe, tiny_catalogue, tmp_path, train):
    run = tmp_path / "run"
    train(recipe, tiny_catalogue, run, "--epochs", 1)
    card = read_card(run / "tiny.onnx")
    assert card.columns == ("masterCategory", "articleType", "baseColour")
    assert card.head("masterCategory").classes == ("Accessories", "Apparel", "Footwear")
    assert card.recipe["optimisation"]["epochs"] == 1
    assert card.data["split"]["strategy"] == "random"
    assert len(card.history) == 1
    assert len(card.golden) == 3
    prediction = load_model(run / "tiny.onnx").predict([tiny_catalogue / "images" / "1000.jpg"])[0]
    assert prediction["articleType"].value in card.head("articleType").classes
    assert sum(label.confidence for label in prediction.candidates["masterCategory"]) == pytest.approx(
        1, abs=1e-3
    )


def test_a_finished_or_running_training_is_not_overwritten(recipe, tiny_catalogue, tmp_path, train):
    run = tmp_path / "run"
    run.mkdir()
    (run / "checkpoint.safetensors").write_bytes(b"")
    _, errors = train(recipe, tiny_catalogue, run, status=2)
    assert "--resume" in errors


def test_the_custom_set_is_joined_and_the_backbone_starts_from_a_file(
    tiny_catalogue, write_custom_set, tmp_path, train
):
    write_custom_set(tiny_catalogue)
    first = write_small_recipe("vgg16", tmp_path)
    train(first, tiny_catalogue, tmp_path / "first", "--weights", "none", "--limit", 16)
    card = read_card(tmp_path / "first" / "vgg16.onnx")
    assert card.data["weights"] == "none"
    assert card.data["train_photos"] == 16
    assert card.recipe["network"]["pretrained"] is False
    assert card.recipe["fine_tuning"] is None

    fourth = write_small_recipe("vgg16_custom", tmp_path)
    weights = tmp_path / "first" / "checkpoint.safetensors"
    train(fourth, tiny_catalogue, tmp_path / "fourth", "--weights", weights, "--limit", 16)
    card = read_card(tmp_path / "fourth" / "vgg16_custom.onnx")
    assert card.data["joined"] == ["custom"]
    assert card.data["weights"] == "checkpoint.safetensors"
    assert card.data["train_photos"] == 18
    assert card.recipe["fine_tuning"]["last_blocks"] == 2


def test_without_a_custom_set_the_fourth_run_says_what_to_do(tiny_catalogue, tmp_path, train):
    recipe = write_small_recipe("vgg16_custom", tmp_path)
    _, errors = train(recipe, tiny_catalogue, tmp_path / "run", "--weights", "none", status=2)
    assert "hangtag custom" in errors


def write_small_recipe(name: str, folder: Path) -> Path:
    """Write a recipe that comes with hangtag, for photos of 32x32, two epochs and small classes."""
    text = find_recipe(name).read_text(encoding="utf-8").replace("= 128", "= 32")
    text = re.sub(r"(?m)^epochs = .*", "epochs = 2", text)
    text = re.sub(r"(?m)^frozen_epochs = .*", "frozen_epochs = 1", text)
    text = re.sub(r"(?m)^min_examples = .*", "min_examples = 2", text)
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_sets_join_with_the_labels_that_they_have_and_photos_of_no_product_make_an_ood_detector(
    small_recipe, tiny_catalogue, tmp_path, train
):
    recipe = small_recipe
    text = re.sub(
        r"(?m)^\[joining\].*", "[joining]\nvalidation = 0.25\nrepeats = 2", recipe.read_text("utf-8")
    )
    text += "\n[names]\nweight = 0.3\n\n[ood]\ndrawn = 40\nloss_weight = 1.0\n"
    recipe.write_text(text, encoding="utf-8")
    people = tmp_path / "people"
    for number in range(8):
        folder = people / ("Shirts" if number % 2 else "Jeans")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(tiny_catalogue / "images" / f"{1012 + 12 * (number % 2) + 1 + number}.jpg", folder)
    join = ["--join", f"people={people}", "--epochs", "2"]
    output, errors = train(recipe, tiny_catalogue, tmp_path / "run", *join)
    assert "Apparel" not in errors
    [history] = read_history(tmp_path / "run")[-1:]
    assert {"people_articleType_top1_accuracy", "negatives_flagged_share"} <= set(history)
    bundle = tmp_path / "run" / "tiny.onnx"
    card = read_card(bundle)
    assert card.ood_detector is not None
    assert set(card.data["rare_classes_lifted"]) == set(card.columns)
    assert card.data["joined"] == ["people"]
    assert {"validation", "test", "people"} <= set(card.metrics)
    assert card.metrics["people"]["seen_in_training"]["verdict"] == "kept_back"
    assert card.ood_detector.output in load_model(bundle).run(np.zeros((3, 32, 32, 3), np.uint8))
    assert "what was held out from people" in output
    assert "did not learn from these photos" in " ".join(output.split())


def test_the_teacher_that_a_recipe_names_is_trained_first_and_resumed(
    small_recipe, tiny_catalogue, tmp_path, train, monkeypatch
):
    recipe = small_recipe
    text = recipe.read_text(encoding="utf-8").replace("epochs = 4", "epochs = 2")
    teacher = tmp_path / "master.toml"
    teacher.write_text(text.replace('name = "tiny"', 'name = "master"'), encoding="utf-8")
    section = f'\n[distillation]\nweight = 0.5\nteacher = "{teacher}"\nstart_from_teacher = true\n'
    recipe.write_text(text + section, encoding="utf-8")
    run = tmp_path / "run"

    with monkeypatch.context() as patch:
        patch.setattr(TrainingProgress, "finish_epoch", interrupt)
        train(recipe, tiny_catalogue, run, "--weights", "none", status=130)
    assert len(read_history(run / "teacher")) == 1
    assert not (run / "history.csv").exists()
    _, errors = train(recipe, tiny_catalogue, run, "--weights", "none", status=2)
    assert "this folder already holds a training" in errors

    train(recipe, tiny_catalogue, run, "--weights", "none", "--resume")
    assert len(read_history(run / "teacher")) == len(read_history(run)) == 2
    master, tiny = load_model(run / "teacher" / "master.onnx"), load_model(run / "tiny.onnx")
    [taught] = tiny.card.data["teachers"]
    assert (taught["name"], taught["sha256"]) == ("master", master.sha256)
    assert taught["seconds"] > 0
    assert "teachers" not in master.card.data
