import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fakes import encode, paint
from hangtag.bundle.file import write_bundle
from hangtag.domain.errors import PhotoError, UsageError
from hangtag.domain.reasons import Reason
from hangtag.imaging.heat import heat_colours
from hangtag.inference.explaining.explainer import Explainer
from hangtag.inference.model import load_model
from hangtag.labelling.inputs import PhotoFile, PhotoWalk
from hangtag.labelling.pictures import (
    PANEL,
    make_folder,
    name_picture,
    render_picture,
    write_pictures,
)
from tiny_bundle import build_tiny_card, build_tiny_graph, draw_png

GRAPH = build_tiny_graph()


@pytest.fixture(scope="module")
def explainer(tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "tiny.onnx"
    write_bundle(GRAPH, build_tiny_card(GRAPH), path)
    return Explainer(load_model(path, precision="fp32", threads=1))


@pytest.fixture
def photos(tmp_path):
    """A folder with two good photos, one of them in a sub-folder, and one that is none."""
    folder = tmp_path / "photos"
    (folder / "inner").mkdir(parents=True)
    (folder / "red shirt.png").write_bytes(draw_png(1))
    (folder / "inner" / "red shirt.png").write_bytes(draw_png(2, (60, 20)))
    (folder / "broken.jpg").write_bytes(b"no photo")
    return folder


def test_every_good_photo_has_a_picture_of_its_own(photos, explainer, tmp_path):
    target = tmp_path / "maps"
    make_folder(target)
    counted = []
    write_pictures(PhotoWalk([photos]), explainer, target, lambda *count: counted.append(count))
    names = {name_picture(str(photos / name)) for name in ("red shirt.png", "inner/red shirt.png")}
    assert {path.name for path in target.iterdir()} == names
    assert sorted(counted) == [(1, 0), (1, 0), (1, 1)]
    for path in target.iterdir():
        with Image.open(path) as picture:
            assert picture.format == "PNG"
            assert picture.width > 3 * PANEL[0]


def test_a_run_that_ends_early_leaves_whole_pictures(photos, explainer, tmp_path):
    class Stop(Exception):  # noqa: N818 - it is Ctrl-C
        pass

    def stop(_done, failed):
        if not failed:
            raise Stop

    target = tmp_path / "maps"
    make_folder(target)
    with pytest.raises(Stop):
        write_pictures(PhotoWalk([photos]), explainer, target, stop)
    (left,) = target.iterdir()
    with Image.open(left) as picture:
        picture.load()


def test_one_photo_at_a_time_is_read(explainer, tmp_path):
    events = []

    class Photo:
        def __init__(self, name):
            self.name = name

        def read(self, _limits):
            events.append(self.name)
            return draw_png(3)

    make_folder(tmp_path)
    names = (f"photo {number}" for number in range(3))
    photos = (events.append(f"made {name}") or Photo(name) for name in names)
    write_pictures(photos, explainer, tmp_path, lambda *_: events.append("done"))
    assert events[0] == "made photo 0"
    assert events.index("made photo 1") > events.index("done")
    assert len(list(tmp_path.glob("photo%20*.png"))) == 3


def test_a_photo_that_cannot_be_read_costs_the_others_nothing(explainer, tmp_path):
    class Gone:
        name = "gone.jpg"

        def read(self, _limits):
            raise PhotoError(Reason.NOT_FOUND)

    good = tmp_path / "good.png"
    good.write_bytes(draw_png(4))
    maps = tmp_path / "maps"
    make_folder(maps)
    write_pictures([Gone(), PhotoFile(str(good))], explainer, maps)
    assert [path.name for path in maps.iterdir()] == [name_picture(str(good))]


def test_a_folder_that_cannot_be_made_is_said_before_the_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="folder cannot be made"):
        make_folder(tmp_path / "file")


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=2, max_size=2, unique=True))
def test_two_photos_never_share_a_name(paths):
    assert name_picture(paths[0]) != name_picture(paths[1])


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=400))
def test_a_name_is_one_that_a_file_can_have(path):
    name = name_picture(path)
    assert name.endswith(".png")
    assert len(name.encode()) <= 210
    assert os.sep not in name
    assert not name.startswith(".")


def test_names_can_be_read_and_bytes_that_are_no_text_are_kept_apart():
    assert name_picture("shirts/red 1.jpg") == "shirts%2Fred%201.jpg.png"
    assert name_picture(os.fsdecode(b"\xe9.jpg")) == "%E9.jpg.png"
    assert name_picture("a~b") == "a%7Eb.png"
    assert name_picture("\\xe9.jpg") == "%5Cxe9.jpg.png"


def test_a_picture_shows_the_photo_and_its_maps(explainer):
    image = paint("Red", (150, 200))
    image.paste((255, 255, 255), (40, 40, 110, 160))
    pixels = explainer.model.card.preprocessing.apply(image)
    explanation = explainer.explain(pixels)
    picture = np.asarray(render_picture(image, explanation, "shirt.jpg"))
    width = (picture.shape[1] - 16) // 3
    shown = picture[16 : 16 + PANEL[1], 16 : 16 + PANEL[0]]
    np.testing.assert_allclose(shown[4, 4], (200, 20, 20), atol=2)
    np.testing.assert_allclose(shown[192, 144], (255, 255, 255), atol=2)
    assert (picture[16 + PANEL[1] + 16 :, :width] < 128).any()  # a line of text
    coldest = heat_colours()[0]
    for panel in (1, 2):
        overlay = picture[16 : 16 + PANEL[1], 16 + panel * width : 16 + panel * width + PANEL[0]]
        assert not np.array_equal(overlay, shown)
        assert overlay.reshape(-1, 3).std(axis=0).max() > 5
        assert (np.abs(overlay.astype(int) - coldest).sum(axis=2)).min() < 300


@pytest.mark.parametrize("size", [(8, 900), (900, 8), (61, 80)])
def test_photos_of_any_shape_fit(explainer, size):
    image = paint("Blue", size)
    explanation = explainer.explain(explainer.model.card.preprocessing.apply(image))
    picture = render_picture(image, explanation, "a name that is much too long for its place " * 4)
    assert picture.width == 3 * (PANEL[0] + 16) + 16
    assert picture.height <= PANEL[1] + 100


def test_bytes_of_any_readable_kind_are_explained(explainer, tmp_path):
    path = tmp_path / "grey.jpg"
    path.write_bytes(encode(paint((90, 90, 90), (70, 30)), "JPEG"))
    make_folder(tmp_path / "maps")
    write_pictures([PhotoFile(str(path))], explainer, tmp_path / "maps")
    assert len(list((tmp_path / "maps").iterdir())) == 1
