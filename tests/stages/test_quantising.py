"""Quantising as a whole: a bundle, a catalogue and its split in; the int8 form with its verdict out."""

import importlib.util

import pytest

from hangtag.bundle.file import read_bundle, write_bundle
from hangtag.bundle.quantised import find_quantised, quantised_path, read_quantisation
from hangtag.cli.main import main
from tiny_bundle import build_tiny_card, build_tiny_graph

pytestmark = pytest.mark.filterwarnings("ignore")  # NNCF and what it brings warn of themselves


@pytest.fixture
def bundle(tmp_path):
    graph = build_tiny_graph()
    write_bundle(graph, build_tiny_card(graph), tmp_path / "tiny.onnx")
    return read_bundle(tmp_path / "tiny.onnx")


@pytest.fixture
def run(capsys):
    """Run a command; return status, output and messages."""

    def run(*arguments):
        status = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as leaving:
            status = leaving.code or 0
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_a_catalogue_decides_whether_the_int8_form_may_be_chosen(bundle, run, tiny_catalogue, tmp_path):
    pytest.importorskip("nncf", reason="the extra `quantise` is not installed")
    pytest.importorskip("onnxruntime", reason="the extra `quantise` is not installed")
    assert run("clean", tiny_catalogue, "--output", tmp_path / "cleaned")[0] == 0
    split = tmp_path / "split.parquet"
    shares = ["--test", "0.2", "--validation", "0.2", "--min-examples", "2"]
    status, _, err = run(
        "split", tmp_path / "cleaned", "--catalogue", tiny_catalogue, "--output", split, *shares
    )
    assert status == 0, err
    options = ["--catalogue", tiny_catalogue, "--split-table", split, "--photos", "16"]
    status, out, err = run("quantise", bundle.path, *options)
    assert status == 0, err
    assert "masterCategory loses" in err
    made = read_quantisation(find_quantised(bundle).card)
    assert set(made.costs) == set(bundle.card.columns)
    assert made.photos == 16
    assert ("--precision auto uses it" in out) == made.allowed
    status, _, err = run("quantise", quantised_path(bundle.path), *options)
    assert status == 2
    assert "already in int8" in err


def test_without_nncf_it_says_what_to_install(bundle, run, monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    status, _, err = run("quantise", bundle.path, "--catalogue", tmp_path, "--split-table", tmp_path / "no")
    assert status == 2
    assert "hangtag[quantise]" in err
