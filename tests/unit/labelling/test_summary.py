import pytest

from hangtag.domain.prediction import Flag
from hangtag.domain.reasons import Reason
from hangtag.labelling.outputs import Layout
from hangtag.labelling.run import Summary

LAYOUT = Layout(("masterCategory", "articleType", "usage"), frozenset(["masterCategory", "articleType"]))
ROWS = {
    "status": ["labelled", "failed", "labelled", "labelled"],
    "reason": [None, "empty", None, None],
    "masterCategory": ["Apparel", None, "Apparel", "Footwear"],
    "articleType": ["Tshirts", None, "Jeans", "Shoes"],
    "articleType_confidence": [0.95, None, 0.9, 0.3],
    "answer_level": ["articleType", None, "masterCategory", None],
    "flags": [(), None, (), ("blank",)],
}


def test_photos_reasons_labels_and_confidences_are_counted():
    summary = Summary(LAYOUT)
    assert summary.columns == list(ROWS)
    summary.add(ROWS)
    summary.photos_before = 4
    summary.add(ROWS)
    assert (summary.photos, summary.labelled, summary.failed) == (8, 6, 2)
    assert summary.reasons == {Reason.EMPTY: 2}
    assert summary.categories == {"default": {"Apparel": 4, "Footwear": 2}}
    assert summary.labels["default"]["articleType"] == {"Tshirts": 2, "Jeans": 2, "Shoes": 2}
    assert summary.bands == {"default": [2, 0, 0, 4]}
    assert summary.answers == {"default": {"articleType": 2, "masterCategory": 2, None: 2}}
    assert summary.flags == {"default": {Flag.BLANK: 2}}
    summary.seconds = 2.0
    assert summary.images_per_second == 2


def test_each_model_is_counted_by_itself_and_photos_once():
    layout = Layout(("season", "usage"), frozenset(["season", "usage"]), ("one", "two"))
    summary = Summary(layout)
    summary.add(
        {
            "model": ["one", "two"] * 2,
            "status": ["labelled"] * 2 + ["failed"] * 2,
            "reason": [None, None, "corrupt", "corrupt"],
            "season": ["Summer", None, None, None],
            "usage": [None, "Sports", None, None],
            "season_confidence": [0.6, None, None, None],
            "answer_level": [None] * 4,
            "flags": [(), (), None, None],
        }
    )
    assert (summary.photos, summary.failed) == (2, 1)
    assert summary.categories == {"one": {"Summer": 1}, "two": {"Sports": 1}}
    assert summary.bands == {"one": [0, 1, 0, 0], "two": [0, 0, 0, 0]}


def test_as_json_it_says_all_of_it():
    summary = Summary(LAYOUT, seconds=2.0)
    summary.add(ROWS)
    found = summary.to_json()
    assert {name: found[name] for name in ("photos", "labelled", "failed", "reasons")} == {
        "photos": 4,
        "labelled": 3,
        "failed": 1,
        "reasons": {"empty": 1},
    }
    assert found["models"]["default"]["labels"]["masterCategory"] == {"Apparel": 2, "Footwear": 1}
    assert found["models"]["default"]["confidence"]["bands"] == [
        {"from": 0.0, "to": 0.5, "photos": 1},
        {"from": 0.5, "to": 0.7, "photos": 0},
        {"from": 0.7, "to": 0.9, "photos": 0},
        {"from": 0.9, "to": 1.0, "photos": 2},
    ]


@pytest.mark.parametrize("confidence", [0.0, 1.0])
def test_the_ends_of_the_range_belong_to_it(confidence):
    summary = Summary(LAYOUT)
    summary.add({name: cells[:1] for name, cells in ROWS.items()} | {"articleType_confidence": [confidence]})
    assert sum(summary.bands["default"]) == 1
