"""What a run learns from: the category paths, and the pixels that are decoded once."""

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")

from fakes import encode, paint
from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.imaging.preprocess import Preprocessing
from hangtag.training.data import UNKNOWN, find_taxonomy, load_pixels, load_training_data

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


def test_a_class_that_only_validation_has_is_unknown_there_and_named(
    table, source, tmp_path, tiny_recipe, capsys
):
    labels = [
        "Kimono" if split == "validation" else label
        for split, label in zip(table["split"].to_pylist(), table["articleType"].to_pylist(), strict=True)
    ]
    changed = table.set_column(table.schema.get_field_index("articleType"), "articleType", [labels])
    columns = ["masterCategory", "articleType"]
    data = load_training_data(changed, source, columns, tiny_recipe.preprocessing, tmp_path)
    assert "Kimono" not in data.classes["articleType"]
    assert set(data.validation.targets["articleType"].tolist()) == {UNKNOWN}
    assert UNKNOWN not in data.validation.targets["masterCategory"]
    assert "articleType: no train photo shows Kimono" in " ".join(capsys.readouterr().err.split())


class Shelf:
    """A catalogue of photos of the given colours, under numbers."""

    name = "shelf"

    def __init__(self, *colours):
        self.photos = {f"{number}.png": encode(paint(colour)) for number, colour in enumerate(colours)}

    def read_photo(self, name):
        return self.photos[name]


def load(shelf, folder):
    preprocessing = Preprocessing(width=4, height=4, detail_width=4, detail_height=4)
    return np.array(load_pixels(sorted(shelf.photos), shelf, preprocessing, folder / "train.npy"))


def test_pixels_are_decoded_once(tmp_path):
    first = load(Shelf("Red", "Blue"), tmp_path)
    made = (tmp_path / "train.npy").stat()
    assert np.array_equal(load(Shelf("Red", "Blue"), tmp_path), first)
    assert (tmp_path / "train.npy").stat().st_mtime_ns == made.st_mtime_ns


def test_other_photos_of_the_same_names_are_decoded_anew(tmp_path):
    load(Shelf("Red", "Blue"), tmp_path)
    assert np.array_equal(
        load(Shelf("Red", "Green"), tmp_path), load(Shelf("Red", "Green"), tmp_path / "new")
    )
