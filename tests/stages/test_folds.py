"""Cross-fitting as a stage: folds that are stopped and resumed, suspect labels, a training without these."""

import csv
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")

from hangtag.bundle.file import read_card
from hangtag.datasets.out_of_fold import read_out_of_fold
from hangtag.evaluation.photo_set import split_photos
from hangtag.evaluation.seen import Verdict, judge
from hangtag.tables.tables import read_table
from hangtag.training.recipe import find_recipe

pytestmark = pytest.mark.training

PATIENCE_S = 600
FOUND, FAILED = 1, 2


@pytest.fixture
def recipe(tmp_path) -> Path:
    """The basic network, for photos of 32x32, two columns and one epoch."""
    text = find_recipe("basic_cnn").read_text(encoding="utf-8").replace("= 128", "= 32")
    text = re.sub(r"(?m)^columns = .*", 'columns = ["masterCategory", "gender"]', text)
    text = re.sub(r"(?m)^epochs = .*", "epochs = 1", text)
    text = re.sub(r"(?m)^min_examples = .*", "min_examples = 2", text)
    path = tmp_path / "tiny.toml"
    path.write_text(text, encoding="utf-8")
    return path


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "hangtag.cli.main", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def finish(call):
    """Run a command in this process to its end and return its output, and its errors if it fails."""

    def finish(*arguments: object, status: int = 0) -> str:
        found, output, errors = call(*arguments)
        assert found == status, errors
        return errors if status == FAILED else output

    return finish


def wait_for(path: Path, training: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert training.poll() is None, training.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_killed_and_resumed_the_folds_become_one_table_by_which_a_model_is_trained(
    recipe, tiny_catalogue, tmp_path, finish
):
    run = tmp_path / "run"
    train = ("train", recipe, "--catalogue", tiny_catalogue, "--threads", 1)
    folds = (*train, "--run", run, "--folds", 2)
    training = start(*folds)
    wait_for(run / "fold-1" / "out_of_fold.parquet", training)
    training.send_signal(signal.SIGKILL)
    training.communicate()
    first = (run / "fold-1" / "out_of_fold.parquet").stat()
    assert not (run / "out_of_fold.parquet").exists()

    assert "--resume" in finish(*folds, status=FAILED)
    assert "out_of_fold.parquet written" in finish(*folds, "--resume")
    assert (run / "fold-1" / "out_of_fold.parquet").stat().st_mtime_ns == first.st_mtime_ns
    guesses = read_out_of_fold(run / "out_of_fold.parquet")
    with (run / "split.csv").open(newline="") as file:
        splits = {row["id"]: row["split"] for row in csv.DictReader(file)}
    assert sorted(guesses.ids) == sorted(
        id_ for id_, split in splits.items() if split in {"train", "validation"}
    )
    assert set(guesses.folds) == {1, 2}

    check = ("check", tiny_catalogue, "--labels", run / "out_of_fold.parquet", "--output", tmp_path / "found")
    assert "suspects.csv" in finish(*check, status=FOUND)
    suspects = tmp_path / "found" / "suspects.csv"
    learnt = next(id_ for id_, split in splits.items() if split == "train")
    with suspects.open(newline="") as file:
        header = file.readline()
    assert header.startswith("id,photo,column,given,")
    gender = "Men" if int(learnt) % 2 == 0 else "Women"
    suspects.write_text(f"{header}{learnt},{learnt}.jpg,gender,{gender},Women,0.1,0.9,1\n")
    finish(*train, "--run", tmp_path / "without", "--without-suspects", suspects)
    card = read_card(next((tmp_path / "without").glob("*.onnx")))
    assert card.data["without_suspects"] == {"gender": 1}
    table = read_table(tmp_path / "without" / "split.parquet")
    assert judge(card, split_photos(table, None, "test")).verdict is Verdict.HELD_OUT


def test_a_fold_that_does_not_exist_is_refused(recipe, tiny_catalogue, tmp_path, finish):
    train = ("train", recipe, "--catalogue", tiny_catalogue, "--run", tmp_path / "run")
    for options, problem in ((("--folds", 2, "--fold", 3), "no fold 3 of 2"), (("--fold", 1), "--folds 5")):
        assert problem in finish(*train, *options, status=FAILED)
