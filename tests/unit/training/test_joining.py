import pyarrow as pa
import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")

from hangtag.datasets.opening import open_catalogue
from hangtag.domain.errors import TrainingError
from hangtag.training.joining import fit_recipe, join_photos
from hangtag.training.recipe import find_recipe, read_recipe


def test_how_many_duplicates_of_test_photos_a_set_has_is_said(source, table, tiny_recipe, tmp_path, capsys):
    """A set whose only photo is one of the catalogue's test photos."""
    photo = next(row["photo"] for row in table.to_pylist() if row["split"] == "test")
    shop = tmp_path / "shop"
    (shop / "images").mkdir(parents=True)
    (shop / "images" / "1.jpg").write_bytes(source.read_photo(photo))
    (shop / "styles.csv").write_text("id,masterCategory\n1,Apparel\n", encoding="utf-8")
    with open_catalogue(shop) as other:
        joined, _ = join_photos(table, (source, {"shop": other}), tiny_recipe, tmp_path / "run")
    assert joined.to_pylist()[-1]["note"] == "held_out"
    said = " ".join(capsys.readouterr().err.split())
    assert said == "shop: 1 left out, duplicates of validation or test photos"


def test_a_recipe_learns_the_columns_that_a_catalogue_has(capsys):
    """A folder for each class names one column; colour is the same for all, which is nothing to learn."""
    table = pa.table({"id": ["1", "2"], "baseColour": ["Red", "Red"], "subCategory": ["Shoes", "Bags"]})
    recipe = fit_recipe(read_recipe(find_recipe("default")), table)
    assert recipe.columns == ("subCategory",)
    assert recipe.split.stratify_by == "subCategory"
    assert recipe.network.tapped == ()
    said = " ".join(capsys.readouterr().err.split())
    assert "masterCategory, articleType, gender, baseColour, season, usage" in said


def test_what_a_run_is_told_to_learn_must_be_there():
    recipe = read_recipe(find_recipe("default"))
    table = pa.table({"id": ["1", "2"], "fabric": ["Wool", "Silk"], "articleType": ["Shirts", "Shirts"]})
    assert fit_recipe(recipe, table, ["fabric"]).columns == ("fabric",)
    with pytest.raises(TrainingError, match=r"`columns`.*articleType.*among fabric"):
        fit_recipe(recipe, table, ["articleType", "fabric"])
    with pytest.raises(TrainingError, match=r"usage.*among fabric"):
        fit_recipe(recipe, table)


def test_the_recipe_of_a_whole_catalogue_stays_as_it_is(table):
    recipe = read_recipe(find_recipe("basic_cnn"))
    assert fit_recipe(recipe, table) == recipe
