import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from fakes import encode, paint
from hangtag.datasets.opening import JoinedCatalogue, open_catalogue
from hangtag.domain.errors import CatalogueError, UsageError
from hangtag.training.joining import join_photos
from hangtag.training.negatives import Negatives
from hangtag.training.recipe_sections import JoiningRecipe, OodRecipe


@pytest.fixture
def catalogue(tiny_catalogue):
    with open_catalogue(tiny_catalogue) as opened:
        yield opened


def test_drawn_photos_are_many_different_ones_and_always_the_same(catalogue):
    photos = sorted(catalogue.photo_names())[:5]
    negatives = Negatives(24, [], catalogue, photos, seed=1)
    names = sorted(negatives.photo_names())
    drawn = [negatives.read_photo(name) for name in names]
    assert len(set(drawn)) == len(names) == 24
    assert drawn == [Negatives(24, [], catalogue, photos, seed=1).read_photo(name) for name in names]
    assert drawn != [Negatives(24, [], catalogue, photos, seed=2).read_photo(name) for name in names]
    for photo in drawn:
        assert min(Image.open(io.BytesIO(photo)).size) >= 8


def test_photos_of_a_folder_join_the_drawn_ones(catalogue, tmp_path):
    (tmp_path / "food").mkdir()
    Image.new("RGB", (20, 30), "red").save(tmp_path / "food" / "soup.PNG")
    (tmp_path / "food" / "notes.txt").write_text("no photo")
    negatives = Negatives(2, [tmp_path / "food"], catalogue, [], seed=1)
    [name] = [name for name in negatives.photo_names() if name.startswith("file")]
    assert negatives.read_photo(name) == (tmp_path / "food" / "soup.PNG").read_bytes()
    with pytest.raises(CatalogueError):
        negatives.open_table()
    with pytest.raises(UsageError):
        Negatives(2, [catalogue_folder(tmp_path)], catalogue, [], seed=1)


def catalogue_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    return tmp_path / "empty"


def test_a_recipe_with_an_ood_detector_joins_photos_of_no_product(catalogue, tiny_recipe, tmp_path):
    ood, joining = OodRecipe(drawn=20, loss_weight=1.0), JoiningRecipe(validation=0.3)
    recipe = tiny_recipe.model_copy(update={"ood": ood, "joining": joining})
    names = sorted(catalogue.photo_names())
    table = pa.table(
        {
            "id": [name.removesuffix(".jpg") for name in names],
            "masterCategory": ["Apparel"] * len(names),
            "gender": ["Men"] * len(names),
            "photo": names,
            "group": list(range(len(names))),
            "split": ["train"] * len(names),
            "note": pa.nulls(len(names), pa.string()),
        }
    )
    joined, photos = join_photos(table, (catalogue, {}), recipe, tmp_path)
    added = joined.slice(len(names)).to_pylist()
    assert {row["source"] for row in added} == {"negatives"}
    assert {row["masterCategory"] for row in added} == {None}
    assert 0 < sum(row["split"] == "validation" for row in added) < len(added) == 20
    assert all(len(photos.read_photo(row["photo"])) for row in added)
    plain, own = join_photos(table, (catalogue, {}), tiny_recipe, tmp_path)
    assert plain.equals(table)
    assert isinstance(own, JoinedCatalogue)
    assert np.array_equal(own.read_photo(names[0]), catalogue.read_photo(names[0]))


def test_negatives_may_lie_in_several_folders(catalogue, tmp_path):
    for name, colour in (("food", "Red"), ("rooms", "Blue")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(encode(paint(colour)))
    negatives = Negatives(0, [tmp_path / "food", tmp_path / "rooms"], catalogue, [], seed=1)
    photos = [negatives.read_photo(name) for name in sorted(negatives.photo_names())]
    assert photos == [encode(paint("Red")), encode(paint("Blue"))]
