"""What the Python API takes for a photo, and what it says to anything else."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fakes import paint
from hangtag.bundle.card import EmbeddingCard
from hangtag.bundle.file import write_bundle
from hangtag.domain.errors import PhotoError, UsageError
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DecodeLimits
from hangtag.imaging.decode import decode_photo
from hangtag.imaging.fetching import Fetcher
from hangtag.inference.model import load_model
from hangtag.inference.photos import iter_photos
from tiny_bundle import TINY_HEADS, build_tiny_card, build_tiny_graph, draw_png

PNG = draw_png(3, size=(60, 80))
PIXELS = np.asarray(decode_photo(PNG))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    graph = build_tiny_graph()
    path = tmp_path_factory.mktemp("bundle") / "tiny.onnx"
    write_bundle(graph, build_tiny_card(graph), path)
    return load_model(path, precision="fp32", threads=1)


def test_every_kind_of_photo_gets_the_same_labels(model, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    kinds = [path, str(path), PNG, bytearray(PNG), memoryview(PNG), io.BytesIO(PNG), Image.open(path), PIXELS]
    with path.open("rb") as file:
        found = model.predict([*kinds, file])
    assert found.names == (
        *(str(path), str(path), "photo 3", "photo 4", "photo 5", "photo 6"),
        *(str(path), "photo 8", str(path)),
    )
    first = found[0].candidates
    assert all(row.candidates == first for row in found)
    for kind in (path, PNG, io.BytesIO(PNG), Image.open(path), PIXELS):
        (row,) = model.predict(kind)
        assert row.candidates == first


def test_a_folder_stands_for_its_photos(model, tmp_path):
    (tmp_path / "inner").mkdir()
    for name in ("b.png", "a.PNG", "inner/c.png"):
        (tmp_path / name).write_bytes(PNG)
    (tmp_path / "notes.txt").touch()
    assert [Path(name).name for name in model.predict(tmp_path).names] == ["a.PNG", "b.png", "c.png"]
    assert len(model.predict([tmp_path, PNG])) == 4


def test_many_photos_are_an_array_or_whatever_can_be_iterated(model):
    assert len(model.predict(np.stack([PIXELS, PIXELS]))) == 2
    assert len(model.predict(PNG for _ in range(3))) == 3
    assert len(model.predict((PNG,))) == 1


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "I;16", "F"]
)
def test_images_of_every_mode(model, mode):
    image = paint((120, 130, 140))
    image = Image.fromarray(np.full((40, 30), 128, np.uint16)) if mode == "I;16" else _convert(image, mode)
    assert image.mode == mode
    assert model.predict(image).reasons == (None,)


def _convert(image, mode):
    if mode == "LAB":
        return Image.merge("LAB", paint((120, 128, 128)).split())
    return image.convert("L").convert("F") if mode == "F" else image.convert(mode)


def test_an_image_is_upright_as_its_file_is():
    sideways = Image.fromarray(np.arange(60 * 80 * 3, dtype=np.uint32).reshape(60, 80, 3).astype(np.uint8))
    data = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways.save(data, "PNG", exif=exif)
    (photo,) = iter_photos(Image.open(io.BytesIO(data.getvalue())))
    upright = decode_photo(photo.read())
    assert upright.size == (60, 80)
    assert upright.tobytes() == decode_photo(data.getvalue()).tobytes()


def test_grey_arrays_are_photos(model):
    assert model.predict(PIXELS[:, :, 0]).reasons == (None,)
    assert model.predict([PIXELS[:, :, :1]]).reasons == (None,)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (None, "cannot be None"),
        (7, "cannot be a int"),
        ([7], "cannot be a int"),
        ([[PNG]], "cannot be a list"),
        ({"a": PNG}, "cannot be a dict"),
        (io.StringIO("text"), "opened as text"),
        ([io.StringIO("text")], 'Open it with mode "rb"'),
        (PIXELS.astype(np.float32), "float32 and shape"),
        (np.moveaxis(PIXELS, -1, 0), "np.moveaxis"),
        (np.zeros((2, 3, 4, 5, 6), np.uint8), "is not a photo"),
        ("s3://shop/a.jpg", r"hangtag\.predict"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_anything_else_is_wrong_usage(model, given, says):
    with pytest.raises(UsageError, match=says):
        model.predict(given)


def test_a_photo_at_an_address_is_fetched(model, monkeypatch):
    addresses = []

    def fetch(_fetcher, url, _limits):
        addresses.append(url)
        return PNG

    monkeypatch.setattr(Fetcher, "fetch", fetch)
    found = model.predict("https://shop.example/a.png")
    assert addresses == ["https://shop.example/a.png"]
    assert found.names == ("https://shop.example/a.png",)
    assert found.labels("gender") == model.predict(PNG).labels("gender")


def test_a_file_that_cannot_be_read_keeps_its_place(model):
    closed = io.BytesIO(PNG)
    closed.close()
    found = model.predict([closed, PNG])
    assert found.reasons == (Reason.UNREADABLE, None)
    (photo,) = iter_photos(io.BytesIO(b"x" * 20))
    with pytest.raises(PhotoError, match="larger than 10 bytes"):
        photo.read(DecodeLimits(max_bytes=10))


def test_a_model_without_embeddings_says_so(model):
    with pytest.raises(UsageError, match="has no embeddings"):
        model.embed(PNG)


def test_embeddings_come_from_the_graph(tmp_path):
    graph = build_tiny_graph(TINY_HEADS | {"features": tuple("abcdef")})
    card = build_tiny_card(build_tiny_graph(), embedding=EmbeddingCard("features", 6))
    write_bundle(graph, card, tmp_path / "embedding.onnx")
    model = load_model(tmp_path / "embedding.onnx", precision="fp32", threads=1)
    found = model.embed([PNG, b"broken", PNG])
    assert (found.shape, found.dtype) == ((3, 6), np.float32)
    np.testing.assert_array_equal(found[0], found[2])
    assert np.isnan(found[1]).all()
    assert found[0].any()


def test_one_photo_is_explained(model, tmp_path):
    found = model.explain(PNG, ["gender"])
    assert list(found.maps) == ["gender"]
    assert found.maps["gender"].label == model.predict(PNG)[0]["gender"].value
    with pytest.raises(UsageError, match="pass one photo to explain, not 2"):
        model.explain([PNG, PNG])
    with pytest.raises(PhotoError, match="does not exist"):
        model.explain(tmp_path / "gone.jpg")


def test_a_model_says_what_it_is(model):
    assert model.classes["gender"] == model.card.head("gender").classes
    assert repr(model).startswith("<Model tiny 1: masterCategory (")
    assert repr(model).endswith("; fp32, 1 threads>")
