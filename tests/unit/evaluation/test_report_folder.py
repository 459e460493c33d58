import importlib.util

import pyarrow as pa
import pytest

from fakes import build_card
from hangtag.domain.errors import UsageError
from hangtag.evaluation.photo_set import PhotoSet, split_photos
from hangtag.evaluation.report_folder import check_report_folder, count_examples, file_names
from hangtag.evaluation.report_page import FEW_CLASSES, draw_confusions, draw_curves, draw_reliability

pytestmark = pytest.mark.costly

PNG = b"\x89PNG"


def test_file_names_are_plain_and_their_own():
    titles = ["default", "Default", "../../etc", "a b/c", "", "x" * 200]
    assert list(file_names(titles).values()) == ["default", "Default-2", "etc", "a-b-c", "model", "x" * 60]


def test_training_photos_are_counted_by_label():
    table = pa.table(
        {
            "photo": list("abcd"),
            "baseColour": ["Red", "Red", None, "Green"],
            "split": ["train", "train", "train", "test"],
        }
    )
    card = build_card(heads={"baseColour": ("Red", "Green")})
    assert count_examples(card, split_photos(table, None, "test")) == {"baseColour": {"Red": 2}}
    assert count_examples(card, PhotoSet("mine", table, None)) == {}


def test_what_a_report_needs_is_asked_for_before_the_work(tmp_path, monkeypatch):
    check_report_folder(tmp_path / "made" / "here")
    assert (tmp_path / "made" / "here").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be made"):
        check_report_folder(tmp_path / "file" / "report")
    monkeypatch.setattr("hangtag.evaluation.report_folder.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"matplotlib and jinja2.*hangtag\[report\]"):
        check_report_folder(tmp_path)


def head(classes):
    labels = [f"class {number}" for number in range(classes)]
    counts = [[number, number, 5] for number in range(classes)] + [[0, classes - 1, 2]]
    bins = [{"low": 0.9, "high": 1.0, "count": 5 * classes + 2, "confidence": 0.95, "accuracy": 0.9}]
    return {
        "confusion": {"labels": labels, "counts": counts},
        "reliability": bins,
        "support": 5 * classes + 2,
    }


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="needs the extra report")
def test_figures_are_drawn_for_few_classes_and_for_many():
    assert set(draw_confusions("model", "gender", head(2))) == {""}
    drawn = draw_confusions("model", "gender", head(FEW_CLASSES + 1))
    assert set(drawn) == {"", "worst"}
    assert all(png.startswith(PNG) for png in drawn.values())
    assert draw_reliability("model", "gender", head(1)).startswith(PNG)


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="needs the extra report")
def test_curves_are_drawn_of_what_the_history_holds():
    rows = [{"epoch": epoch, "train_loss": 1.0, "validation_loss": 2.0} for epoch in (1, 2)]
    ((png, words),) = draw_curves(rows)
    assert png.startswith(PNG)
    assert words.startswith("Loss")
    assert list(draw_curves(rows[:1])) == []
    assert list(draw_curves([])) == []
