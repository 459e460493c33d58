"""Exports from table to file: values, doubts, rules, and files that every destination takes."""

import csv
import io
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from hangtag.domain.errors import TableError
from hangtag.exporting.run import ExportSource, export_rows, read_products
from hangtag.exporting.taxonomy import load_mapping
from hangtag.exporting.template import load_template, parse_template
from hangtag.tables.reading import open_table
from label_tables import make_row

OFFER = {
    "description": "A shirt.",
    "link": "https://shop.example/1",
    "image_link": "https://shop.example/1.jpg",
    "availability": "in stock",
    "price": "9.50 EUR",
    "size": "M",
    "ean": "4006381333931",
}


def source_of(labels, template, **more):
    return ExportSource(read_products(open_table(labels), template), **more)


def export(labels, template, **source):
    chosen = load_template(template) if isinstance(template, str) else template
    output, checks = io.BytesIO(), io.BytesIO()
    result = export_rows(source_of(labels, chosen, **source), chosen, output, checks)
    delimiter = "\t" if chosen.format == "tsv" else ","
    rows = list(csv.DictReader(io.StringIO(output.getvalue().decode()), delimiter=delimiter))
    return result, rows, list(csv.DictReader(io.StringIO(checks.getvalue().decode())))


def own_template(columns, **settings):
    lines = ["template = 1", *(f"{name} = {value!r}" for name, value in settings.items())]
    for name, source in columns.items():
        lines += ["[[columns]]", f"name = {name!r}", f"from = {source!r}"]
    return parse_template("\n".join(lines), "own.toml")


def test_a_google_feed_has_everything_google_asks_for(write_labels):
    result, rows, checks = export(write_labels(make_row("007", **OFFER)), "google")
    assert (result.written, result.refused) == (1, 0)
    assert checks == []
    assert rows[0] | {"brand": "", "mpn": ""} == {
        "id": "007", "title": "Shirt 007", "description": "A shirt.", "link": "https://shop.example/1",
        "image_link": "https://shop.example/1.jpg", "availability": "in_stock", "price": "9.50 EUR", "sale_price": "",
        "brand": "", "gtin": "4006381333931", "mpn": "", "condition": "new", "google_product_category": "212",
        "product_type": "Clothing > Tops > Shirts", "gender": "female", "age_group": "adult", "color": "Navy",
        "size": "M", "item_group_id": "",
    }  # fmt: skip


def test_a_title_is_suggested_where_the_sheet_has_none(write_labels):
    _, rows, _ = export(write_labels(make_row("1", **OFFER, name="")), "google")
    assert rows[0]["title"] == "Navy women's casual shirt"


@pytest.mark.parametrize(
    ("values", "column", "reason"),
    [
        ({"sku": "x" * 51}, "id", "51 characters, 50 are allowed"),
        ({"sku": "=1+1"}, "id", "a spreadsheet would interpret this id as a formula"),
        ({"link": "shop.example/1"}, "link", "this is not a URL"),
        ({"availability": "soon"}, "availability", "this is not a valid value"),
        ({"price": "9,50"}, "price", "the value has the wrong format"),
        ({"ean": "4006381333932"}, "gtin", "the check digit of the GTIN is wrong"),
        ({"ean": "12345"}, "gtin", "a GTIN has 8, 12, 13 or 14 digits"),
        ({"description": ""}, "description", "the value is missing"),
        ({"size": ""}, "size", "it is required for clothing and shoes in BR, DE, FR, GB, JP, US"),
        ({"baseColour_confidence": 0.2}, "color", "it is required for apparel in BR, DE, FR, GB, JP, US"),
    ],
)
def test_a_row_that_google_would_refuse_is_left_out_with_its_reason(write_labels, values, column, reason):
    good, bad = (
        make_row("2", **OFFER),
        make_row("1", **OFFER) | {key: str(value) for key, value in values.items()},
    )
    result, rows, checks = export(write_labels(good, bad), "google")
    assert [row["id"] for row in rows] == ["2"]
    assert (result.products, result.refused) == (2, 1)
    found = [check for check in checks if check["kind"] == "error"]
    assert [(check["line"], check["column"], check["reason"]) for check in found] == [("3", column, reason)]
    assert all(check["fix"] for check in found)


def test_an_id_may_not_repeat(write_labels):
    template = load_template("google-supplemental").changed(rows="photo")
    result, rows, checks = export(write_labels(make_row("1"), make_row("1")), template)
    assert len(rows) == 1
    assert checks[0]["reason"] == "line 2 has the same"
    assert result.refused == 1


def test_a_sheet_that_cannot_do_is_refused_before_anything_is_written(write_labels):
    output = io.BytesIO()
    source = source_of(write_labels(make_row("1")), load_template("google"))
    with pytest.raises(
        TableError, match="google needs description, link, image_link, availability, which the table"
    ):
        export_rows(source, load_template("google"), output)
    assert output.getvalue() == b""


