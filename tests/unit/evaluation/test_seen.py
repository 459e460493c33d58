"""What a report says about photos that a model may have seen: every case, by card and table alone."""

import json
from dataclasses import replace

import pyarrow as pa
import pytest

from fakes import FAKE_PREPROCESSING, build_card
from hangtag.bundle.card import OodDetectorCard
from hangtag.datasets.splits import data_fingerprint
from hangtag.evaluation.photo_set import PhotoSet, kept_back_photos, split_photos
from hangtag.evaluation.seen import Verdict, is_own_table, judge

FACTS = {"strategy": "grouped", "seed": 7, "counts": {"train": 1, "test": 1}}
HEADS = {"baseColour": ("Red", "Green", "Blue")}
SPLITS = ("train", "validation", "test")


def split_table(first="1.png"):
    table = pa.table(
        {"photo": [first, "2.png", "3.png"], "baseColour": ["Red", "Green", "Blue"], "split": SPLITS}
    )
    return table.replace_schema_metadata({b"hangtag.split": json.dumps(FACTS)})


def trained_card(**data):
    sha256 = data_fingerprint(split_table(), list(HEADS), FAKE_PREPROCESSING)
    return build_card(
        heads=HEADS, data={"catalogue": "shop", "sha256": sha256, "split": FACTS, "train_photos": 1, **data}
    )


@pytest.mark.parametrize(
    ("split", "verdict", "words"),
    [
        ("test", Verdict.HELD_OUT, "never saw these photos"),
        ("validation", Verdict.TUNED_ON, "slightly too high"),
        ("train", Verdict.TRAINED_ON, "was trained on these photos"),
    ],
)
def test_the_models_own_table_tells_exactly(split, verdict, words):
    found = judge(trained_card(), split_photos(split_table(), None, split))
    assert found.verdict is verdict
    assert words in found.reason


@pytest.mark.parametrize("split", SPLITS)
def test_another_table_may_have_been_seen(split):
    photos = split_photos(split_table(first="9.png"), None, split)
    found = judge(trained_card(), photos)
    assert found.verdict is Verdict.PERHAPS_TRAINED_ON
    assert "may have been in its training" in found.reason
    assert "too high" in found.reason


def test_a_table_without_the_models_columns_is_not_its_own():
    table = split_table().drop_columns(["baseColour"])
    assert not is_own_table(trained_card(), split_photos(table, None, "test"))


def test_a_model_with_joined_sets_is_known_by_how_its_table_was_split():
    card = trained_card(sha256="of more rows", joined=["custom"])
    assert judge(card, split_photos(split_table(), None, "test")).verdict is Verdict.HELD_OUT
    other = split_table().replace_schema_metadata({b"hangtag.split": json.dumps(FACTS | {"seed": 8})})
    assert judge(card, split_photos(other, None, "test")).verdict is Verdict.PERHAPS_TRAINED_ON


@pytest.mark.parametrize("joined", [[], ["custom"]])
def test_a_limited_run_is_known_by_how_its_table_was_split(joined):
    card = trained_card(sha256="of fewer rows", train_photos=0, joined=joined)
    photos = split_photos(split_table(), None, "test")
    assert judge(card, photos).verdict is Verdict.HELD_OUT
    assert not is_own_table(card, photos)  # which of its rows were left out is not known
    assert is_own_table(trained_card(sha256="of more rows", joined=["custom"]), photos)


@pytest.mark.parametrize(
    "facts", [{"without_suspects": {"baseColour": 3}}, {"corrections": {"labels": {"baseColour": 3}}}]
)
def test_a_run_with_other_labels_than_its_table_is_known_by_how_that_was_split(facts):
    card = trained_card(sha256="of other labels", **facts)
    photos = split_photos(split_table(), None, "test")
    assert judge(card, photos).verdict is Verdict.HELD_OUT
    assert not is_own_table(card, photos)  # which of its labels were not learnt is not known
    whole = trained_card(sha256="of other rows", without_suspects={"baseColour": 0})
    assert judge(whole, photos).verdict is Verdict.PERHAPS_TRAINED_ON


def test_the_way_of_splitting_is_no_proof_where_nothing_else_differs():
    card = trained_card(sha256="of other rows")
    assert judge(card, split_photos(split_table(), None, "test")).verdict is Verdict.PERHAPS_TRAINED_ON
    silent = split_table().replace_schema_metadata(None)
    no_facts = trained_card(sha256="of more rows", joined=["custom"], split={})
    assert judge(no_facts, split_photos(silent, None, "test")).verdict is Verdict.PERHAPS_TRAINED_ON


def test_a_card_that_does_not_know_its_data_leaves_it_open():
    assert (
        judge(build_card(heads=HEADS), split_photos(split_table(), None, "test")).verdict is Verdict.UNKNOWN
    )
    assert judge(build_card(), PhotoSet("custom", split_table(), None)).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("joined", "verdict"),
    [(None, Verdict.HELD_OUT), ([], Verdict.HELD_OUT), (["custom"], Verdict.TRAINED_ON)],
)
def test_the_custom_set_was_seen_where_it_was_joined(joined, verdict):
    card = trained_card() if joined is None else trained_card(joined=joined)
    assert judge(card, PhotoSet("custom", split_table(), None)).verdict is verdict


@pytest.mark.parametrize("name", ["custom", "people"])
def test_what_was_kept_back_of_a_joined_set_was_not_learnt_from(name):
    found = judge(trained_card(joined=[name]), kept_back_photos(name, split_table(), None))
    assert found.verdict is Verdict.KEPT_BACK
    assert "did not learn from these photos" in found.reason
    assert "OOD" not in found.reason


def test_an_ood_detector_was_set_by_what_was_kept_back_too():
    card = replace(trained_card(joined=["people"]), ood_detector=OodDetectorCard("score", 0.0, "drawn"))
    found = judge(card, kept_back_photos("people", split_table(), None))
    assert "OOD detector was chosen with such photos" in found.reason


@pytest.mark.parametrize(
    ("catalogue", "verdict"), [("shop", Verdict.PERHAPS_TRAINED_ON), ("street", Verdict.UNKNOWN)]
)
def test_a_labelled_set_is_judged_by_the_catalogue_that_it_is(catalogue, verdict):
    photos = PhotoSet("mine", split_table(), None, {"catalogue": catalogue})
    assert judge(trained_card(), photos).verdict is verdict


def test_the_photos_that_a_model_was_adapted_to_may_have_been_seen():
    photos = PhotoSet("shop", pa.table({"photo": ["1.png"]}), None, {"catalogue": "boutique"})
    card = trained_card(adapted={"labelled": ["boutique"]})
    assert judge(card, photos).verdict is Verdict.PERHAPS_TRAINED_ON
    assert judge(trained_card(adapted={"labelled": ["other"]}), photos).verdict is Verdict.UNKNOWN
