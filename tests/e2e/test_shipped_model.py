"""The shipped models: small, as good as their cards say, and no less so in the arithmetic that they are served in."""

import re
from pathlib import Path

import pytest

from hangtag.bundle.file import SHIPPED_FOLDER
from hangtag.domain.columns import LABEL_COLUMNS
from hangtag.imaging.samples import write_sample_photos
from hangtag.inference.model import load_model

DEFAULT = SHIPPED_FOLDER / "default.onnx"
MAX_BYTES = 16_000_000
ROOT = Path(__file__).parents[2]


def test_it_is_small_and_its_card_says_how_good_it_is():
    assert DEFAULT.stat().st_size <= MAX_BYTES
    card = load_model().card
    assert card.columns == LABEL_COLUMNS
    measured = card.metrics["test"]
    assert measured["split"]["strategy"] == "random"
    assert measured["photos"] == {"labelled": 5947, "failed": {}}
    assert measured["parts"]["apart_from_train"]["photos"] == 5759
    assert measured["heads"]["masterCategory"]["top1_accuracy"] >= 0.993
    assert measured["heads"]["articleType"]["top1_accuracy"] >= 0.87
    assert measured["mean_top1_accuracy"] >= 0.87


def test_it_knows_how_sure_it_is_and_what_is_no_product():
    card = load_model().card
    measured = card.metrics["test"]
    assert card.target_accuracy == 0.98
    assert measured["answers"]["accuracy"] >= 0.98
    assert measured["answers"]["coverage"] >= 0.98
    for column in ("masterCategory", "subCategory", "articleType", "gender"):
        assert measured["heads"][column]["expected_calibration_error"] <= 0.02, column
    assert measured["not_a_product"]["share"] <= 0.02


def test_it_does_well_on_photos_of_other_people():
    people = load_model().card.metrics["people"]["heads"]
    assert people["masterCategory"]["top1_accuracy"] >= 0.97
    assert people["articleType"]["top1_accuracy"] >= 0.9


@pytest.mark.parametrize("name", ["basic_cnn", "deep_cnn"])
def test_the_original_networks_ship_too_small_and_with_all_that_the_page_shows(name):
    path = SHIPPED_FOLDER / f"{name}.onnx"
    assert path.stat().st_size <= 8_000_000
    card = load_model(name).card
    assert card.columns == ("masterCategory",)
    assert card.architecture == name
    assert card.history
    measured = card.metrics["test"]["heads"]["masterCategory"]
    assert {"per_class", "confusion", "reliability"} <= set(measured)
    labels, counts = measured["confusion"]["labels"], measured["confusion"]["counts"]
    assert set(card.head("masterCategory").classes) <= set(labels)
    assert sum(count for *_, count in counts) == measured["support"]
    right = sum(count for true, answered, count in counts if true == answered)
    assert right / measured["support"] == pytest.approx(measured["top1_accuracy"])


def test_it_knows_what_the_drawn_photos_show(tmp_path):
    paths = write_sample_photos(tmp_path)
    roots = {
        path.stem: outcome.path[0] for path, outcome in zip(paths, load_model().predict(paths), strict=True)
    }
    assert roots["tshirt"] == "Apparel"
    assert roots["shoe"] == "Footwear"
    assert roots["watch"] == "Accessories"


@pytest.mark.parametrize("document", ["README.md", "docs/tutorial/first-labels.md"])
def test_the_documents_show_its_real_answers(call, document, tmp_path, monkeypatch):
    """Percentages may differ by one between processors; the labels and where they stop may not."""
    monkeypatch.chdir(tmp_path)
    call("samples", "photos")
    answers = set(_read_rows(call("predict", "photos/")[1]))
    shown = _read_rows((ROOT / document).read_text("utf-8"))
    assert shown
    assert set(shown) <= answers


def _read_rows(text):
    rows = re.findall(r"^photos/\S+\.png +\S.*$", text, re.MULTILINE)
    return [tuple(re.split(r" {2,}", re.sub(r" \d+%", "", row).strip())) for row in rows]
