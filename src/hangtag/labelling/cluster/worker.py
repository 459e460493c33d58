"""The worker on another machine: a model, the same pipeline as on one machine, and the photos sent to it."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from hangtag import __version__
from hangtag.bundle.card import QUANTISED_PRECISION
from hangtag.bundle.file import read_bundle
from hangtag.bundle.quantised import quantised_path
from hangtag.bundle.signatures import OWN
from hangtag.domain.errors import HangtagError, PhotoError, UsageError
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DEFAULT_LIMITS, DecodeLimits
from hangtag.inference.model import Model, load_model
from hangtag.inference.predicting import DecodeSettings, predict_photos
from hangtag.inference.predictions import Predictions
from hangtag.inference.selection import find_form
from hangtag.labelling.inputs.archived import TarPhoto, ZipPhoto
from hangtag.labelling.inputs.photo import Extra, FaultyPhoto, InputPhoto, InputSettings, PhotoFile, no_extra
from hangtag.labelling.inputs.prefetch import FetchingAhead, RemotePhoto
from hangtag.labelling.inputs.reference import References
from hangtag.labelling.outputs import Layout
from hangtag.labelling.plan import Fingerprint

if TYPE_CHECKING:
    from hangtag.inference.engine import Precision

CHUNK_BYTES: Final = 16 * 1024 * 1024
"""A chunk is also full with this many bytes of photos. Photos sent by name have no bytes."""

_HIDDEN_THERE: Final = frozenset({Reason.NOT_FOUND, Reason.UNREADABLE})
"""The reasons that may mean a file exists on another machine only."""


@dataclass(frozen=True, slots=True)
class HandedPhoto:
    """A photo as it is sent: its name, and its file or archive, its address, or its bytes."""

    name: str
    source: PhotoFile | ZipPhoto | TarPhoto | str | bytes

    @property
    def extra(self) -> Extra:
        """Empty: the extra values stay where the rows are written."""
        return no_extra()

    def read(self, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Return the photo's bytes. Raises `PhotoError` with the reason if they cannot be read."""
        if isinstance(self.source, bytes):
            return self.source
        if isinstance(self.source, str):
            raise PhotoError(Reason.UNREADABLE, "an address is fetched by `receive`")
        return self.source.read(limits)

    def is_hidden_there(self, reason: Reason | None) -> bool:
        """Return whether this machine can read a photo that another one could not, given the reason it reported."""
        if reason not in _HIDDEN_THERE or isinstance(self.source, str | bytes):
            return False
        try:
            self.read()
        except PhotoError:
            return False
        return True


@dataclass(slots=True, eq=False)
class Chunk:
    """Photos for one worker, the extra values of their rows, and how often a worker was lost with them."""

    photos: tuple[HandedPhoto, ...]
    extra: tuple[Extra, ...]
    losses: int = field(default=0, init=False)


def hand_over(photo: InputPhoto) -> HandedPhoto:
    """Return a photo in a form that can be sent. Paths become absolute, since workers have other working folders."""
    name = photo.name
    if isinstance(photo, RemotePhoto):
        return HandedPhoto(name, photo.photo.url)
    if isinstance(photo, PhotoFile):
        return HandedPhoto(name, PhotoFile(_absolute(photo.path), photo.fault, extra={}))
    if isinstance(photo, FaultyPhoto):
        return HandedPhoto(name, PhotoFile(photo.path, photo.error.reason, extra={}))
    if isinstance(photo, ZipPhoto | TarPhoto):
        return HandedPhoto(name, replace(photo, archive=_absolute(photo.archive), extra={}))
    return _hand_over_bytes(name, photo)


def iter_chunks(photos: Iterable[InputPhoto], size: int) -> Iterator[Chunk]:
    """Yield photos in chunks of `size`, or fewer if they have `CHUNK_BYTES` bytes."""
    remaining = iter(photos)
    while True:
        handed: list[HandedPhoto] = []
        extra: list[Extra] = []
        length = 0
        for photo in islice(remaining, size):
            extra.append(photo.extra)
            handed.append(hand_over(photo))
            length += len(source) if isinstance(source := handed[-1].source, bytes) else 0
            if length >= CHUNK_BYTES:
                break
        if not handed:
            return
        yield Chunk(tuple(handed), tuple(extra))


def receive(photos: Iterable[HandedPhoto], references: References) -> Iterator[InputPhoto]:
    """Yield received photos as input photos; remote ones can be prefetched.

    Raises `UsageError` if this machine lacks the extra `cloud` for a photo in an object store.
    """
    for photo in photos:
        yield references.find(photo.source) if isinstance(photo.source, str) else photo


