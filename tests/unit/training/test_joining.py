import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")

from hangtag.datasets.opening import open_catalogue
from hangtag.training.joining import join_photos


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
