"""Adapting: from labelled photos of a shop and a bundle to a bundle for this shop."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hangtag.adapting.adapt import Adapter, ColumnResult, write_adapted
from hangtag.adapting.decisions import is_decisions, merge_decisions, read_decisions
from hangtag.adapting.examples import Examples
from hangtag.adapting.forgetting import WARNING_POINTS
from hangtag.bundle.card import Card
from hangtag.bundle.file import DEFAULT_NAME, find_bundle, read_bundle
from hangtag.bundle.signatures import TrustedKeys
from hangtag.datasets.opening import Catalogue, list_table_files, open_catalogue
from hangtag.datasets.splits import PHOTO_COLUMN
from hangtag.domain.columns import confidence_of
from hangtag.domain.errors import UsageError
from hangtag.evaluation.photo_set import catalogue_photos
from hangtag.imaging.batches import PhotoSource
from hangtag.imaging.budget import DecodeLimits
from hangtag.inference.engine import Engine
from hangtag.inference.predicting import DecodeSettings, Outputs, predict_photos
from hangtag.labelling.inputs import InputSettings, open_inputs
from hangtag.pipelines.arguments import SILENT, AnyPath, Destination, Progress, check_destinations, checked
from hangtag.tables.reading import find_column, is_table_name, open_table

_CORRECTED = "corrected"
"""The column of hangtag's own tables that lists the columns a person set; the other labels are predictions."""

_PHOTO_FOLDERS = ("images", "images_custom")


@dataclass(frozen=True, slots=True)
class AdaptResult:
    """An adapted bundle and its cross-validated accuracy on the labelled photos.

    `columns` holds the accuracy before and after by column. `forgotten_points` is how many points the mean accuracy of
    the heads falls on the original training photos, estimated from their statistics. `left_out` counts, by column and
    label, the labels with too few examples. `failed` is the number of photos that could not be read.
    """

    path: Path
    card: Card
    columns: Mapping[str, ColumnResult]
    forgotten_points: float
    left_out: Mapping[str, Mapping[str, int]]
    photos: int
    failed: int

    @property
    def forgets(self) -> bool:
        """Whether accuracy on photos like the original training photos probably falls by over 0.3 points."""
        return self.forgotten_points > WARNING_POINTS

    def __repr__(self) -> str:
        """Return the accuracy of each column, before and after."""
        shown = (
            f"{column} {found.before:.1%} to {found.after:.1%}" for column, found in self.columns.items()
        )
        return f"<AdaptResult {self.path.name}: {', '.join(shown)}>"


@dataclass(frozen=True, slots=True)
class _LabelledPhoto:
    """A photo with its labels by column in `extra`."""

    source: PhotoSource
    extra: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.source.name

    def read(self, limits: DecodeLimits) -> bytes:
        return self.source.read(limits)


@dataclass(frozen=True, slots=True)
class _CataloguePhoto:
    name: str
    catalogue: Catalogue

    def read(self, limits: DecodeLimits) -> bytes:
        del limits  # the catalogue has its own limits, and the decoder checks them again
        return self.catalogue.read_photo(self.name)


@dataclass
class _Recording:
    """An engine that records its outputs. Fitting needs logits, which `Predictions` do not have."""

    engine: Engine
    outputs: list[Outputs] = field(default_factory=list)

    @property
    def card(self) -> Card:
        return self.engine.card

    def run(self, pixels: npt.NDArray[np.uint8]) -> Outputs:
        return next(self.iter_run([pixels]))

    def iter_run(self, batches: Iterable[npt.NDArray[np.uint8]]) -> Iterator[Outputs]:
        for found in self.engine.iter_run(batches):
            self.outputs.append({name: np.array(values) for name, values in found.items()})
            yield found


@checked
def adapt(
    labelled: "AnyPath | Sequence[AnyPath]",
    *,
    model: AnyPath = DEFAULT_NAME,
    output: AnyPath = "shop.onnx",
    columns: Sequence[str] = (),
    name: str | None = None,
    target_accuracy: float | None = None,
    threads: int | None = None,
    progress: Progress = SILENT,
) -> AdaptResult:
    """Adapt a model to a shop: write a bundle with the same network and with heads fitted to labelled photos.

    `labelled` is one path or several: a catalogue in any format, a table of photos and labels, a table of decisions, or
    Label Studio's JSON. In a table that hangtag wrote, only labels that a person corrected count. The columns that the
    model predicts are learned; `columns` adds others as new attributes. `name` is the name in the card, by default that
    of the file. The thresholds are chosen for `target_accuracy` (0 to 1).

    Raises `BundleError` for a model that cannot be adapted, and `UsageError` if there is nothing to learn from.

    >>> import hangtag
    >>> result = hangtag.adapt("shop/", output="shop.onnx")           # doctest: +SKIP
    >>> result.columns["articleType"].before                          # doctest: +SKIP
    0.48
    >>> result.columns["articleType"].after                           # doctest: +SKIP
    0.81
    >>> hangtag.predict("photos/", model="shop.onnx")                 # doctest: +SKIP
    """
    paths = [Path(path) for path in ([labelled] if isinstance(labelled, str | PathLike) else labelled)]
    if not paths:
        raise UsageError("there are no labelled photos", where="LABELLED")
    if target_accuracy is not None and not 0 < target_accuracy <= 1:
        raise UsageError("the target accuracy is a share above 0 and at most 1", where="target_accuracy")
    path = Path(output)
    base = find_bundle(model if isinstance(model, str) else Path(model))
    read = [base, *(file for given in paths for file in list_table_files(given))]
    check_destinations([Destination("--output", path, makes_folder=True, is_model=True)], read)
    bundle = read_bundle(base)
    TrustedKeys.of().check(bundle.path, bundle.model_bytes)
    adapter = Adapter(bundle)
    wanted = tuple(dict.fromkeys([*bundle.card.columns, *columns]))
    engine = Engine(bundle, precision="fp32", threads=threads)
    examples, failed = read_examples(engine, paths, wanted, progress)
    progress.say(f"{len(examples):,} labelled photos")
    names = [given.resolve().name for given in paths]
    found = adapter.adapt(examples, name or path.stem, target_accuracy, names)
    card = write_adapted(found, bundle.card, path)
    return AdaptResult(path, card, found.columns, found.forgotten, found.left_out, len(examples), failed)


