import io
import zipfile

import pytest

from fakes import encode, paint
from hangtag.domain.errors import InvalidFieldsError, NotStoredError, UsageError
from hangtag.store.batches import BatchChange
from hangtag.store.decisions import Decision
from hangtag.store.folder import FolderClaim
from hangtag.store.index import Filter
from hangtag.store.sheets import ColumnMapping
from hangtag.tables.sandbox import TableSize
from store_shop import draw

VIEWS = {"1_front.png": "Red", "1_back.png": ("Red", 1), "2_front.png": "Green", "2_back.png": ("Blue", 2)}
SHEET = b"sku,title,colour,price\n1,Shirt,Red,9.90\n2,Shoe,Red,10\n3,Watch,Blue,5\n"


def names(products):
    return {product["name"]: [photo["name"] for photo in product["photos"]] for product in products}


def zip_of(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_photos_become_products_with_one_label(shop):
    batch = shop.make(VIEWS)
    found = shop.batches.get(batch)
    assert found["state"] == "ready"
    assert found["created_by"] == "ann"
    assert found["grouping"] == {"by": "name", "pattern": "{key}_{view}"}
    assert found["counts"]["products"] == 2
    assert found["counts"]["photos"] == 4
    first, second = shop.list(batch)
    assert first["key"] == "1"
    assert [photo["view"] for photo in first["photos"]] == ["front", "back"]
    assert first["path"] == ["Apparel", "Tshirts"]
    assert first["label"]["baseColour"]["value"] == "Red"
    assert first["needs"] is None
    assert second["needs"]["why"] in {"photos_disagree", "unsure"}


def test_the_photo_that_says_something_else_is_named(shop):
    files = {"1_front.png": "Red", "1_back.png": ("Red", 1), "1_detail.png": ("Blue", 3)}
    product = shop.list(shop.make(files))[0]
    assert product["label"]["baseColour"]["value"] == "Red"
    assert [photo["disagrees"] for photo in product["photos"]][:2] == [[], []]
    assert "baseColour" in product["photos"][2]["disagrees"]


def test_a_product_of_one_photo_has_the_photos_answer(shop):
    product = shop.list(shop.make({"a.png": encode(paint((120, 60, 20)))}))[0]
    ranked = product["label"]["baseColour"]["candidates"]
    assert [candidate["value"] for candidate in ranked] == ["Red", "Green", "Blue"]
    assert sum(candidate["confidence"] for candidate in ranked) == pytest.approx(1, abs=1e-4)
    assert product["label"]["baseColour"]["confidence"] == ranked[0]["confidence"]


def test_files_come_together_in_any_mixture(shop):
    content = zip_of({"in/9_front.png": b"no photo", "notes.txt": b"x", "sheet.csv": SHEET})
    batch = shop.make()
    received = shop.add(batch, VIEWS | {"more.zip": content})
    assert [file["kind"] for file in received] == ["photo"] * 4 + ["zip"]
    assert received[-1]["photos"] == 1
    assert "neither photos nor tables" in received[-1]["problem"]
    assert shop.batches.get(batch)["sheet"]["name"] == "sheet.csv"


def test_a_table_in_a_zip_that_cannot_be_read_costs_no_photo(shop):
    content = zip_of({"sheet.xlsx": b"no workbook", "a.png": draw("Red"), "b.png": draw("Blue")})
    batch = shop.make()
    received = shop.add(batch, {"more.zip": content})[0]
    assert received["photos"] == 2
    assert "sheet.xlsx" in received["problem"]
    assert shop.batches.get(batch)["sheet"] is None


def test_a_zip_with_an_enormous_index_is_refused_before_it_is_read(shop, monkeypatch):
    monkeypatch.setattr("hangtag.store.intake.measure_index", lambda _: 10**9)
    received = shop.add(shop.make(), {"more.zip": zip_of({"a.png": draw("Red")})})[0]
    assert (received["photos"], received["problem"]) == (0, "the zip has too many entries")


def test_a_batch_takes_only_so_many_photos(shop, monkeypatch):
    batch = shop.make({"a.png": "Red"})
    monkeypatch.setattr("store_shop.MAX_PHOTOS", 2)
    with pytest.raises(InvalidFieldsError, match="at most 2 photos"):
        shop.add(batch, {"b.png": "Red", "c.png": "Blue"})
    received = shop.add(batch, {"b.png": "Green"})
    assert received[0]["problem"] is None
    assert shop.batches.get(batch)["counts"]["photos"] == 2


def test_a_list_without_a_header_loses_no_row(shop):
    batch = shop.make({"a.png": "Red", "b.png": "Blue", "list.csv": b"a.png,9.90\nb.png,7.50\n"})
    assert [product["row"]["column 1"] for product in shop.list(batch)] == ["a.png", "b.png"]
    assert shop.batches.get(batch)["grouping"]["by"] == "sku"


def test_what_is_no_photo_keeps_its_place_with_a_reason(shop):
    batch = shop.make({"a.png": "Red", "b.jpg": b"hello"})
    good, bad = shop.list(batch)
    assert good["photos"][0]["error"] is None
    assert bad["photos"][0]["error"]["reason"] == "not_a_photo"
    assert bad["needs"] == {"attribute": None, "why": "unreadable"}
    assert shop.batches.get(batch)["counts"]["failed"] == 1
    counts = shop.products.count(batch, Filter())
    assert counts["reasons"] == {"not_a_photo": 1}
    assert sum(counts["confidences"]) == sum(counts["answers"].values()) == 1
    assert shop.products.count(batch, Filter(text="a.png"))["reasons"] == {}


def test_a_sheet_gives_products_their_sku_name_and_row(shop):
    batch = shop.make(VIEWS | {"sheet.csv": SHEET})
    products = shop.list(batch)
    assert [(product["key"], product["name"]) for product in products] == [
        ("1", "Shirt"),
        ("2", "Shoe"),
        ("3", "Watch"),
    ]
    assert products[0]["row"] == {"sku": "1", "title": "Shirt", "colour": "Red", "price": "9.90"}
    assert products[1]["needs"] == {"attribute": "baseColour", "why": "differs_from_sheet"}
    assert products[2]["needs"] == {"attribute": None, "why": "no_photo"}


def test_a_mapping_is_proposed_and_corrected_before_it_is_used(shop):
    batch = shop.make(VIEWS | {"sheet.csv": SHEET})
    described = shop.batches.describe_sheet(batch)
    assert described["mapping"]["key"] == "sku"
    assert described["mapping"]["labels"] == {"baseColour": "colour"}
    assert described["counts"] == {
        "rows": 3,
        "products": 3,
        "matched": 2,
        "without_photo": 1,
        "without_row": 0,
        "ambiguous": 0,
    }
    wrong = shop.batches.describe_sheet(batch, mapping=ColumnMapping(key="price"))
    assert wrong["counts"]["matched"] == 0
    assert len(shop.list(batch)) == 3  # nothing has changed
    shop.batches.use_sheet(batch, None, ColumnMapping(key="sku"))
    assert shop.batches.get(batch)["sheet"]["mapped"]
    assert shop.list(batch)[0]["needs"] is None
    with pytest.raises(InvalidFieldsError, match="no column 'SKU code'"):
        shop.batches.use_sheet(batch, None, ColumnMapping(key="SKU code"))


def test_of_two_sheets_one_is_chosen(shop):
    other = b"code,title\n1,Hat\n2,Cap\n"
    batch = shop.make(VIEWS | {"sheet.csv": SHEET, "other.csv": other})
    described = shop.batches.describe_sheet(batch)
    assert described["sheets"] == ["sheet.csv", "other.csv"]
    assert described["chosen"] == "sheet.csv"
    shop.batches.use_sheet(batch, "other.csv", None)
    assert [product["name"] for product in shop.list(batch)] == ["Hat", "Cap"]
    with pytest.raises(InvalidFieldsError, match=r"no sheet 'third.csv'"):
        shop.batches.use_sheet(batch, "third.csv", None)


def test_grouping_again_keeps_what_people_decided(shop):
    batch = shop.make(VIEWS)
    first = int(shop.list(batch)[0]["id"])
    shop.decisions.decide(batch, Decision(products=(first,), set={"baseColour": "Blue"}), "ann")
    shop.batches.group(batch, "photo", None)
    assert len(shop.list(batch)) == 4
    shop.batches.group(batch, "name", "{key}_{view}")
    products = shop.list(batch)
    assert len(products) == 2
    assert products[0]["label"]["baseColour"]["value"] == "Blue"
    assert products[0]["label"]["baseColour"]["state"] == "corrected"
    with pytest.raises(InvalidFieldsError, match="no sheet"):
        shop.batches.group(batch, "sku", None)


def test_the_front_comes_first(shop):
    batch = shop.make(
        {"SKU-1_back.png": "Red", "SKU-1_detail.png": ("Red", 1), "SKU-1_front.png": ("Red", 2)}
    )
    (product,) = shop.list(batch)
    assert [photo["view"] for photo in product["photos"]] == ["front", "back", "detail"]
    assert shop.batches.get(batch)["cover"] == [product["photos"][0]["id"]]


def test_duplicates_are_shown_and_can_be_skipped(shop):
    first = shop.make({"a.png": "Red", "b.png": "Green"})
    second = shop.make({"again.png": "Red"})
    photo = shop.list(second)[0]["photos"][0]
    assert photo["duplicate_of"]["batch"] == first
    received = shop.add(second, {"third.png": "Red", "new.png": "Blue"}, skip_duplicates=True)
    assert received[0]["problem"] == "it is already in a batch and was skipped"
    assert sorted(names(shop.list(second))) == ["again.png", "new.png"]
    shop.add(second, {"x.png": ("Red", 7), "y.png": ("Red", 7)})
    received = shop.add(second, {"x.png": ("Red", 8), "y.png": ("Red", 8)}, skip_duplicates=True)
    assert [file["photos"] for file in received] == [1, 0]
    twice = next(product for product in shop.list(second) if product["name"] == "y.png")
    assert twice["photos"][0]["duplicate_of"]["batch"] == second
    assert [product["name"] for product in shop.list(second, flag="duplicate")] == ["again.png", "y.png"]
    assert shop.products.count(second, Filter())["flags"]["duplicate"] == 2


def test_the_same_upload_twice_is_one(shop):
    batch = shop.make()
    first = shop.add(batch, {"a.png": "Red"}, key="k")
    assert shop.add(batch, {"a.png": "Red"}, key="k") == first
    assert len(shop.list(batch)) == 1


def test_a_batch_is_renamed_archived_and_found(shop):
    batch = shop.make({"a.png": "Red"}, name="Autumn 50%")
    shop.make(name="Winter")
    shop.batches.change(batch, BatchChange({"name": "Autumn 50 %", "archived": True}))
    assert [found["name"] for found in shop.batches.page(archived=True, text="50 %", page=(0, 9))[0]] == [
        "Autumn 50 %"
    ]
    assert shop.batches.page(archived=True, text="5_ %", page=(0, 9)) == ([], 0)
    assert shop.batches.page(archived=False, text="", page=(0, 9))[1] == 1


def test_another_model_labels_all_photos_and_leaves_decisions_alone(shop):
    batch = shop.make({"a.png": "Red", "b.png": "Green"})
    number = int(shop.list(batch)[0]["id"])
    shop.decisions.decide(batch, Decision(products=(number,), set={"baseColour": "Blue"}), "ann")
    changed = shop.batches.change(batch, BatchChange({}, "other"))
    assert changed["model"]["id"] == "other"
    assert changed["state"] == "labelling"
    shop.label()
    assert shop.batches.get(batch)["state"] == "ready"
    assert shop.list(batch)[0]["label"]["baseColour"]["value"] == "Blue"
    assert shop.batches.change(batch, BatchChange({}, "fake"))["state"] == "ready"  # its answers are kept


def test_a_duplicate_has_the_photos_and_the_sheet_without_the_decisions(shop):
    batch = shop.make(VIEWS | {"sheet.csv": SHEET})
    shop.decisions.decide(batch, Decision(matching=None, products=(1,), confirm=True), "ann")
    copy = shop.batches.duplicate(batch, "bob")
    shop.label()
    assert copy["name"] == "Spring (copy)"
    products = shop.list(copy["id"])
    assert names(products) == names(shop.list(batch))
    assert {product["state"] for product in products} == {"to_check"}


def test_deleting_a_batch_removes_the_photos_that_no_other_has(shop):
    kept = shop.make({"a.png": "Red"})
    gone = shop.make({"a.png": "Red", "b.png": "Green", "s.csv": SHEET})
    assert len(list(shop.store.folder.iter_hashes())) == 3
    shop.batches.delete(gone)
    assert len(list(shop.store.folder.iter_hashes())) == 1
    assert shop.list(kept)[0]["label"]["baseColour"]["value"] == "Red"
    with pytest.raises(NotStoredError):
        shop.batches.get(gone)


def test_one_folder_has_one_service(tmp_path):
    claim = FolderClaim(tmp_path / "data")
    with pytest.raises(UsageError, match="another `hangtag serve`"):
        FolderClaim(tmp_path / "data")
    claim.release()
    FolderClaim(tmp_path / "data").release()
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="cannot write"):
        FolderClaim(tmp_path / "file")


def test_a_table_of_too_many_cells_is_refused(shop, monkeypatch):
    monkeypatch.setattr("hangtag.store.sheet_files.MOST", TableSize(columns=2, rows=9, cells=5))
    batch = shop.batches.create("b", None, "ann")["id"]
    (received,) = shop.add(batch, {"t.csv": b"a,b\n1,2\n3,4\n5,6\n"})
    assert "more than 5 cells" in received["problem"]
    assert shop.batches.get(batch)["sheet"] is None
