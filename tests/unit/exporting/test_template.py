"""Templates: the built-in ones, a shop's own, and what a template cannot be."""

import json

import pytest

from hangtag.domain.errors import TableError, UsageError
from hangtag.exporting.template import Source, list_templates, load_template, make_handle, parse_template

SMALL = 'template = 1\n[[columns]]\nname = "Colour"\nfrom = "word:baseColour"\n'


def test_the_built_in_templates_can_all_be_loaded():
    names = list_templates()
    assert names == ["excel", "google", "google-supplemental", "hangtag", "magento", "shopify", "woocommerce"]
    assert all(load_template(name).title for name in names)


def test_a_template_is_the_same_in_toml_and_json(tmp_path):
    path = tmp_path / "own.json"
    path.write_text(
        json.dumps({"template": 1, "columns": [{"name": "Colour", "from": ["word:baseColour"]}]}),
        encoding="utf-8",
    )
    own = load_template(path)
    assert own.name == "own"
    assert own.columns == parse_template(SMALL, "own.toml").columns
    assert own.columns[0].sources == (Source("word", "baseColour"),)


def test_fields_can_be_changed_for_one_export():
    template = load_template("google").changed(language="de", key=None)
    assert template.language == "de"
    assert load_template("google").language == "en-US"
    with pytest.raises(TableError, match="'exe' is not a valid value of `format`"):
        template.changed(format="exe")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("template = ", "cannot be read"),
        ("name = 'x'", "of version None"),
        ("template = 2", "of version 2"),
        ("template = 1", "no columns"),
        ("template = 1\ncolour = 3", "has no colour"),
        (SMALL.replace('name = "Colour"', ""), "has no name"),
        (SMALL.replace("word:baseColour", "baseColour"), "is not a source"),
        (SMALL.replace("word:baseColour", "word:basecolor"), "Did you mean baseColour"),
        (SMALL.replace("word:baseColour", "computed:price"), "price does not exist"),
        (SMALL + SMALL.split("\n", 1)[1], "two columns Colour"),
        (SMALL.replace('name = "Colour"', 'name = "Colour"\nformula = 1'), "has no formula"),
        ("doubtful = 'guess'\n" + SMALL, "'guess' is not a valid value of `doubtful`"),
        ("sure = 2\n" + SMALL, "sure is 2"),
    ],
)
def test_what_is_no_template_is_refused(text, message):
    with pytest.raises(TableError, match=message):
        parse_template(text, "own.toml")


def test_an_unknown_template_is_refused():
    with pytest.raises(UsageError, match="Did you mean shopify"):
        load_template("shopfy")


def test_handles_are_small_letters_digits_and_hyphens():
    assert make_handle("Women's T-shirt, size 12 / «Été»") == "women-s-t-shirt-size-12-t"