def read_examples(
    engine: Engine, paths: Sequence[Path], wanted: Sequence[str], progress: Progress = SILENT
) -> tuple[Examples, int]:
    """Return the model's outputs for labelled photos, with their labels in the `wanted` columns, and how many failed.

    Raises `UsageError` if no photo has such a label, or none can be read.
    """
    with ExitStack() as stack:
        photos = [photo for given in paths for photo in _iter_labelled(given, wanted, stack)]
        if not photos:
            raise UsageError(
                "no photo has a label that the model could learn",
                where=", ".join(map(str, paths)),
                fix=f"The model's columns are {', '.join(wanted)}. `columns` adds others. "
                f"A label with a confidence is a model's, and counts only if the column `{_CORRECTED}` lists it.",
            )
        return _answer(_Recording(engine), photos, wanted, progress)


def _answer(
    recording: _Recording, photos: Sequence[_LabelledPhoto], wanted: Sequence[str], progress: Progress
) -> tuple[Examples, int]:
    """Return the model's outputs for the readable photos, with their labels, and the number of unreadable ones."""
    labels: list[Mapping[str, Any]] = []
    done = failed = 0
    with closing(predict_photos(photos, [recording], DecodeSettings())) as batches:
        for (found,) in batches:
            is_read = found.is_labelled
            extras = found.extra or ({},) * len(found)
            labels += [extra for extra, readable in zip(extras, is_read.tolist(), strict=True) if readable]
            done, failed = done + len(found), failed + int((~is_read).sum())
            progress.advance("embedding", done, len(photos))
    if not labels:
        raise UsageError("none of the labelled photos can be read")
    outputs = {key: np.concatenate([part[key] for part in recording.outputs]) for key in recording.outputs[0]}
    said = {column: [row.get(column) or None for row in labels] for column in wanted}
    return Examples(outputs, {column: values for column, values in said.items() if any(values)}), failed


def _iter_labelled(path: Path, wanted: Sequence[str], stack: ExitStack) -> Iterator[_LabelledPhoto]:
    """Yield the photos of a path that have a label. Their sources stay open until the stack closes."""
    if path.is_file() and (path.suffix.lower() == ".json" or (is_table_name(path) and is_decisions(path))):
        yield from _iter_decided(path, wanted)
    elif path.is_file() and is_table_name(path) and not _is_catalogue_table(path):
        yield from _iter_table(path, wanted, stack)
    else:
        yield from _iter_catalogue(stack.enter_context(open_catalogue(path)), wanted)


def _is_catalogue_table(path: Path) -> bool:
    """Return whether a table is a catalogue's, with a folder of photos, rather than one with a photo column."""
    has_folder = any((path.parent / folder).is_dir() for folder in _PHOTO_FOLDERS)
    return path.suffix.lower() in {".csv", ".txt"} and has_folder and "id" in open_table(path).names


def _iter_catalogue(catalogue: Catalogue, wanted: Sequence[str]) -> Iterator[_LabelledPhoto]:
    rows = catalogue_photos(catalogue).rows
    known = [column for column in wanted if column in rows.column_names]
    for row in rows.select([PHOTO_COLUMN, *known]).to_pylist():
        labels = {column: str(row[column]) for column in known if row[column]}
        if labels:
            yield _LabelledPhoto(_CataloguePhoto(row[PHOTO_COLUMN], catalogue), labels)


def _iter_table(path: Path, wanted: Sequence[str], stack: ExitStack) -> Iterator[_LabelledPhoto]:
    photos = stack.enter_context(open_inputs([path], InputSettings()))
    names = [name for name, _ in photos.columns]
    written = {column: names[place] for column in wanted if (place := find_column(column, names)) is not None}
    for photo in photos:
        counted = {column for column, name in written.items() if not photo.extra.get(confidence_of(name))}
        if _CORRECTED in photo.extra:
            named = str(photo.extra[_CORRECTED] or "").replace(";", ",").split(",")
            counted = {column.strip() for column in named}
        labels = {
            column: str(photo.extra[name]).strip()
            for column, name in written.items()
            if column in counted and photo.extra.get(name) not in (None, "")
        }
        if labels:
            yield _LabelledPhoto(photo, labels)


def _iter_decided(path: Path, wanted: Sequence[str]) -> Iterator[_LabelledPhoto]:
    """Yield the photos in a file of decisions. Relative paths start from the file's folder."""
    merged = merge_decisions(read_decisions(path))
    names = [name if "://" in name else str(path.parent / name) for name in merged]
    with open_inputs(names, InputSettings()) as photos:
        for photo, said in zip(photos, merged.values(), strict=True):
            labels = {column: label for column, label in said.items() if column in wanted}
            if labels:
                yield _LabelledPhoto(photo, labels)