def test_a_doubtful_leaf_goes_to_the_category_above_and_is_listed(write_labels):
    labels = write_labels(make_row("1", level="masterCategory"))
    result, rows, checks = export(labels, "google-supplemental")
    assert rows[0]["google_product_category"] == "1604"
    assert rows[0]["product_type"] == "Clothing"
    assert [check["column"] for check in checks] == ["subCategory", "articleType"]
    assert result.uncertain == 1


def test_a_path_without_a_category_is_never_silent(write_labels):
    labels = write_labels(make_row("1", path="Free Items › Free Gifts › Free Gifts"))
    _, rows, checks = export(labels, "google-supplemental")
    assert rows[0]["google_product_category"] == ""
    assert checks[0]["reason"].startswith("google has no category for Free Items › Free Gifts › Free Gifts")


@pytest.mark.parametrize(
    ("doubtful", "value", "refused"), [("empty", "", 0), ("mark", "Navy (?)", 0), ("refuse", None, 1)]
)
def test_what_becomes_of_a_doubtful_value_is_the_templates(write_labels, doubtful, value, refused):
    template = own_template({"sku": "sheet:sku", "colour": "word:baseColour"}, doubtful=doubtful)
    result, rows, checks = export(write_labels(make_row("1", baseColour_confidence=0.2)), template)
    assert [row["colour"] for row in rows] == ([] if value is None else [value])
    assert result.refused == refused
    assert checks[0]["reason"] == "the confidence is 0.20, under 0.70"


def test_a_doubt_that_no_column_shows_is_not_listed(write_labels):
    template = own_template({"sku": "sheet:sku", "colour": "word:baseColour"})
    _, _, checks = export(write_labels(make_row("1", usage_confidence=0.2)), template)
    assert checks == []


def test_languages_plurals_synonyms_and_value_maps(write_labels):
    text = (
        'template = 1\nlanguage = "de"\nplural = true\n[synonyms.articleType]\nShirts = "Oberhemd|Oberhemden"\n'
        '[[columns]]\nname = "Art"\nfrom = "word:articleType"\n'
        '[[columns]]\nname = "Farbe"\nfrom = ["sheet:farbe", "word:baseColour"]\nmap = {Marineblau = "Navy"}\n'
        '[[columns]]\nname = "Familie"\nfrom = "computed:family"\n'
        '[[columns]]\nname = "Pfad"\nfrom = "computed:path"\n'
    )
    _, rows, _ = export(write_labels(make_row("1")), parse_template(text, "own.toml"))
    assert rows == [
        {
            "Art": "Oberhemden",
            "Farbe": "Navy",
            "Familie": "Blau",
            "Pfad": "Bekleidung > Oberteile > Oberhemden",
        }
    ]


def test_ids_prices_and_eans_come_through_every_format_untouched(write_labels, tmp_path):
    values = {
        "sku": "000123456789012345678",
        "ean": "0012345678905",
        "price": "010.00",
        "name": "=HYPERLINK(1)",
    }
    labels = write_labels(make_row("1") | values)
    for ending in ("csv", "tsv", "xlsx", "jsonl", "parquet"):
        template = own_template({name: f"sheet:{name}" for name in values}, format=ending)
        path = tmp_path / f"out.{ending}"
        with path.open("wb") as file:
            export_rows(source_of(labels, template), template, file)
        table = open_table(path)
        found = dict(zip(table.names, next(iter(table)).values, strict=True))
        assert {name: found[name] for name in ("sku", "ean", "price")} == {
            name: values[name] for name in ("sku", "ean", "price")
        }
        if ending in {"csv", "tsv"}:
            assert found["name"] == "'=HYPERLINK(1)"


def test_xml_is_well_formed_whatever_the_sheet_holds(write_labels):
    labels = write_labels(make_row("1", **OFFER, name='Shirt <b>&"\x0b\ud7ff'))
    output = io.BytesIO()
    template = load_template("google").changed(format="xml")
    export_rows(source_of(labels, template), template, output)
    items = ET.fromstring(output.getvalue()).findall("channel/item")  # noqa: S314 - written a line above
    (item,) = items
    google = "{http://base.google.com/ns/1.0}"
    assert item.findtext(f"{google}title") == 'Shirt <b>&"\ud7ff'
    assert item.findtext(f"{google}google_product_category") == "212"
    assert item.find(f"{google}brand") is None


def test_tabs_and_breaks_become_spaces_in_tsv(write_labels):
    _, rows, _ = export(write_labels(make_row("1", **OFFER, name="A\tB\r\nC")), "google")
    assert rows[0]["title"] == "A B C"


