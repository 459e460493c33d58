"""The evaluation stage: a bundle, a split table and a catalogue in, figures out and into the card."""

import json

import pytest

from hangtag.bundle.file import read_card, write_bundle
from hangtag.catalogue.clean import clean_catalogue, load_cleaned
from hangtag.catalogue.source import open_catalogue
from hangtag.catalogue.split import SplitSettings, split_catalogue
from hangtag.catalogue.tables import write_table
from hangtag.cli.main import main
from tiny_bundle import build_tiny_card, build_tiny_graph


@pytest.fixture
def split_table(tiny_catalogue, tmp_path):
    with open_catalogue(tiny_catalogue) as catalogue:
        clean_catalogue(catalogue, tmp_path / "cleaned")
        settings = SplitSettings(test=0.3, validation=0.2)
        table = split_catalogue(load_cleaned(tmp_path / "cleaned"), catalogue, settings)
    write_table(table, tmp_path / "split.parquet")
    return tmp_path / "split.parquet"


@pytest.fixture
def bundle(tmp_path):
    graph = build_tiny_graph()
    write_bundle(graph, build_tiny_card(graph), tmp_path / "tiny.onnx")
    return tmp_path / "tiny.onnx"


def evaluate(capsys, bundle, tiny_catalogue, split_table, *options):
    arguments = [bundle, "--catalogue", tiny_catalogue, "--split-table", split_table, *options]
    with pytest.raises(SystemExit) as leaving:
        main(["evaluate", *map(str, arguments)])
    captured = capsys.readouterr()
    return leaving.value.code or 0, captured.out, captured.err


def test_a_bundle_is_measured_and_its_card_keeps_the_figures(
    capsys, bundle, tiny_catalogue, split_table, tmp_path
):
    report_path = tmp_path / "report.json"
    options = ("--on", "test", "--output", report_path, "--write-card", "--precision", "fp32")
    status, out, _ = evaluate(capsys, bundle, tiny_catalogue, split_table, *options)
    assert status == 0
    report = json.loads(report_path.read_text("utf-8"))
    assert report["split"]["strategy"] == "grouped"
    assert report["photos"] == {"labelled": report["split"]["counts"]["test"], "failed": {}}
    assert set(report["heads"]) == {"masterCategory", "articleType", "gender"}
    assert f"tiny 1 on test: {report['photos']['labelled']} photos" in out
    assert "grouped split, seed 42" in out
    # The tiny model has never heard of handbags.
    assert report["heads"]["articleType"]["unknown_labels"] > 0
    assert "a label that the model does not know, counted as wrong" in out
    card = read_card(bundle)
    assert card.metrics["test"]["heads"] == report["heads"]
    assert (
        card.figure("test", "heads", "gender", "top1_accuracy") == report["heads"]["gender"]["top1_accuracy"]
    )


def test_every_figure_is_printed(capsys, bundle, tiny_catalogue, split_table, tmp_path):
    _, out, _ = evaluate(
        capsys, bundle, tiny_catalogue, split_table, "--on", "validation", "-o", tmp_path / "report.json"
    )
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    for column, head in report["heads"].items():
        (line,) = (line for line in out.splitlines() if line.startswith(f"{column} "))
        low, high = head["interval_95"]
        figures = (
            f"{head['top1_accuracy']:.2%} {100 * low:.2f} – {100 * high:.2f} {head['top3_accuracy']:.2%}"
        )
        assert figures in " ".join(line.split())
    assert f"all of them right {report['all_right']['rate']:.2%}" in out


def test_a_wrong_table_is_one_line(capsys, bundle, tiny_catalogue, tmp_path):
    status, out, err = evaluate(capsys, bundle, tiny_catalogue, tmp_path / "cleaned.parquet")
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
