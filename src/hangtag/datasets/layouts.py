"""Catalogues in other layouts: folders named by class, and the files of Fashion-MNIST."""

import gzip
import io
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from hangtag.datasets.folder import EXPECTED, PhotoFolder, ZipPhotos, count_endings
from hangtag.datasets.interface import KeepsNothingOpen
from hangtag.datasets.splits import GIVEN_COLUMN, TEST, TRAIN, read_split_name
from hangtag.domain.columns import CATEGORY_COLUMNS, ID
from hangtag.domain.errors import CatalogueError, PhotoError
from hangtag.domain.reasons import Reason
from hangtag.tables.matching import product_id
from hangtag.tables.tables import stream_table

DESCRIBE_IT: Final = "Say what the folders mean in a catalogue.toml: folders = [...]."


class ClassFolders(KeepsNothingOpen):
    """Photos in nested folders, also of a zip. `columns` are the meanings of the folders, outermost first.

    By default the innermost folders are the articleType, their parents the subCategory and masterCategory, and
    top-level folders named train, validation and test are the published split. A photo that is less deeply nested has
    only the labels of the folders it is in.
    """

    def __init__(
        self,
        name: str,
        photos: PhotoFolder | ZipPhotos,
        columns: Sequence[str] | None = None,
        stated_source: tuple[str, str] = ("", ""),
    ) -> None:
        self.name = name
        self.stated_source = stated_source
        self._photos = photos
        self.photo_folders = (photos.folder,) if isinstance(photos, PhotoFolder) else ()
        self._named_columns = columns

    @cached_property
    def _columns(self) -> tuple[str, ...]:
        deepest = max(self._photos.names, key=lambda name: (name.count("/"), name), default="")
        depth = deepest.count("/")
        if not depth:
            raise CatalogueError(
                "there are no photos in sub-folders", where=self._photos.folder, fix=EXPECTED
            )
        columns = self._named_columns or _usual_columns(self._photos.names, depth)
        if depth > len(columns):
            problem = f"{deepest} lies {depth} folders deep, but only {len(columns)} levels have a meaning"
            raise CatalogueError(problem, where=self._photos.folder, fix=DESCRIBE_IT)
        return tuple(columns)

    def open_table(self) -> BinaryIO:
        """Return a table with a row for each photo. Raises `CatalogueError` if the folders have no meaning."""
        return stream_table((ID, *self._columns), self._iter_rows())

    def _iter_rows(self) -> Iterator[list[str]]:
        for name in sorted(self._photos.names):
            labels = PurePosixPath(name).parts[:-1]
            yield [product_id(name), *labels, *[""] * (len(self._columns) - len(labels))]

    def photo_names(self) -> frozenset[str]:
        """Return the photos by their path, such as `Shirts/7.jpg`."""
        return self._photos.names

    def other_files(self) -> Mapping[str, int]:
        """Count the files in the folders that do not have a photo's extension, by extension."""
        return count_endings(self._photos.other_files)

    def read_photo(self, name: str) -> bytes:
        """Return the bytes of one photo. Raises `PhotoError`."""
        return self._photos.read(name)


def _usual_columns(names: frozenset[str], depth: int) -> tuple[str, ...]:
    outermost = {name.partition("/")[0] for name in names if "/" in name}
    if depth > 1 and all(map(read_split_name, outermost)):
        return (GIVEN_COLUMN, *CATEGORY_COLUMNS[1 - depth :])
    return CATEGORY_COLUMNS[-depth:]


CLASSES: Final = {
    "T-shirt/top": ("Apparel", "Topwear"),
    "Trouser": ("Apparel", "Bottomwear"),
    "Pullover": ("Apparel", "Topwear"),
    "Dress": ("Apparel", "Dress"),
    "Coat": ("Apparel", "Topwear"),
    "Sandal": ("Footwear", ""),
    "Shirt": ("Apparel", "Topwear"),
    "Sneaker": ("Footwear", "Shoes"),
    "Bag": ("Accessories", "Bags"),
    "Ankle boot": ("Footwear", "Shoes"),
}
"""The names of the labels 0 to 9 in the data set's description, each with its parent levels.

The parents are named as in Kaggle's catalogue, so that a training can join both. Sandals have none, as Kaggle's
catalogue has them under two parents.
"""

PARTS: Final = {TRAIN: "train", TEST: "t10k"}
"""The published splits, and the prefixes of their files."""

MAX_VALUES: Final = 1 << 30
"""A file whose header declares more values is not read."""

_UNSIGNED_BYTES: Final = 0x08

Bytes = npt.NDArray[np.uint8]


