"""Corrections take the place of a catalogue's labels, whatever table they come in."""

import hashlib
import json
import re

import pyarrow as pa
import pytest

from hangtag.catalogue.clean import clean_catalogue
from hangtag.cli.main import main
from hangtag.datasets.cleaned import read_cleaned
from hangtag.datasets.opening import open_catalogue
from hangtag.domain.errors import UsageError
from hangtag.pipelines.corrections import correct_labels
from hangtag.pipelines.train_bundle import TrainResult

SHIRT = ("Apparel", "Topwear", "Tshirts")


@pytest.fixture
def correct(tiny_catalogue, tmp_path):
    """Correct the labels of the catalogue and the shop's `attribute`; return its rows by id, and the facts."""

    def correct(text, name="corrections.csv", attribute="kind"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        with open_catalogue(tiny_catalogue) as source:
            table = read_cleaned(source).table
            table = table.append_column(attribute, pa.nulls(len(table), pa.string()))
            table, facts = correct_labels(table, path, source)
        assert facts.sha256 == hashlib.sha256(text.encode()).hexdigest()
        return {row["id"]: row for row in table.to_pylist()}, facts

    return correct


def path_of(row):
    return row["masterCategory"], row["subCategory"], row["articleType"]


def test_a_corrected_table_of_the_catalogue_replaces_what_differs_in_it(correct, tiny_catalogue, tmp_path):
    with open_catalogue(tiny_catalogue) as source:
        clean_catalogue(source, tmp_path)
    text = (tmp_path / "cleaned.csv").read_text(encoding="utf-8")
    text = re.sub(r"(?m)^1000,Men,", "1000,Women,", text)
    text = re.sub(r"(?m)^(1003,.*),Casual,", r"\1,,", text)
    rows, facts = correct(text)
    assert rows["1000"]["gender"] == "Women"
    assert rows["1003"]["usage"] == "Casual"  # an empty cell says nothing
    assert facts.labels == {"gender": 1}


def test_an_article_type_brings_the_levels_above_it_and_a_new_one_leaves_them(correct):
    rows, facts = correct("id;ArticleType\n1059;tshirts\n1000;Cardigans\n", "some.csv")
    assert path_of(rows["1059"]) == SHIRT
    assert path_of(rows["1000"]) == (*SHIRT[:2], "Cardigans")
    assert facts.labels == {"masterCategory": 1, "subCategory": 1, "articleType": 2}


def test_decisions_name_photos_and_the_latest_counts(correct):
    header = "photo,attribute,label,reviewer,decided\n"
    late, early = "2026-02-01T00:00:00Z", "2026-01-01T00:00:00Z"
    rows, facts = correct(
        f"{header}supplier/1000.jpg,gender,Unisex,ann,{late}\n1000.jpg,usage,Sports,bo,{early}\n"
    )
    assert (rows["1000"]["gender"], rows["1000"]["usage"]) == ("Unisex", "Sports")
    assert facts.labels == {"gender": 1, "usage": 1}
    task = {
        "data": {"image": "1002.jpg"},
        "annotations": [
            {"result": [{"type": "choices", "from_name": "gender", "value": {"choices": ["Unisex"]}}]}
        ],
    }
    rows, _ = correct(json.dumps([task]), "tasks.json")
    assert rows["1002"]["gender"] == "Unisex"


def test_of_an_export_of_the_page_only_what_a_person_corrected_counts(correct):
    rows, facts = correct(
        'sku,gender,usage,corrected,status\n1000,Unisex,Sports,"usage",labelled\n1001,Unisex,Sports,,\n'
    )
    assert (rows["1000"]["gender"], rows["1000"]["usage"]) == ("Men", "Sports")
    assert facts.labels == {"usage": 1}


def test_products_are_found_by_any_usual_name_but_not_by_a_label(correct):
    rows, _ = correct("Product ID,gender\n1000,Unisex\n")
    assert rows["1000"]["gender"] == "Unisex"
    rows, _ = correct("style,path,gender,corrected\nCasual,1000.jpg,Women,gender\n")
    assert rows["1000"]["gender"] == "Women"
    with pytest.raises(UsageError, match="no column says which product"):
        correct("style,gender\nCasual,Women\n", attribute="style")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("id,gender\n1000,Women\n9,Men\n", "1 of its 2 products is not in the catalogue: 9"),
        ("id,gender\n8,Women\n9,Men\n", "none of its 2 products is in the catalogue: 8, 9"),
        ("id,colour\n1000,Red\n", "the catalogue has no column colour"),
        ("name,gender\nShirt,Men\n", "no column says which product"),
        ("id,gender\n1000,\n", "has no labels"),
    ],
)
def test_what_cannot_be_applied_is_refused(correct, text, problem):
    with pytest.raises(UsageError, match=problem):
        correct(text)


def test_a_training_splits_corrected_labels_and_its_card_says_so(
    tiny_catalogue, tmp_path, monkeypatch, capsys
):
    pytest.importorskip("torch", reason="the extra `train` is not installed")
    seen = []

    def stop(training, join, facts):
        rows = join(training.recipe, training.settings.folder)[0].to_pylist()
        seen.append(({row["id"]: row["gender"] for row in rows}["1000"], facts.get("corrections")))
        return TrainResult(training.settings.folder / "none.onnx", (), (), {})

    monkeypatch.setattr("hangtag.pipelines.train.train_with_teacher", stop)
    path = tmp_path / "corrections.csv"
    path.write_text("id,gender\n1000,Women\n")
    facts = {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "labels": {"gender": 1},
    }
    run = tmp_path / "run"
    train = ("train", "basic_cnn", "--catalogue", str(tiny_catalogue), "--run", str(run))

    def start(*options):
        with pytest.raises(SystemExit):
            main([*train, *options])

    start("--corrections", str(path))
    start("--resume")
    start("--resume", "--corrections", str(path))
    start("--split-table", str(run / "split.parquet"))
    start()
    assert seen == [*[("Women", facts)] * 4, ("Men", None)]
    path.write_text("id,gender\n1000,Unisex\n")
    start("--split-table", str(run / "split.parquet"), "--corrections", str(path))
    assert (seen[-1][0], seen[-1][1]["labels"]) == ("Unisex", {"gender": 1})
    start("--corrections", str(path))
    path.write_text("id,gender\n1000,Women\n")
    start("--resume", "--corrections", str(path))
    assert "started with different corrections" in capsys.readouterr().err
    assert len(seen) == 7
