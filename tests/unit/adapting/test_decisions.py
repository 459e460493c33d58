import json

import pytest

from hangtag.adapting.decisions import (
    Decision,
    is_decisions,
    labelling_config,
    measure_agreement,
    merge_decisions,
    read_decisions,
    write_decisions,
)
from hangtag.domain.errors import TableError

DECISIONS = [
    Decision("a.jpg", "articleType", "Shirts", "ann@shop", "2026-01-01T10:00:00Z"),
    Decision("a.jpg", "gender", "Men", "ann@shop", "2026-01-01T10:00:00Z"),
    Decision("a.jpg", "articleType", "Tshirts", "bob@shop", "2026-01-02T10:00:00Z"),
    Decision("b, c.jpg", "articleType", "Jeans"),
]

EXPORTED = [
    {
        "id": 7,
        "data": {"image": "https://shop.example/a.jpg", "sku": "17"},
        "annotations": [
            {
                "id": 1001,
                "completed_by": 4,
                "was_cancelled": False,
                "created_at": "2026-03-09T22:16:08.728353Z",
                "updated_at": "2026-03-09T22:17:08.728378Z",
                "result": [
                    {
                        "id": "Dx_aB91ISN",
                        "from_name": "articleType",
                        "to_name": "image",
                        "type": "choices",
                        "origin": "manual",
                        "value": {"choices": ["Shirts"]},
                    },
                    {"from_name": "box", "to_name": "image", "type": "rectanglelabels", "value": {"x": 1}},
                ],
            },
            {
                "completed_by": {"id": 5, "email": "bob@shop"},
                "was_cancelled": True,
                "result": [{"from_name": "articleType", "type": "choices", "value": {"choices": ["Jeans"]}}],
            },
        ],
        "predictions": [
            {"result": [{"from_name": "gender", "type": "choices", "value": {"choices": ["Men"]}}]}
        ],
    }
]


@pytest.mark.parametrize("name", ["decisions.csv", "decisions.json"])
def test_decisions_survive_the_file(tmp_path, name):
    write_decisions(DECISIONS, tmp_path / name)
    assert is_decisions(tmp_path / name)
    assert read_decisions(tmp_path / name) == DECISIONS


def test_an_export_of_label_studio_gives_what_people_chose_and_nothing_else(tmp_path):
    path = tmp_path / "export.json"
    path.write_text(json.dumps(EXPORTED))
    assert read_decisions(path) == [
        Decision("https://shop.example/a.jpg", "articleType", "Shirts", "4", "2026-03-09T22:17:08.728378Z")
    ]


@pytest.mark.parametrize("text", ["{}", "[1]", "not JSON", '[{"data": {}, "annotations": []}]', "[{}]"])
def test_other_json_is_refused_with_its_path(tmp_path, text):
    path = tmp_path / "export.json"
    path.write_text(text)
    with pytest.raises(TableError, match=r"export\.json"):
        read_decisions(path)


def test_the_latest_decision_counts():
    assert merge_decisions(DECISIONS) == {
        "a.jpg": {"articleType": "Tshirts", "gender": "Men"},
        "b, c.jpg": {"articleType": "Jeans"},
    }
    assert merge_decisions(reversed(DECISIONS))["a.jpg"]["articleType"] == "Tshirts"


def test_the_labelling_interface_offers_the_labels():
    found = labelling_config({"articleType": ["T<shirt", "Jeans"]})
    assert '<Choices name="articleType" toName="image" choice="single">' in found
    assert '<Choice value="T&lt;shirt" />' in found


def test_kappa_is_agreement_beyond_chance():
    """Cohen's own kind of table: 20 both yes, 15 both no, 5 and 10 differ of 50: 0.7 agreed, 0.5 by chance."""
    pairs = [("y", "y")] * 20 + [("n", "n")] * 15 + [("y", "n")] * 5 + [("n", "y")] * 10
    said = [
        Decision(f"{number}", "gender", label, reviewer)
        for number, pair in enumerate(pairs)
        for reviewer, label in zip(("ann", "bob"), pair, strict=True)
    ]
    (found,) = measure_agreement(said)
    assert (found.photos, found.reviewers) == (50, ("ann", "bob"))
    assert found.agreed == pytest.approx(0.7)
    assert found.kappa == pytest.approx(0.4)


def test_kappa_is_unknown_where_both_gave_one_label_and_nobody_is_compared_with_himself():
    same = [Decision(photo, "gender", "Men", reviewer) for photo in "ab" for reviewer in ("ann", "bob")]
    (found,) = measure_agreement(same)
    assert (found.agreed, found.kappa) == (1.0, None)
    assert (
        measure_agreement([Decision("a", "gender", "Men", "ann"), Decision("b", "gender", "Men", "bob")])
        == []
    )
