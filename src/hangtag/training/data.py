"""What a training run sees: pixels and class indices of train and validation photos. It never opens a test photo."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from rich.progress import track

from hangtag.catalogue.data_fingerprint import data_fingerprint
from hangtag.catalogue.source import Catalogue
from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.domain.errors import PhotoError, TrainingError
from hangtag.domain.taxonomy import Taxonomy
from hangtag.imaging.preprocess import Pixels, Preprocessing, prepare_photo

UNKNOWN: Final = -1
"""The class index of a label that is missing: it contributes no loss and counts in no figure."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Photos of one split: pixels uint8 (N, height, width, 3) and, per column, class indices int64 (N,)."""

    pixels: Pixels
    targets: Mapping[str, npt.NDArray[np.int64]]

    def __len__(self) -> int:
        """Return the number of photos."""
        return len(self.pixels)


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The train and validation samples, the ordered classes of every column, and the category tree."""

    train: Samples
    validation: Samples
    classes: Mapping[str, tuple[str, ...]]
    taxonomy: Taxonomy
    fingerprint: str


def load_training_data(
    split_table: pa.Table,
    catalogue: Catalogue,
    columns: Sequence[str],
    preprocessing: Preprocessing,
    cache_folder: Path,
) -> TrainingData:
    """Load what a run trains and validates on; the pixels are decoded once and kept in `cache_folder`.

    Raises `TrainingError` for a column that is not in the table, a class without a training photo, an empty split, or
    a photo that cannot be decoded.
    """
    rows = {name: _rows_of(split_table, name) for name in ("train", "validation")}
    _require_columns(split_table, columns)
    classes = {column: _classes_of(rows, column) for column in columns}
    parts = {
        name: Samples(
            load_pixels(
                table.column("photo").to_pylist(), catalogue, preprocessing, cache_folder / f"{name}.npy"
            ),
            {column: _class_indices(table, column, classes[column]) for column in columns},
        )
        for name, table in rows.items()
    }
    levels = [column for column in CATEGORY_COLUMNS if column in columns]
    paths = zip(*(rows["train"].column(level).to_pylist() for level in levels), strict=True)
    taxonomy = Taxonomy.from_paths(levels, paths)
    fingerprint = data_fingerprint(split_table, columns, preprocessing)
    return TrainingData(parts["train"], parts["validation"], classes, taxonomy, fingerprint)


def _rows_of(split_table: pa.Table, name: str) -> pa.Table:
    wanted = [value == name for value in split_table.column("split").to_pylist()]
    table = split_table.filter(pa.array(wanted))
    if table.num_rows == 0:
        raise TrainingError(f"the split table has no {name} rows", fix="Make it with `hangtag split`.")
    return table


def _require_columns(split_table: pa.Table, columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in split_table.column_names]
    if missing:
        raise TrainingError(
            f"the split table has no column {', '.join(missing)}",
            fix=f"It has {', '.join(split_table.column_names)}.",
        )


def _classes_of(rows: Mapping[str, pa.Table], column: str) -> tuple[str, ...]:
    """Return the classes of a column in the one order that counts: sorted, as the card will list them."""
    seen = {
        name: {label for label in table.column(column).to_pylist() if label} for name, table in rows.items()
    }
    unlearnable = sorted(seen["validation"] - seen["train"])
    if unlearnable:
        raise TrainingError(
            f"{column} has classes without a training photo: {', '.join(unlearnable)}",
            fix="Drop rare classes when splitting (`--rare drop`), or use a stratified split.",
        )
    if len(seen["train"]) < 2:  # noqa: PLR2004 - there is nothing to tell apart
        raise TrainingError(f"{column} has fewer than two classes in the train split")
    return tuple(sorted(seen["train"]))


def _class_indices(table: pa.Table, column: str, classes: Sequence[str]) -> npt.NDArray[np.int64]:
    index_of = {label: index for index, label in enumerate(classes)}
    return np.array([index_of.get(label, UNKNOWN) for label in table.column(column).to_pylist()], np.int64)


def load_pixels(
    photos: Sequence[str], catalogue: Catalogue, preprocessing: Preprocessing, cache: Path
) -> Pixels:
    """Return the preprocessed pixels of photos, uint8 (N, height, width, 3), memory-mapped from `cache`.

    The cache is made by the same code that serves photos, and made anew when photos or preprocessing differ.
    """
    key_file = cache.with_suffix(".key")
    key = _hash([catalogue.name, preprocessing.to_json(), list(photos)])
    if not (cache.is_file() and key_file.is_file() and key_file.read_text() == key):
        key_file.unlink(missing_ok=True)
        _decode_all(photos, catalogue, preprocessing, cache)
        key_file.write_text(key)
    pixels: Pixels = np.load(cache, mmap_mode="r")
    return pixels


def _decode_all(
    photos: Sequence[str], catalogue: Catalogue, preprocessing: Preprocessing, cache: Path
) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    partial = cache.with_suffix(".partial.npy")
    shape = (len(photos), preprocessing.height, preprocessing.width, 3)
    pixels = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)

    def decode(index: int) -> None:
        try:
            pixels[index] = prepare_photo(catalogue.read_photo(photos[index]), preprocessing)
        except PhotoError as error:
            raise TrainingError(
                f"the photo cannot be used ({error.detail})",
                where=photos[index],
                fix="Run `hangtag check --decode`.",
            ) from None

    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) + 1) as pool:
        for _ in track(
            pool.map(decode, range(len(photos))), f"Decoding {cache.stem} photos", total=len(photos)
        ):
            pass
    pixels.flush()
    partial.replace(cache)


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
