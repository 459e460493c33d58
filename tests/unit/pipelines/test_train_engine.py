import re
import sys
from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")

import torch
from safetensors.torch import save_file

from hangtag.bundle.file import write_bundle
from hangtag.cli.main import main
from hangtag.domain.errors import UsageError
from hangtag.pipelines.train_bundle import Training, TrainResult, choose_engine, train_with_teacher
from hangtag.training.loop import RunSettings, train
from hangtag.training.processes import train_in_processes
from hangtag.training.recipe import find_recipe, read_recipe
from tiny_bundle import build_tiny_card, build_tiny_graph

DISTILLATION = "\n[distillation]\nweight = 0.5\n"


def test_this_machine_trains_unless_told_otherwise():
    engine = choose_engine("local", None, 2)
    assert (engine.func, engine.keywords) == (train_in_processes, {"workers": 2})


def test_what_is_said_of_a_cluster_needs_one():
    with pytest.raises(UsageError, match="`engine='ray'`"):
        choose_engine("local", "auto", None)


def test_without_ray_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "hangtag.training.on_ray", raising=False)
    with pytest.raises(UsageError, match=r"extras `train` and `ray`.*pip install 'hangtag\[train,ray\]'"):
        choose_engine("ray", "auto", None)


@pytest.mark.parametrize(
    ("section", "options", "message"),
    [
        ("", ["--teacher", "big.onnx"], r"has no \[distillation\]"),
        (DISTILLATION, [], "but no teacher"),
        (DISTILLATION, ["--teacher", "big.onnx", "--folds", "5"], "a fold's photos"),
    ],
)
def test_a_distillation_and_its_teachers_come_together(section, options, message, tmp_path, capsys):
    recipe = tmp_path / "r.toml"
    recipe.write_text(find_recipe("basic_cnn").read_text(encoding="utf-8") + section, encoding="utf-8")
    with pytest.raises(SystemExit) as left:
        main(["train", str(recipe), "--catalogue", str(tmp_path), "--run", str(tmp_path / "run"), *options])
    assert left.value.code == 2
    assert re.search(message, capsys.readouterr().err)


def test_whoever_starts_from_a_teacher_is_the_same_network(tmp_path):
    text = find_recipe("basic_cnn").read_text(encoding="utf-8") + DISTILLATION
    path = tmp_path / "r.toml"
    path.write_text(text + 'teacher = "deep_cnn"\nstart_from_teacher = true\n', encoding="utf-8")
    training = Training(read_recipe(path), RunSettings(tmp_path / "run"), train)
    with pytest.raises(UsageError, match="another network: basic_cnn, not deep_cnn"):
        train_with_teacher(training, lambda *_: pytest.fail("something was trained"), {})


def test_a_teacher_that_is_given_is_where_its_student_starts(tmp_path, monkeypatch):
    """The weights are those of the checkpoint next to the teacher's bundle."""
    text = (
        find_recipe("basic_cnn").read_text(encoding="utf-8").replace("basic_cnn", "student", 1) + DISTILLATION
    )
    path = tmp_path / "r.toml"
    path.write_text(text + 'teacher = "deep_cnn"\nstart_from_teacher = true\n', encoding="utf-8")
    graph = build_tiny_graph()
    bundle = tmp_path / "run" / "teacher.onnx"
    write_bundle(graph, build_tiny_card(graph, architecture="basic_cnn"), bundle)
    training = Training(read_recipe(path), RunSettings(tmp_path), train, (bundle,))
    with pytest.raises(UsageError, match="checkpoint is not next to it"):
        train_with_teacher(training, lambda *_: pytest.fail("something was trained"), {})
    with pytest.raises(UsageError, match="has 2 teachers"):
        train_with_teacher(
            replace(training, teachers=(bundle, bundle)), lambda *_: pytest.fail("something was trained"), {}
        )
    save_file({"network/backbone.x": torch.ones(1)}, bundle.with_name("checkpoint.safetensors"))
    started = []

    def stop(training, *_):
        started.append(training.settings.weights)
        return TrainResult(bundle, (), (), {})

    monkeypatch.setattr(Training, "train", stop)
    train_with_teacher(training, lambda *_: (None, None), {})
    assert started[0]["x"] == 1
