"""Exports that shops and channels rely on, byte for byte: these files change only when somebody means them to."""

import io
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from hangtag.exporting.run import ExportSource, export_rows, read_products
from hangtag.exporting.template import load_template
from hangtag.tables.reading import open_table

FOLDER = Path(__file__).parent / "exports"
GOLDEN = sorted(path.name for path in FOLDER.iterdir() if path.stem not in {"labels", "broken"})


def export(table, template):
    output, checks = io.BytesIO(), io.BytesIO()
    result = export_rows(
        ExportSource(read_products(open_table(FOLDER / table), template)), template, output, checks
    )
    return output.getvalue(), checks.getvalue(), result


@pytest.mark.parametrize("name", [name for name in GOLDEN if "to-check" not in name])
def test_an_export_is_the_same_as_ever(name):
    template, ending = name.rsplit(".", 1)
    output, _, _ = export("labels.csv", load_template(template).changed(format=ending))
    assert output.decode() == (FOLDER / name).read_text("utf-8")


def test_what_is_wrong_in_a_broken_table_is_named_line_by_line():
    template = load_template("google").changed(rows="photo")
    output, checks, result = export("broken.csv", template)
    assert checks.decode() == (FOLDER / "google.to-check.csv").read_text("utf-8")
    written = [line.split("\t")[0] for line in output.decode().splitlines()[1:]]
    assert written == ["0001", "0011", "0012", "0014"]
    assert (result.written, result.refused) == (4, 14)


def test_the_feeds_can_be_read_again():
    rows = open_table(FOLDER / "google.tsv")
    items = ET.fromstring((FOLDER / "google.xml").read_bytes()).findall("channel/item")  # noqa: S314 - our own file
    assert rows.count() == len(items)
    google = "{http://base.google.com/ns/1.0}"
    for row, item in zip(rows, items, strict=True):
        values = {
            name: value for name, value in zip(rows.names, row.values, strict=True) if value is not None
        }
        assert values == {element.tag.removeprefix(google): element.text for element in item}
