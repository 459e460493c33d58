import json

import pytest

from hangtag.bundle import file
from hangtag.bundle.card_json import card_values
from hangtag.bundle.file import write_bundle
from hangtag.cli.main import main
from tiny_bundle import build_tiny_card, build_tiny_graph

METRICS = {
    "test": {
        "photos": {"labelled": 1234},
        "mean_top1_accuracy": 0.885,
        "all_right": {"rate": 0.44},
        "heads": {"masterCategory": {"top1_accuracy": 0.994, "top3_accuracy": 1, "macro_f1": 0.846}},
    }
}


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Run `hangtag models` where only the bundles in `tmp_path` are known; return status, output and messages."""
    monkeypatch.setattr(file, "SHIPPED_FOLDER", tmp_path / "shipped")
    monkeypatch.setenv("HANGTAG_MODELS", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments):
        with pytest.raises(SystemExit) as leaving:
            main(["models", *arguments])
        captured = capsys.readouterr()
        return leaving.value.code or 0, captured.out, captured.err

    return run


@pytest.fixture
def card(tmp_path):
    graph = build_tiny_graph()
    card = build_tiny_card(graph, metrics=METRICS, data={"catalogue": "tiny", "split": {"seed": 42}})
    write_bundle(graph, card, tmp_path / "tiny.onnx")
    return card


def test_without_models_it_says_where_they_come_from(run):
    status, out, _ = run()
    assert status == 0
    assert "HANGTAG_MODELS" in out


def test_the_list_names_models_with_their_heads_size_and_figures(run, card):
    assert card.metrics == METRICS
    status, out, _ = run()
    assert status == 0
    row = next(line for line in out.splitlines() if line.startswith("tiny"))
    assert row.split()[:6] == ["tiny", "1", "0.0", "99.4%", "–", "88.5%"]
    assert "masterCategory, articleType, gender" in " ".join(row.split())


def test_a_file_that_is_no_bundle_is_listed_with_its_problem(run, card, tmp_path):
    assert card
    (tmp_path / "broken.onnx").write_bytes(b"<html>")
    status, out, _ = run()
    assert status == 0
    assert "not a complete ONNX model" in " ".join(out.split())
    assert "tiny" in out


def test_the_list_as_json(run, card, tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"")
    broken, tiny = json.loads(run("--json")[1])
    assert broken["problem"] == "the file is empty"
    assert tiny["columns"] == list(card.columns)
    assert tiny["figures"] == {"masterCategory": 0.994, "mean": 0.885}
    assert tiny["bytes"] == (tmp_path / "tiny.onnx").stat().st_size


def test_show_prints_the_card_for_people(run, card):
    assert card
    status, out, _ = run("show", "tiny")
    assert status == 0
    for expected in (
        "tiny 1",
        "Answers drawn patterns.",
        "Accessories › Watches › Watches",
        "0.994",
        "test: 1,234 photos, mean of the heads 0.885, all heads right 0.440",
        "Tshirts, Jeans, Shoes, Watches, Socks",
        "split.seed",
    ):
        assert expected in out


def test_show_as_json_is_the_whole_card(run, card, tmp_path):
    assert json.loads(run("show", str(tmp_path / "tiny.onnx"), "--json")[1]) == json.loads(
        json.dumps(card_values(card))
    )


def test_a_card_with_other_metrics_is_shown_all_the_same(run, tmp_path):
    graph = build_tiny_graph()
    for number, metrics in enumerate(
        ({}, {"test": 1}, {"test": {"heads": [1]}}, {"test": {"mean_top1_accuracy": "x"}})
    ):
        write_bundle(graph, build_tiny_card(graph, metrics=metrics), tmp_path / f"odd{number}.onnx")
        assert run("show", f"odd{number}")[0] == 0
    assert run()[0] == 0


def test_nothing_in_a_card_can_steer_the_terminal(run, tmp_path):
    graph = build_tiny_graph()
    card = build_tiny_card(
        graph, version="\x1b[2J", description="\x1b]0;owned\x07", data={"\x9b31m": "\x1b[8m"}
    )
    write_bundle(graph, card, tmp_path / "rude.onnx")
    for arguments in ((), ("show", "rude"), ("show", "rude", "--json"), ("--json",)):
        out = run(*arguments)[1]
        assert "\x1b" not in out
        assert "\x07" not in out
    assert "\\x1b[2J" in run()[1]


def test_an_unknown_model_is_wrong_usage_with_a_proposal(run, card):
    assert card
    status, out, err = run("show", "tiyn")
    assert (status, out) == (2, "")
    assert "Did you mean tiny?" in err


def test_figures_on_photos_that_the_model_may_have_learnt_from_are_not_listed(run, tmp_path):
    graph = build_tiny_graph()
    seen = {"seen_in_training": {"verdict": "perhaps_trained_on", "reason": "another split table"}}
    card = build_tiny_card(graph, metrics={"test": METRICS["test"] | seen})
    write_bundle(graph, card, tmp_path / "tiny.onnx")
    (listed,) = json.loads(run("--json")[1])
    assert listed["figures"] == {}
