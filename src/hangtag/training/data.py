"""The data of a training: pixels and class indices of train and validation photos. It never opens a test photo."""

import hashlib
import json
import os
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from rich.console import Console
from rich.progress import track

from hangtag.bundle.card import Card, SourceCard
from hangtag.datasets.interface import for_each_photo
from hangtag.datasets.opening import Catalogue
from hangtag.datasets.splits import data_fingerprint
from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.domain.errors import PhotoError, TrainingError
from hangtag.domain.taxonomy import Taxonomy
from hangtag.imaging.preprocess import Pixels, Preprocessing, prepare_photo
from hangtag.training.negatives import NEGATIVES
from hangtag.training.progress import say
from hangtag.training.rows import SOURCE_COLUMN, learn_everything, own_rows, read_sources, rows_by_set

UNKNOWN: Final = -1
"""The class index of a missing label. It contributes nothing to the loss or to any figure."""

OOD_OUTPUT: Final = "not_a_product"
"""The target, 0 or 1, of the OOD detector (1: the photo shows no product), and the network output that learns it."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Photos of one split: pixels uint8 (N, height, width, 3) and, per column, class indices int64 (N,).

    `soft` holds a teacher's probabilities, float16 (N, classes), for the columns that it knows. Rows that it does not
    know are all zero.
    """

    pixels: Pixels
    targets: Mapping[str, npt.NDArray[np.int64]]
    soft: Mapping[str, npt.NDArray[np.float16]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of photos."""
        return len(self.pixels)


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The train and validation samples, the ordered classes of every column, and the category tree.

    `fingerprint` is that of the catalogue's own photos and labels. `kept_back` are the held-out samples of joined sets,
    by the set's name, and `joined` the positions of their train samples in `train`. `taught_by` are the SHA-256 of the
    models whose predictions are the soft targets. `sources` are the joined sets, as named in the card. With a `twin`,
    validation and test photos are learned too, and the figures are the twin's.
    """

    train: Samples
    validation: Samples
    classes: Mapping[str, tuple[str, ...]]
    taxonomy: Taxonomy
    fingerprint: str
    kept_back: Mapping[str, Samples] = field(default_factory=dict)
    joined: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    taught_by: tuple[str, ...] = ()
    sources: tuple[SourceCard, ...] = ()
    twin: Card | None = None

    @property
    def run_fingerprint(self) -> str:
        """What a resumed run must match: the catalogue's photos, the number of joined samples, the teachers."""
        sizes = [len(self.joined), *(len(samples) for samples in self.kept_back.values())]
        everything = [] if self.twin is None else ["everything"]
        parts = [self.fingerprint, *([str(sizes)] if len(self.joined) else []), *self.taught_by, *everything]
        return " ".join(parts)


def load_training_data(
    split_table: pa.Table,
    catalogue: Catalogue,
    columns: Sequence[str],
    preprocessing: Preprocessing,
    cache_folder: Path,
) -> TrainingData:
    """Load the data that a run trains and validates on. Pixels are decoded once and cached in `cache_folder`.

    A label without train photos is treated as unknown, and reported. Raises `TrainingError` for a column that is not in
    the table or has fewer than two classes to learn, an empty split, or a photo that cannot be decoded.
    """
    own = own_rows(split_table)
    rows = {name: _rows_of(own, name) for name in ("train", "validation")}
    _require_columns(split_table, columns)
    classes = {column: _classes_of(rows, column) for column in columns}
    taxonomy = find_taxonomy(rows["train"], columns)
    loader = _Loader(catalogue, classes, preprocessing, cache_folder)
    return loader.load(split_table, _rows_of(split_table, "train"), taxonomy)


def load_everything(
    split_table: pa.Table, catalogue: Catalogue, twin: Card, cache_folder: Path
) -> TrainingData:
    """Load the data for a model that is trained like its `twin`, a measured model, but on validation and test too.

    Its classes and category paths are the twin's. Raises the same errors as `load_training_data`.
    """
    _require_columns(split_table, twin.columns)
    classes = {head.column: tuple(head.classes) for head in twin.heads}
    loader = _Loader(catalogue, classes, twin.preprocessing, cache_folder)
    learnt = _rows_of(learn_everything(split_table), "train")
    return replace(loader.load(split_table, learnt, twin.taxonomy), twin=twin)


@dataclass(frozen=True, slots=True)
class _Loader:
    """Where a run's photos are, and how they and their labels are converted."""

    catalogue: Catalogue
    classes: Mapping[str, tuple[str, ...]]
    preprocessing: Preprocessing
    cache_folder: Path

    def load(self, split_table: pa.Table, train: pa.Table, taxonomy: Taxonomy) -> TrainingData:
        """Load the rows `train` to learn from, and the validation rows of a split table."""
        own = own_rows(split_table)
        kept_back = {
            name: _rows_of(table, "validation")
            for name, table in rows_by_set(split_table).items()
            if "validation" in table["split"].to_pylist()
        }
        return TrainingData(
            self._load(train, "train"),
            self._load(_rows_of(own, "validation"), "validation"),
            self.classes,
            taxonomy,
            data_fingerprint(own, list(self.classes), self.preprocessing),
            {name: self._load(table, name) for name, table in kept_back.items()},
            np.flatnonzero(_is_joined(train)),
            sources=read_sources(split_table),
        )

    def _load(self, table: pa.Table, cache: str) -> Samples:
        photos = table.column("photo").to_pylist()
        pixels = load_pixels(photos, self.catalogue, self.preprocessing, self.cache_folder / f"{cache}.npy")
        targets = {column: _class_indices(table, column, classes) for column, classes in self.classes.items()}
        return Samples(pixels, {**targets, OOD_OUTPUT: _is_negative(table)})


def _is_joined(table: pa.Table) -> npt.NDArray[np.bool_]:
    names = table.column(SOURCE_COLUMN).to_pylist() if SOURCE_COLUMN in table.column_names else []
    return np.array([name is not None for name in names], np.bool_)


def _is_negative(table: pa.Table) -> npt.NDArray[np.int64]:
    if SOURCE_COLUMN not in table.column_names:
        return np.zeros(table.num_rows, np.int64)
    return np.array([name == NEGATIVES for name in table.column(SOURCE_COLUMN).to_pylist()], np.int64)


def find_taxonomy(train: pa.Table, columns: Sequence[str]) -> Taxonomy:
    """Return the catalogue's paths. A path with a single product is ignored if others have each of its labels.

    A label that is in no complete path is reported: since predictions are paths, it can never be predicted.
    """
    levels = [column for column in CATEGORY_COLUMNS if column in columns]
    rows = [train.column(level).to_pylist() for level in levels]
    counts = Counter(path for path in zip(*rows, strict=True) if all(path))
    common = [{path[depth] for path, count in counts.items() if count > 1} for depth in range(len(levels))]
    taxonomy = Taxonomy.from_paths(
        levels,
        (
            path
            for path, count in counts.items()
            if count > 1 or any(label not in seen for label, seen in zip(path, common, strict=True))
        ),
    )
    for level, labels in zip(levels, rows, strict=True):
        _name_unanswerable(level, sorted(set(filter(None, labels)) - set(taxonomy.labels(level))))
    return taxonomy


def _name_unanswerable(level: str, labels: Sequence[str]) -> None:
    if labels:
        say(
            f"{level} can never be answered as {', '.join(labels)}: no train photo has its whole category path. "
            "Complete the path of some in the catalogue, or remove the label."
        )


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
    """Return the sorted classes of a column. The card lists them in this order."""
    seen = {
        name: {label for label in table.column(column).to_pylist() if label} for name, table in rows.items()
    }
    unlearnable = sorted(seen["validation"] - seen["train"])
    if unlearnable:
        say(
            f"{column}: no train photo shows {', '.join(unlearnable)}, so that validation photos with such a label "
            "count as unlabelled. A stratified split or a larger limit would have some."
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

    The cache is written by the code that serves photos, and rewritten if photos or preprocessing differ. Photos are
    compared by content and not only by name, since another folder may have other photos with the same names.
    """
    key_file = cache.with_suffix(".key")

    def key_of(checksums: Sequence[int]) -> str:
        return _hash([catalogue.name, preprocessing.to_json(), list(photos), list(checksums)])

    if not (
        cache.is_file()
        and key_file.is_file()
        and key_file.read_text() == key_of(_compute_checksums(photos, catalogue))
    ):
        key_file.unlink(missing_ok=True)
        checksums = _decode_all(photos, catalogue, preprocessing, cache)
        key_file.write_text(key_of(checksums))
    pixels: Pixels = np.load(cache, mmap_mode="r")
    return pixels


def discard_pixels(folder: Path) -> None:
    """Delete the pixels in a folder, so that they are decoded again when next loaded."""
    for key_file in folder.glob("*.key"):
        key_file.unlink(missing_ok=True)


def _compute_checksums(photos: Sequence[str], catalogue: Catalogue) -> list[int]:
    """Return the CRC-32 of each photo's file; 0 for an unreadable one, whose error is raised when it is decoded."""

    def sum_up(photo: str) -> int:
        try:
            return zlib.crc32(catalogue.read_photo(photo))
        except PhotoError:
            return 0

    found = for_each_photo(set(photos), sum_up)
    return [found[photo] for photo in photos]


def _decode_all(
    photos: Sequence[str], catalogue: Catalogue, preprocessing: Preprocessing, cache: Path
) -> list[int]:
    """Write the pixels of all photos to `cache`. Return the CRC-32 of each photo's file."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    partial = cache.with_suffix(".partial.npy")
    shape = (len(photos), preprocessing.height, preprocessing.width, 3)
    pixels = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)

    def decode(index: int) -> int:
        try:
            data = catalogue.read_photo(photos[index])
            pixels[index] = prepare_photo(data, preprocessing)
        except PhotoError as error:
            raise TrainingError(
                f"the photo cannot be used ({error.detail})",
                where=photos[index],
                fix="Run `hangtag check --decode`.",
            ) from None
        return zlib.crc32(data)

    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) + 1) as pool:
        decoded = pool.map(decode, range(len(photos)))
        console = Console(stderr=True)
        watched = track(
            decoded,
            f"Decoding {cache.stem} photos",
            total=len(photos),
            console=console,
            disable=not console.is_terminal,
        )
        checksums = list(watched)
    pixels.flush()
    partial.replace(cache)
    return checksums


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
