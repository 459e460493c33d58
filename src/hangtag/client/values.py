"""What the service answers, as values. A newer service may say more; what is not named here is left out."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from hangtag.domain.flags import Flag
from hangtag.domain.prediction import Label
from hangtag.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class ModelName:
    """Which model answered."""

    id: str
    version: str
    name: str


@dataclass(frozen=True, slots=True)
class ChosenLabel:
    """The chosen value of a column, its confidence, and the candidates, the chosen one first."""

    value: str
    confidence: float
    candidates: tuple[Label, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledPhoto:
    """The label of a photo. `path` is the category path from the root to the leaf, `labels` are by column.

    `answer` is the part of the path that the model is sure of, down to the column `answer_level`; `flags` say what is
    wrong with the photo.
    `doubtful` names the columns whose confidence is low. `probabilities`, in descending order, are there when asked
    for. In a job, `position` is the photo's, `row` what its table says of it, and `corrections` what a person does.
    """

    photo: str
    path: tuple[str, ...]
    answer: tuple[str, ...]
    answer_level: str | None
    flags: tuple[Flag, ...]
    labels: Mapping[str, ChosenLabel]
    doubtful: tuple[str, ...]
    probabilities: Mapping[str, tuple[Label, ...]] | None = None
    status: Literal["labelled"] = "labelled"
    position: int | None = None
    row: Mapping[str, str] | None = None
    corrections: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, column: str) -> ChosenLabel:
        """Return the chosen label of a column; `KeyError` if the model has no such head."""
        return self.labels[column]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedPhoto:
    """Why a photo has no label."""

    photo: str
    reason: Reason
    detail: str
    status: Literal["failed"] = "failed"
    position: int | None = None
    row: Mapping[str, str] | None = None


PhotoAnswer = Annotated[LabelledPhoto | FailedPhoto, Field(discriminator="status")]
JobResult = PhotoAnswer


@dataclass(frozen=True, slots=True)
class Predictions:
    """The answers to some photos, in their order."""

    model: ModelName
    latency_ms: float
    photos: tuple[PhotoAnswer, ...]


@dataclass(frozen=True, slots=True)
class ExplainedLabel:
    """What a decision looked at: the photo, bright where it spoke for the label. `image` is a data URL.

    `method` is occlusion or activation; a newer service may know others.
    """

    column: str
    value: str
    confidence: float
    method: str
    image: str

    @property
    def picture(self) -> bytes:
        """The bytes of the picture's file, a JPEG."""
        return base64.b64decode(self.image.partition(",")[2])


@dataclass(frozen=True, slots=True)
class ExplainedPhoto:
    """What the decisions about a photo looked at, as pictures of `width` x `height` pixels."""

    photo: str
    model: ModelName
    latency_ms: float
    width: int
    height: int
    labels: tuple[ExplainedLabel, ...]
    status: Literal["explained"] = "explained"

    def __getitem__(self, column: str) -> ExplainedLabel:
        """Return the explained label of a column; `KeyError` for one that was not asked for."""
        for label in self.labels:
            if label.column == column:
                return label
        raise KeyError(column)


ExplanationAnswer = Annotated[ExplainedPhoto | FailedPhoto, Field(discriminator="status")]


@dataclass(frozen=True, slots=True)
class ComparisonAnswer:
    """What one model says about a photo."""

    model: ModelName
    latency_ms: float
    answer: PhotoAnswer


@dataclass(frozen=True, slots=True)
class Comparison:
    """What several models say about one photo."""

    photo: str
    answers: tuple[ComparisonAnswer, ...]


@dataclass(frozen=True, slots=True)
class HeadFigures:
    """How good one head is."""

    top1_accuracy: float | None
    macro_f1: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """How good a model is on a split; shares of 0 to 1."""

    split: str
    support: int | None
    heads: Mapping[str, HeadFigures]
    mean_top1_accuracy: float | None
    all_right: float | None


@dataclass(frozen=True, slots=True)
class Model:
    """A model that can be asked."""

    id: str
    name: str
    version: str
    description: str
    architecture: str
    licence: str
    created: str
    size_bytes: int
    is_default: bool
    columns: tuple[str, ...]
    figures: Figures | None


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """Which labels a model can give: its category paths over named levels, and the classes of every column."""

    levels: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...]
    columns: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Job:
    """A batch of photos that the service labels in the background. `message` says why it failed."""

    id: str
    title: str
    state: Literal["queued", "running", "done", "cancelled", "failed"]
    model: ModelName
    created: datetime
    started: datetime | None
    finished: datetime | None
    total: int
    done: int
    failed: int
    images_per_s: float | None
    seconds_left: float | None
    message: str | None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in {"done", "cancelled", "failed"}


@dataclass(frozen=True, slots=True)
class JobResults:
    """Some of a job's results; `total` counts all that were asked for."""

    total: int
    results: tuple[JobResult, ...]


@dataclass(frozen=True, slots=True)
class Models:
    """The answer of the list of models."""

    models: tuple[Model, ...]


@dataclass(frozen=True, slots=True)
class JobPage:
    """The answer of the list of jobs."""

    jobs: tuple[Job, ...]
    total: int
