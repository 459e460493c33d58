"""Jobs that the first edition stored become batches, on either database."""

import pytest
from sqlalchemy import inspect

import first_edition
from first_edition import LOOSE, SPRING
from hangtag.domain.errors import UsageError
from hangtag.domain.taxonomy import Taxonomy
from hangtag.store.first_edition import adopt_jobs, count_jobs
from hangtag.store.log import list_decisions
from postgres import get_server
from store_shop import HEADS, PATHS, build_card, open_shop

TAXONOMY = Taxonomy(("masterCategory", "articleType"), PATHS)
GENDERED = build_card(heads=HEADS | {"gender": ("Men", "Women", "Unisex")}, taxonomy=TAXONOMY)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request):
    """The URL of an empty database; None for SQLite in the folder of the store."""
    return None if request.param == "sqlite" else get_server().make_database()


@pytest.fixture
def shop(url, tmp_path):
    (tmp_path / "data").mkdir()
    first_edition.make_data_folder(tmp_path / "data", url)
    if url is None:
        (tmp_path / "data" / "hangtag.db").rename(tmp_path / "test.db")
    shop = open_shop(tmp_path, url, GENDERED)
    yield shop
    shop.store.engine.dispose()


def said(product):
    return {name: (entry["value"], entry["state"]) for name, entry in product["label"].items()}


def test_jobs_become_batches_with_their_photos_tables_and_corrections(shop):
    told = []
    assert count_jobs(shop.store.engine) == 2
    assert adopt_jobs(shop.store, shop.find_model, told.append) == 2
    assert told == [
        "The job 'Spring' is now a batch of 4 photos.",
        "The job 'Loose' is now a batch of 3 photos.",
    ]
    spring = shop.batches.get(SPRING)
    assert (spring["name"], spring["state"], spring["counts"]["photos"]) == ("Spring", "labelling", 4)
    assert spring["created"] < spring["updated"]
    shop.label()
    front, second, absent, broken, loose = shop.list(SPRING)
    assert front["row"] == {"sku": "2001", "price": "19.90", "when": "2026-01-05"}
    assert [photo["name"] for photo in front["photos"]] == ["in/2001_front.png"]
    assert said(front)["gender"] == ("Women", "corrected")
    assert said(second)["gender"] == ("Men", "confirmed")
    assert absent["needs"]["why"] == "no_photo"
    assert (absent["key"], absent["row"]["price"]) == ("2009", "3")
    assert broken["photos"][0]["error"]["reason"] == "not_a_photo"
    assert (loose["name"], loose["row"]) == ("loose.png", None)
    assert {name: label["state"] for name, label in loose["label"].items()}["gender"] == "predicted"


def test_what_people_said_of_each_photo_is_kept_and_can_be_undone(shop):
    adopt_jobs(shop.store, shop.find_model)
    shop.label()
    first, second, again = shop.list(LOOSE)
    assert said(first)["gender"] == ("Men", "confirmed")
    assert said(second)["articleType"] == ("Watches", "corrected")
    assert said(again)["gender"] == ("Women", "corrected")
    assert again["photos"][0]["duplicate_of"]["photo"] == first["photos"][0]["id"]
    entries, total = list_decisions(shop.store, LOOSE, int(second["id"]), (0, 9))
    assert (total, entries[0]["kind"]) == (1, "set")
    assert shop.decisions.undo(LOOSE, None)["changed"] == 3
    assert said(shop.list(LOOSE)[2])["gender"][1] == "predicted"


def test_it_happens_once_and_leaves_no_jobs(shop, tmp_path):
    adopt_jobs(shop.store, shop.find_model)
    assert not {"jobs", "job_photos", "job_results", "job_labels"} & set(
        inspect(shop.store.engine).get_table_names()
    )
    assert not (tmp_path / "data" / "jobs").exists()
    assert adopt_jobs(shop.store, shop.find_model) == count_jobs(shop.store.engine) == 0
    assert shop.batches.page(archived=False, text="", page=(0, 9))[1] == 2


@pytest.mark.parametrize("place", ["insert_photos", "regroup", "update_state"])
def test_an_end_in_the_middle_loses_nothing_and_repeats_nothing(shop, monkeypatch, place):
    with monkeypatch.context() as broken:
        broken.setattr(f"hangtag.store.first_edition.{place}", lambda *_: int("x"))
        with pytest.raises(ValueError, match="'x'"):
            adopt_jobs(shop.store, shop.find_model)
    assert count_jobs(shop.store.engine) == 2
    adopt_jobs(shop.store, shop.find_model)
    shop.label()
    assert [len(shop.list(id_)) for id_ in (SPRING, LOOSE)] == [5, 3]


def test_photos_that_were_lost_are_named_with_the_reason(shop, tmp_path):
    (tmp_path / "data" / "jobs" / LOOSE / "000001").unlink()
    (tmp_path / "data" / "jobs" / SPRING / "000000").write_bytes(b"PK no zip any more")
    adopt_jobs(shop.store, shop.find_model)
    assert [product["photos"][0]["error"] for product in shop.list(LOOSE)][1]["reason"] == "not_found"
    assert [len(product["photos"]) for product in shop.list(SPRING)] == [1, 1, 0, 1, 1]


def test_a_model_that_is_gone_is_replaced_by_the_default_one(shop):
    def find(id_):
        if id_ is not None:
            raise UsageError("there is no such model")
        return shop.find_model(None)

    adopt_jobs(shop.store, find)
    assert shop.batches.get(SPRING)["model"]["id"] == "fake"
