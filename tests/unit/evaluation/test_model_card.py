"""The model card of the shipped model, and of one that says little."""

import re
from dataclasses import replace

import pytest

from fakes import build_card
from hangtag.bundle.file import find_bundle, read_card
from hangtag.evaluation.model_card import render_model_card

PAGE = find_bundle("default").parents[3] / "docs" / "model-card.md"


def test_a_card_without_figures_still_says_what_the_model_is():
    page = render_model_card(build_card(), 1_500_000)
    assert "1.5 MB" in page
    assert "## Intended use" in page
    assert "## How good it is" not in page


def test_every_figure_of_the_test_split_is_on_the_page():
    card = read_card(find_bundle("default"))
    page = render_model_card(card, 7_000_000)
    for column, head in card.metrics["test"]["heads"].items():
        assert f"| {column} | {100 * head['top1_accuracy']:.1f} % (" in page
    assert re.search(r"\*\*articleType\*\*: Tshirts \d", page)
    assert "for Tshirts (" in page
    assert "kWh" in page


def test_what_a_teacher_took_is_part_of_the_cost():
    teachers = [{"name": "large", "sha256": "0", "seconds": 7200.0}]
    card = replace(build_card(), data={"teachers": teachers}, history=[{"epoch": 1, "seconds": 3600.0}])
    page = render_model_card(card, 1)
    assert "the predictions of large for these photos were used as soft targets" in page
    assert (
        "1 epoch took 1.0 hours on the processor, and training its teachers 2.0 hours. At 40 W that is 0.12 kWh"
        in page
    )


def test_a_name_from_a_catalogue_does_not_break_a_table():
    card = build_card()
    heads = [replace(card.heads[0], column="a|b"), *card.heads[1:]]
    page = render_model_card(replace(card, heads=heads, golden=[]), 1)
    assert r"a\|b" in page


@pytest.mark.skipif(not PAGE.is_file(), reason="an installed package has no docs")
def test_the_page_in_the_docs_is_that_of_the_shipped_model():
    """`hangtag models card default > docs/model-card.md` makes it anew."""
    bundle = find_bundle("default")
    assert PAGE.read_text(encoding="utf-8") == render_model_card(read_card(bundle), bundle.stat().st_size)
