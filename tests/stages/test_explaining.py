"""`hangtag predict --explain`: a folder of photos and a bundle in, a table and a picture of each photo out."""

import pytest
from PIL import Image

from hangtag.bundle.file import write_bundle
from hangtag.cli.main import main
from hangtag.imaging.samples import write_sample_photos
from hangtag.labelling.pictures import name_picture
from tiny_bundle import build_tiny_card, build_tiny_graph


@pytest.fixture
def model(tmp_path):
    graph = build_tiny_graph()
    write_bundle(graph, build_tiny_card(graph), tmp_path / "tiny.onnx")
    return str(tmp_path / "tiny.onnx")


@pytest.fixture
def photos(tmp_path):
    write_sample_photos(tmp_path / "photos")
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"none")
    return tmp_path / "photos"


def run(*arguments):
    with pytest.raises(SystemExit) as left:
        main(["predict", *map(str, arguments)])
    return left.value.code


def test_a_table_and_a_picture_of_each_photo_that_can_be_opened(model, photos, tmp_path, read_csv, capsys):
    maps = tmp_path / "new" / "maps"
    assert run(photos, "-m", model, "-o", tmp_path / "labels.csv", "--explain", maps) == 3
    rows = read_csv(tmp_path / "labels.csv")
    assert len(rows) == 9
    expected = {name_picture(row["path"]) for row in rows if row["status"] == "labelled"}
    assert {path.name for path in maps.iterdir()} == expected
    for path in maps.iterdir():
        with Image.open(path) as picture:
            picture.load()
    assert "8 of 9 photos labelled" in capsys.readouterr().out


def test_pictures_need_no_table(model, photos, tmp_path, capsys):
    assert run(photos / "shoe.png", "-m", model, "--explain", tmp_path / "maps") == 0
    assert len(list((tmp_path / "maps").iterdir())) == 1
    assert "shoe" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", ["two models", "a file"])
def test_what_cannot_be_is_said_before_anything_is_labelled(model, photos, tmp_path, capsys, wrong):
    (tmp_path / "file").write_text("")
    folder = tmp_path / ("file" if wrong == "a file" else "maps")
    more = ["-m", "default"] if wrong == "two models" else []
    table = tmp_path / "labels.csv"
    assert run(photos, "-m", model, *more, "-o", table, "--explain", folder) == 2
    assert not table.exists()
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert ("one model" in said) or ("this is a file" in said)