def test_shopify_gets_its_category_and_attributes(write_labels):
    _, rows, checks = export(write_labels(make_row("1")), "shopify")
    assert checks == []
    found = rows[0]
    assert found["Product category"] == "Apparel & Accessories > Clothing > Clothing Tops > Shirts"
    assert found["Color (product.metafields.shopify.color-pattern)"] == "navy"
    assert found["Age group (product.metafields.shopify.age-group)"] == "adults"
    assert found["URL handle"] == "shirt-1-1"


def test_woocommerce_and_magento_get_paths_of_their_own(write_labels):
    labels = write_labels(make_row("1"))
    assert export(labels, "woocommerce")[1][0]["Categories"] == "Clothing > Tops > Shirts"
    assert export(labels, "magento")[1][0]["categories"] == "Default Category/Clothing/Tops/Shirts"


def test_a_shops_own_mapping_takes_the_place_of_the_templates(write_labels, tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("articleType,id,path\nShirts,9,Mode/Hemden\n", encoding="utf-8")
    _, rows, _ = export(write_labels(make_row("1")), "google-supplemental", mapping=load_mapping(own))
    assert rows[0]["google_product_category"] == "9"


def test_everything_hangtag_knows_goes_round(write_labels):
    labels = write_labels(make_row("1"), make_row("2", level="subCategory"))
    template = load_template("hangtag")
    output = io.BytesIO()
    export_rows(source_of(labels, template), template, output)
    again = labels.with_name("again.csv")
    again.write_bytes(output.getvalue())
    rows = list(csv.DictReader(io.StringIO(again.read_text("utf-8"))))
    assert [row["articleType"] for row in rows] == ["Shirts", "Shirts"]
    assert [row["doubtful"] for row in rows] == ["", "articleType"]
    result, supplemental, _ = export(again, "google-supplemental")
    assert result.written == 2
    assert supplemental[0]["color"] == "Navy"


def test_colours_come_from_the_photos(write_labels, tmp_path):
    photo = Image.new("RGB", (60, 80), "white")
    photo.paste((31, 58, 95), (15, 20, 45, 60))
    photo.save(tmp_path / "1.jpg", quality=95)
    template = own_template({"hex": "computed:hex"})
    labels = write_labels(make_row("1"))
    labels.write_text(
        labels.read_text("utf-8").replace("Apparel › Topwear › Shirts.jpg", "1.jpg"), encoding="utf-8"
    )
    _, rows, _ = export(labels, template, find_photo=lambda name: tmp_path / name)
    red, green, blue = (int(rows[0]["hex"][place : place + 2], 16) for place in (1, 3, 5))
    assert abs(red - 31) + abs(green - 58) + abs(blue - 95) < 12


@pytest.mark.parametrize(
    ("price", "currency", "google", "others"),
    [
        ("9.50 EUR", None, "9.50 EUR", "9.50"),
        ("9.50", "EUR", "9.50 EUR", "9.50"),
        ("010.00", "USD", "010.00 USD", "010.00"),
        ("9.50 EUR", "USD", "9.50 EUR", "9.50"),
    ],
)
def test_a_price_keeps_its_digits_and_gets_the_destinations_form(
    write_labels, price, currency, google, others
):
    labels = write_labels(make_row("1", **OFFER | {"price": price}))
    _, rows, _ = export(labels, load_template("google").changed(currency=currency))
    assert rows[0]["price"] == google
    assert export(labels, load_template("shopify").changed(currency=currency))[1][0]["Price"] == others


def test_what_is_no_plain_price_is_named_and_not_guessed(write_labels):
    result, _, checks = export(write_labels(make_row("1", **OFFER | {"price": "1.234,50 €"})), "magento")
    assert result.refused == 1
    assert (checks[0]["column"], checks[0]["value"]) == ("price", "1.234,50 €")


def test_a_doubtful_colour_may_have_a_sure_family(write_labels):
    candidates = "Navy Blue:0.5100|Blue:0.3000|Black:0.1000"
    labels = write_labels(make_row("1", **OFFER, baseColour_confidence=0.51, baseColour_top=candidates))
    result, rows, checks = export(labels, "google")
    assert rows[0]["color"] == "Blue"
    assert result.refused == 0
    assert [check["column"] for check in checks] == ["baseColour"]
    black = "Navy Blue:0.3600|Black:0.3500|White:0.1000"
    labels = write_labels(make_row("1", **OFFER, baseColour_confidence=0.36, baseColour_top=black))
    assert export(labels, "google")[0].refused == 1


def test_doubts_of_any_confidence_are_one_reason(write_labels):
    labels = write_labels(make_row("1", gender_confidence=0.5), make_row("2", gender_confidence=0.4))
    result, _, checks = export(labels, "shopify")
    assert result.reasons == {("doubtful", "gender", "the confidence is under 0.70"): 2}
    assert [check["reason"][:22] for check in checks] == ["the confidence is 0.50", "the confidence is 0.40"]
