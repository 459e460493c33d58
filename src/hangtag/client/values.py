"""The values that the service returns. Unknown fields of a newer service are ignored."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from hangtag.domain.prediction import Flag, Label
from hangtag.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class ModelName:
    """The model that made a prediction."""

    id: str
    version: str
    name: str


@dataclass(frozen=True, slots=True)
class ChosenLabel:
    """The chosen class of a column, its confidence, and the top candidates, the chosen one first."""

    value: str
    confidence: float
    candidates: tuple[Label, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledPhoto:
    """The labels of a photo by column, with the category `path` from the root to the leaf.

    `answer` is the part of the path that the model is confident of, down to the column `answer_level`. `doubtful` lists
    the columns whose confidence is below their threshold, and `flags` what is wrong with the photo. `probabilities` has
    all classes in descending order, if requested.
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

    def __getitem__(self, column: str) -> ChosenLabel:
        """Return the chosen label of a column; `KeyError` if the model has no such head."""
        return self.labels[column]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedPhoto:
    """A photo that could not be labelled, and why."""

    photo: str
    reason: Reason
    detail: str
    status: Literal["failed"] = "failed"


PhotoAnswer = Annotated[LabelledPhoto | FailedPhoto, Field(discriminator="status")]


@dataclass(frozen=True, slots=True)
class Predictions:
    """The predictions for some photos, in order."""

    model: ModelName
    latency_ms: float
    photos: tuple[PhotoAnswer, ...]


@dataclass(frozen=True, slots=True)
class ExplainedLabel:
    """The heat map of a label: the photo, bright where it supports the label. `image` is a data URL.

    `method` is occlusion or activation; a newer service may have others.
    """

    column: str
    value: str
    confidence: float
    method: str
    image: str

    @property
    def picture(self) -> bytes:
        """The picture as a JPEG file."""
        return base64.b64decode(self.image.partition(",")[2])


@dataclass(frozen=True, slots=True)
class ExplainedPhoto:
    """The heat maps of a photo: one image of `width` x `height` pixels for each label."""

    photo: str
    model: ModelName
    latency_ms: float
    width: int
    height: int
    labels: tuple[ExplainedLabel, ...]
    status: Literal["explained"] = "explained"

    def __getitem__(self, column: str) -> ExplainedLabel:
        """Return the explained label of a column; `KeyError` for one that was not requested."""
        for label in self.labels:
            if label.column == column:
                return label
        raise KeyError(column)


ExplanationAnswer = Annotated[ExplainedPhoto | FailedPhoto, Field(discriminator="status")]


@dataclass(frozen=True, slots=True)
class ComparisonAnswer:
    """The prediction of one model for a photo."""

    model: ModelName
    latency_ms: float
    answer: PhotoAnswer


@dataclass(frozen=True, slots=True)
class Comparison:
    """The predictions of several models for one photo."""

    photo: str
    answers: tuple[ComparisonAnswer, ...]


@dataclass(frozen=True, slots=True)
class HeadFigures:
    """The accuracy of one head."""

    top1_accuracy: float | None
    macro_f1: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """The accuracy of a model on a split, as shares from 0 to 1."""

    split: str
    support: int | None
    heads: Mapping[str, HeadFigures]
    mean_top1_accuracy: float | None
    all_right: float | None


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the service."""

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
    """The labels of a model: its category paths over named levels, and the classes of every column."""

    levels: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...]
    columns: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Models:
    """The response with the list of models."""

    models: tuple[Model, ...]
