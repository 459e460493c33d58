import gzip
import io
import struct

import numpy as np
import pytest
from PIL import Image

from hangtag.datasets.cleaned import load_cleaned
from hangtag.datasets.layouts import read_idx
from hangtag.datasets.opening import open_catalogue
from hangtag.domain.errors import CatalogueError, PhotoError


def idx_bytes(values):
    values = np.asarray(values, np.uint8)
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


@pytest.fixture
def fashion(tmp_path):
    """Five train and three test photos as idx files, gzipped and not."""
    random = np.random.default_rng(0)
    folder = tmp_path / "fashion"
    folder.mkdir()
    train, test = random.integers(0, 256, (5, 28, 28)), random.integers(0, 256, (3, 28, 28))
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(train), mtime=0))
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes([9, 0, 0, 3, 8]), mtime=0))
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(test))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes([9, 2, 1]))
    return folder, train, test


def test_the_table_names_the_classes_and_the_published_split(fashion):
    rows = load_cleaned(fashion[0]).to_pylist()
    shoes = {"masterCategory": "Footwear", "subCategory": "Shoes", "articleType": "Ankle boot"}
    assert rows[0] == {"id": "train-00000", **shoes, "split": "train"}
    trousers = {"masterCategory": "Apparel", "subCategory": "Bottomwear", "articleType": "Trouser"}
    assert rows[-1] == {"id": "test-00002", **trousers, "split": "test"}
    assert len(rows) == 8


def test_a_photo_is_the_negative_turned_back(fashion):
    folder, train, test = fashion
    with open_catalogue(folder) as catalogue:
        assert len(catalogue.photo_names()) == 8
        for name, negative in (("train-00004.png", train[4]), ("test-00000.png", test[0])):
            assert name in catalogue.photo_names()
            photo = Image.open(io.BytesIO(catalogue.read_photo(name)))
            assert photo.mode == "L"
            assert (np.asarray(photo) == 255 - negative).all()


@pytest.mark.parametrize(
    "name",
    ["train-00005.png", "train-4.png", "train-00004.jpg", "other-00000.png", "train-²0000.png", "", "train"],
)
def test_a_name_that_is_no_photo_is_not_found(fashion, name):
    with open_catalogue(fashion[0]) as catalogue, pytest.raises(PhotoError):
        catalogue.read_photo(name)


def test_the_train_part_alone_is_a_catalogue(fashion):
    folder = fashion[0]
    for path in folder.glob("t10k-*"):
        path.unlink()
    assert load_cleaned(folder).num_rows == 5


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("t10k-images-idx3-ubyte", b"", "not an idx file of bytes with 3 dimensions"),
        ("t10k-images-idx3-ubyte", idx_bytes([1, 2]), "not an idx file of bytes with 3 dimensions"),
        (
            "t10k-images-idx3-ubyte",
            idx_bytes(np.zeros((3, 2, 2)))[:-1],
            "promises 12 values, and it holds fewer",
        ),
        ("t10k-labels-idx1-ubyte", idx_bytes([1, 2, 3]) + b"!", "promises 3 values, and it holds more"),
        ("t10k-labels-idx1-ubyte", idx_bytes([1, 2]), "2 labels for 3 photos"),
        ("t10k-labels-idx1-ubyte", idx_bytes([1, 2, 10]), "a label 10, but Fashion-MNIST has 0 to 9"),
        ("t10k-images-idx3-ubyte", struct.pack(">4B3I", 0, 0, 8, 3, *[2**32 - 1] * 3), "holds fewer"),
        ("train-labels-idx1-ubyte.gz", b"not gzipped", "cannot be read"),
        ("train-labels-idx1-ubyte.gz", gzip.compress(idx_bytes([1] * 5), mtime=0)[:-12], "cannot be read"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(fashion, name, data, problem):
    folder = fashion[0]
    (folder / name).write_bytes(data)
    with open_catalogue(folder) as catalogue, pytest.raises(CatalogueError, match=problem) as caught:
        catalogue.open_table()
    assert name in str(caught.value)


def test_photos_without_labels_are_refused(fashion):
    (fashion[0] / "train-labels-idx1-ubyte.gz").unlink()
    with open_catalogue(fashion[0]) as catalogue, pytest.raises(CatalogueError, match="no train-labels"):
        catalogue.photo_names()


def test_any_number_of_dimensions_is_read(tmp_path):
    values = np.arange(24).reshape(2, 3, 4)
    (tmp_path / "any").write_bytes(idx_bytes(values))
    assert (read_idx(tmp_path / "any", dimensions=3) == values).all()