class _Part(NamedTuple):
    photos: Bytes  # (n, height, width), white product on black
    labels: Bytes  # (n,)


class FashionMnist(KeepsNothingOpen):
    """The idx files in a folder, gzipped or not. Products are `train-00000` and so on, and `test-00000`.

    The published pixels are inverted. They are inverted back here, so that the product is on a white background, like
    the border that hangtag adds around photos.
    """

    def __init__(self, folder: Path) -> None:
        self.name = folder.resolve().name
        self._folder = folder

    @cached_property
    def _parts(self) -> dict[str, _Part]:
        there = {
            split: prefix for split, prefix in PARTS.items() if _find(self._folder, prefix, "images-idx3")
        }
        return {split: _read_part(self._folder, prefix) for split, prefix in there.items()}

    def open_table(self) -> BinaryIO:
        """Return a table of ids, class names and the published split. Raises `CatalogueError` for broken files."""
        parts = self._parts
        return stream_table((ID, *CATEGORY_COLUMNS, GIVEN_COLUMN), _iter_rows(parts))

    def photo_names(self) -> frozenset[str]:
        """Return the names of all photos, such as `train-00000.png`. Raises `CatalogueError` for broken files."""
        return frozenset(
            f"{_name(split, index)}.png"
            for split, part in self._parts.items()
            for index in range(len(part.labels))
        )

    def read_photo(self, name: str) -> bytes:
        """Return one photo as the bytes of a PNG file. Raises `PhotoError`."""
        split, _, number = name.removesuffix(".png").partition("-")
        part = self._parts.get(split)
        is_there = part is not None and number.isdecimal() and int(number) < len(part.labels)
        if part is None or not is_there or name != f"{_name(split, int(number))}.png":
            raise PhotoError(Reason.NOT_FOUND)
        file = io.BytesIO()
        Image.fromarray(255 - part.photos[int(number)]).save(file, "PNG", compress_level=1)
        return file.getvalue()


def holds_idx_files(folder: Path) -> bool:
    """Return whether a folder has photos as idx files."""
    return any(_find(folder, prefix, "images-idx3") for prefix in PARTS.values())


def _iter_rows(parts: dict[str, _Part]) -> Iterator[tuple[str, ...]]:
    classes = list(CLASSES.items())
    for split, part in parts.items():
        for index, label in enumerate(part.labels.tolist()):
            name, above = classes[label]
            yield _name(split, index), *above, name, split


def _name(split: str, index: int) -> str:
    return f"{split}-{index:05}"


def _find(folder: Path, prefix: str, kind: str) -> Path | None:
    names = (f"{prefix}-{kind}-ubyte{ending}" for ending in (".gz", ""))
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _read_part(folder: Path, prefix: str) -> _Part:
    images, labels = (_find(folder, prefix, kind) for kind in ("images-idx3", "labels-idx1"))
    if images is None or labels is None:
        raise CatalogueError(f"there is no {prefix}-labels-idx1-ubyte.gz next to the photos", where=folder)
    part = _Part(read_idx(images, dimensions=3), read_idx(labels, dimensions=1))
    if len(part.photos) != len(part.labels):
        problem = f"there are {len(part.labels)} labels for {len(part.photos)} photos"
        raise CatalogueError(problem, where=labels)
    if part.labels.size and part.labels.max() >= len(CLASSES):
        problem = f"there is a label {part.labels.max()}, but Fashion-MNIST has 0 to {len(CLASSES) - 1}"
        raise CatalogueError(problem, where=labels)
    return part


def read_idx(path: Path, dimensions: int) -> Bytes:
    """Read an idx file of unsigned bytes with this many dimensions, gzipped if its name ends in `.gz`.

    Raises `CatalogueError` if it is another kind of file, or has another length than it declares.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            header = file.read(4 + 4 * dimensions)
            if len(header) < 4 + 4 * dimensions or header[:4] != bytes((0, 0, _UNSIGNED_BYTES, dimensions)):
                problem = f"it is not an idx file of bytes with {dimensions} dimensions"
                raise CatalogueError(problem, where=path)
            shape = struct.unpack(f">{dimensions}I", header[4:])
            size = int(np.prod(shape, dtype=np.float64))
            data = file.read(min(size, MAX_VALUES) + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise CatalogueError(f"the file cannot be read ({error})", where=path) from error
    if len(data) != size:
        problem = (
            f"its header promises {size:,} values, and it holds {'more' if len(data) > size else 'fewer'}"
        )
        raise CatalogueError(problem, where=path)
    return np.frombuffer(data, np.uint8).reshape(shape)
