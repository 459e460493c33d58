"""From rows of a table to products: keys, doubtful labels, several photos of one."""

import pytest

from hangtag.domain.errors import TableError
from hangtag.exporting.products import ProductReader
from hangtag.tables.reading import open_table
from label_tables import make_row


def read(path, **options):
    return list(ProductReader(open_table(path), **options))


def test_labels_the_sheet_and_the_key_are_told_apart(write_labels):
    (product,) = read(write_labels(make_row("007")))
    assert product.key == "007"
    assert product.line == 2
    assert product.sheet == {"sku": "007", "name": "Shirt 007", "price": "9.50"}
    assert product.labels["articleType"] == "Shirts"
    assert product.photos == ["007.jpg"]
    assert not product.doubts
    assert product.sure == product.labels


def test_levels_under_the_answer_are_doubtful(write_labels):
    (product,) = read(write_labels(make_row("1", level="subCategory")))
    assert set(product.doubts) == {"articleType"}
    assert "articleType" not in product.sure
    assert product.sure["subCategory"] == "Topwear"


def test_an_attribute_is_doubtful_under_a_confidence(write_labels):
    labels = write_labels(make_row("1", usage_confidence=0.5))
    assert read(labels)[0].doubts == {"usage": "the confidence is 0.50, under 0.70"}
    assert not read(labels, sure=0.4)[0].doubts


@pytest.mark.parametrize("confidence", ["0,5", "50%", "50,0%"])
def test_a_confidence_may_be_saved_by_a_spreadsheet(write_labels, confidence):
    labels = write_labels(make_row("1", usage_confidence=confidence))
    assert read(labels)[0].doubts == {"usage": "the confidence is 0.50, under 0.70"}


@pytest.mark.parametrize(
    ("flags", "is_doubtful"), [("not_a_product", True), ("blank;blurred", True), ("blurred", False)]
)
def test_a_flag_may_put_everything_in_doubt(write_labels, flags, is_doubtful):
    (product,) = read(write_labels(make_row("1", flags=flags)))
    assert ("*" in product.doubts) == is_doubtful
    assert bool(product.sure) != is_doubtful


def test_a_photo_without_labels_keeps_its_row(write_labels):
    empty = dict.fromkeys(make_row("1"), "") | {"sku": "1", "status": "failed", "reason": "truncated"}
    (product,) = read(write_labels(empty))
    assert product.doubts == {"*": "the photo has no labels (truncated)"}


def test_photos_of_a_product_are_joined_wherever_their_rows_stand(write_labels):
    labels = write_labels(
        make_row("A", baseColour="Red"),
        make_row("B"),
        make_row("A", baseColour="Blue", baseColour_confidence=0.3, name=""),
        make_row("A", baseColour="Red", level="subCategory"),
    )
    products = read(labels)
    assert [product.key for product in products] == ["B", "A"]
    joined = products[1]
    assert joined.labels["baseColour"] == "Red"
    assert not joined.doubts
    assert len(joined.photos) == 3
    assert joined.sheet["name"] == "Shirt A"
    assert [product.key for product in read(labels, by_photo=True)] == ["A", "B", "A", "A"]


def test_a_sure_photo_counts_more_than_two_doubtful_ones(write_labels):
    doubtful = {"path": "Apparel › Dress › Dresses", "level": "masterCategory"}
    labels = write_labels(make_row("A"), make_row("A", **doubtful), make_row("A", **doubtful))
    (product,) = read(labels)
    assert product.labels["articleType"] == "Shirts"
    assert not product.doubts


def test_a_flagged_photo_does_not_spoil_the_others(write_labels):
    labels = write_labels(make_row("A", flags="not_a_product", baseColour="Red"), make_row("A"))
    (product,) = read(labels)
    assert not product.doubts
    assert product.labels["baseColour"] == "Navy Blue"


def test_rows_without_a_key_stay_apart(write_labels):
    assert len(read(write_labels(make_row(""), make_row("")))) == 2


def test_the_key_is_named_or_found_or_the_path(write_labels, tmp_path):
    labels = write_labels(make_row("1"))
    assert ProductReader(open_table(labels)).key == "sku"
    assert read(labels, key="name")[0].key == "Shirt 1"
    bare = tmp_path / "bare.csv"
    bare.write_text("path,gender\n7.jpg,Men\n", encoding="utf-8")
    assert ProductReader(open_table(bare)).key is None
    assert read(bare)[0].key == "7.jpg"


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("style,id,Product-ID", "Product-ID"),
        ("Style,ID", "ID"),
        ("item_group_id,id", "id"),
        ("Variant SKU,Handle", "Handle"),
        ("gtin,code", None),
    ],
)
def test_of_several_usual_keys_the_most_certain_is_taken(tmp_path, header, key):
    labels = tmp_path / "labels.csv"
    labels.write_text(f"path,gender,{header}\n7.jpg,Men{',1' * len(header.split(','))}\n", encoding="utf-8")
    assert ProductReader(open_table(labels)).key == key


def test_a_table_without_labels_is_refused(tmp_path):
    table = tmp_path / "sheet.csv"
    table.write_text("sku,price\n1,2\n", encoding="utf-8")
    with pytest.raises(TableError, match="the table has no labels"):
        ProductReader(open_table(table))