def _hand_over_bytes(name: str, photo: InputPhoto) -> HandedPhoto:
    try:
        return HandedPhoto(name, photo.read())
    except PhotoError as error:
        return HandedPhoto(name, PhotoFile(name, error.reason, extra={}))


def _absolute(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - called for millions of names


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model as it is sent: its files by name, the bundle first, and the precision to use."""

    files: Mapping[str, bytes]
    precision: str

    @classmethod
    def of(cls, path: Path, model: Model) -> "ModelFiles":
        """Return the files of a model loaded from `path`, and the precision that it uses here."""
        bundle = read_bundle(path)
        files = {bundle.path.name: bundle.model_bytes}
        if model.engine.precision == QUANTISED_PRECISION and (form := find_form(bundle)) is not None:
            files[quantised_path(bundle.path).name] = (
                form.model_bytes
            )  # next to this file, wherever it is on this machine
        return cls(files, model.engine.precision)

    def load(self, threads: int) -> Model:
        """Load the model, including the golden check. Raises the same errors as `load_model`."""
        with tempfile.TemporaryDirectory(prefix="hangtag-") as folder:
            for name, data in self.files.items():
                Path(folder, name).write_bytes(data)
            path = Path(folder, next(iter(self.files)))
            return load_model(path, precision=cast("Precision", self.precision), threads=threads, trusted=OWN)


@dataclass(frozen=True, slots=True)
class WorkPlan:
    """What every worker of a run gets: the models by name, and how to fetch photos at addresses."""

    models: Mapping[str, ModelFiles]
    inputs: InputSettings


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a worker cannot do its task: a `HangtagError` in a form that can be sent."""

    problem: str
    where: str | None
    fix: str | None

    @classmethod
    def of(cls, error: HangtagError) -> "Refusal":
        """Return an error as a value."""
        return cls(error.problem, error.where, error.fix)

    def as_error(self) -> UsageError:
        """Return the error, to be raised in the driver."""
        return UsageError(f"a worker reported: {self.problem}", where=self.where, fix=self.fix)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a process's predictions depend on: hangtag's version and its models, but not the table's columns."""

    version: str
    models: Fingerprint

    @classmethod
    def of(cls, models: Mapping[str, Model]) -> "Identity":
        """Return the identity of this process with these models, given by name."""
        layout = Layout.for_models({name: model.card for name, model in models.items()})
        return cls(__version__, Fingerprint.of(models, layout))

    def check(self, other: "Identity") -> None:
        """Raise `UsageError` if another process would give different predictions."""
        changes = self.models.describe_changes(other.models)
        if self.version != other.version:
            changes.append(f"this machine has hangtag {self.version} and another one {other.version}")
        if changes:
            raise UsageError(
                f"a machine of the cluster would give different labels: {'; '.join(changes)}",
                fix="Choose a `precision` that all machines support, and install the same hangtag on them.",
            )


class LabellingWorker:
    """Labels chunks of photos in its own process, on `threads` processors.

    Errors that a user can fix are returned as a `Refusal`.
    """

    def __init__(self, plan: WorkPlan, threads: int) -> None:
        self._plan = plan
        self._threads = threads
        self._references = References(plan.inputs)
        self._models: list[Model] = []

    def start(self) -> Identity | Refusal:
        """Load the models. Return what their predictions depend on."""
        try:
            models = {name: files.load(self._threads) for name, files in self._plan.models.items()}
        except HangtagError as error:
            return Refusal.of(error)
        self._models = list(models.values())
        return Identity.of(models)

    def label(self, photos: Sequence[HandedPhoto]) -> tuple[Predictions, ...] | Refusal:
        """Return each model's predictions for photos, in order.

        They lack names and most of the card, which the sender already has.
        """
        try:
            found = receive(photos, self._references)
            settings = DecodeSettings(self._threads)
            batches = list(predict_photos(found, self._models, settings, FetchingAhead()))
        except HangtagError as error:
            return Refusal.of(error)
        return tuple(_as_sent(Predictions.concat(parts)) for parts in zip(*batches, strict=True))


def _as_sent(predictions: Predictions) -> Predictions:
    card = predictions.card
    light = replace(card, recipe={}, data={}, metrics={}, history=(), golden=())
    return replace(predictions, card=light, names=(), extra=())
