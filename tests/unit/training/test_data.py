"""What a run learns from: the category paths, and the pixels that are decoded once."""

import pyarrow as pa
import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")

from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.training.data import find_taxonomy

SHIRT, SHOE = ("Apparel", "Topwear", "Shirts"), ("Footwear", "Shoes", "Sandals")


def table_of(*paths) -> pa.Table:
    return pa.table(dict(zip(CATEGORY_COLUMNS, map(list, zip(*paths, strict=True)), strict=True)))


def test_a_path_that_a_single_product_has_is_a_slip_where_its_labels_have_others():
    slip = ("Footwear", "Topwear", "Shirts")
    taxonomy = find_taxonomy(table_of(SHIRT, SHIRT, SHOE, SHOE, slip), CATEGORY_COLUMNS)
    assert taxonomy.paths == (SHIRT, SHOE)


def test_incomplete_paths_do_not_outvote_the_only_complete_one():
    incomplete = (None, None, "Sandals")
    taxonomy = find_taxonomy(table_of(SHIRT, SHIRT, SHOE, incomplete, incomplete), CATEGORY_COLUMNS)
    assert taxonomy.paths == (SHIRT, SHOE)


def test_an_upper_class_does_not_go_with_the_only_path_that_it_has():
    single = ("Home", "Linen", "Shirts")
    taxonomy = find_taxonomy(table_of(SHIRT, SHIRT, single), CATEGORY_COLUMNS)
    assert taxonomy.paths == (SHIRT, single)


def test_a_class_that_ends_up_in_no_path_is_named(capsys):
    lonely = ("Apparel", None, "Ponchos")
    find_taxonomy(table_of(SHIRT, SHIRT, lonely, lonely), CATEGORY_COLUMNS)
    said = " ".join(capsys.readouterr().err.split())
    assert "articleType can never be answered as Ponchos" in said
    find_taxonomy(table_of(SHIRT, SHIRT), CATEGORY_COLUMNS)
    assert capsys.readouterr().err == ""
