"""The values of the API as types. The OpenAPI document and the page's client are generated from them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from hangtag.domain.prediction import Flag
from hangtag.domain.reasons import Reason


def _parse_boolean(text: object) -> bool:
    if text not in ("true", "false"):
        raise ValueError("send true or false")
    return text == "true"


BooleanText = Annotated[bool, BeforeValidator(_parse_boolean)]
"""A boolean in a form or a query, where it is text. In JSON, `StrictBool` takes nothing but a boolean."""
Confidence = Annotated[float, Field(ge=0, le=1)]
ByColumn = dict[str, float | None]


class Schema(BaseModel):
    """A value of the API: immutable, without undocumented fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class InvalidValue(Schema):
    """An invalid value of a request. `choices` lists the valid ones if there are only a few."""

    field: str
    message: str
    choices: list[str] | None = None


class Problem(Schema):
    """An error (RFC 9457). `code` is stable, `detail` is for people, and `fix` says what to do about it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    fix: str | None = None
    errors: list[InvalidValue] = []


class ModelName(Schema):
    """The model that made a prediction."""

    id: str
    version: str
    name: str


class Label(Schema):
    """A class and the calibrated probability that it is right."""

    value: str
    confidence: Confidence


class ChosenLabel(Label):
    """The chosen class of a column and the top candidates, the chosen one first."""

    candidates: list[Label]


class LabelledPhoto(Schema):
    """The labels of a photo.

    `path` is the category path from the root to the leaf. `answer` is the part of it that the model is confident of,
    down to the column `answer_level`. `doubtful` lists the columns whose confidence is below their threshold, and
    `flags` what is wrong with the photo. `probabilities` has all classes in descending order, if requested.
    """

    photo: str
    status: Literal["labelled"] = "labelled"
    path: list[str]
    answer: list[str]
    answer_level: str | None
    flags: list[Flag]
    labels: dict[str, ChosenLabel]
    probabilities: dict[str, list[Label]] | None = None
    doubtful: list[str]


class FailedPhoto(Schema):
    """A photo that could not be labelled. `reason` is a stable code, `detail` is for people."""

    photo: str
    status: Literal["failed"] = "failed"
    reason: Reason
    detail: str


PhotoAnswer = Annotated[LabelledPhoto | FailedPhoto, Field(discriminator="status")]


class Predictions(Schema):
    """The predictions for the photos of a request, in the same order."""

    model: ModelName
    latency_ms: float
    photos: list[PhotoAnswer]


class ModelComparisonAnswer(Schema):
    """The prediction of one model for a photo, and how long it took."""

    model: ModelName
    latency_ms: float
    answer: PhotoAnswer


class Comparison(Schema):
    """The predictions of several models for one photo."""

    photo: str
    answers: list[ModelComparisonAnswer]


class HeadFigures(Schema):
    """The accuracy of one head."""

    top1_accuracy: float | None
    macro_f1: float | None


class Figures(Schema):
    """The accuracy of a model on its test split, or on another split if it was not measured on that one."""

    split: str
    support: int | None
    heads: dict[str, HeadFigures]
    mean_top1_accuracy: float | None
    all_right: float | None


class InputSize(Schema):
    """The size in pixels to which photos are resized."""

    width: int
    height: int


class ModelSummary(Schema):
    """A model in a list."""

    id: str
    name: str
    version: str
    description: str
    architecture: str
    licence: str
    created: str
    size_bytes: int
    is_default: bool
    columns: list[str]
    input: InputSize
    figures: Figures | None


class ModelList(Schema):
    """The available models, the default one first."""

    models: list[ModelSummary]


class OodDetector(Schema):
    """The OOD detector: a photo whose score exceeds the threshold is flagged as not a product."""

    threshold: float
    method: str


class Head(Schema):
    """One head of a model: its column, and its classes in the order of the confusion matrix.

    Labels with a confidence below `threshold` are doubtful.
    """

    column: str
    classes: list[str]
    temperature: float
    threshold: float | None


class ModelDetail(ModelSummary):
    """A model with its whole card. `metrics` are by split, without the confusion matrices.

    The heads' thresholds were chosen so that `target_accuracy` of the confident answers are right. A head without a
    threshold did not reach the target. A model without a target has no thresholds.
    """

    sha256: str
    precision: str | None
    heads: list[Head]
    target_accuracy: float | None
    ood_detector: OodDetector | None
    preprocessing: dict[str, int | str]
    recipe: dict[str, Any]
    data: dict[str, Any]
    metrics: dict[str, Any]
    history: list[dict[str, Any]]


class Confusion(Schema):
    """A confusion matrix as [index of the true label, index of the predicted label, count] triples."""

    split: str
    column: str
    labels: list[str]
    counts: list[tuple[int, int, int]]


class ColumnCounts(Schema):
    """The number of products with each label of a column, in descending order. For text, only the number of values."""

    name: str
    kind: Literal["level", "attribute", "year", "text"]
    missing: int
    classes: int
    counts: list[tuple[str, int]]


class CatalogueGap(Schema):
    """A label whose products often lack `what`: `missing_in_label` of the `missing` products have this label."""

    what: str
    missing: int
    column: str
    label: str
    missing_in_label: int
    label_products: int


class PhotoSizes(Schema):
    """The sizes of a sample of photos as [`60x80`, count]. `opened` is the size of the sample."""

    opened: int
    unreadable: int
    sizes: list[tuple[str, int]]


class CatalogueStatistics(Schema):
    """The contents of a catalogue. `years` are in chronological order, `samples` names photos by column and label.

    `paths` lists the category paths from the root to the leaf with their number of products, the largest first. A level
    without a label is null.
    """

    available: Literal[True] = True
    state: Literal["ready"] = "ready"
    name: str
    products: int
    photos: int
    products_without_photo: int
    photos_without_product: int
    columns: list[ColumnCounts]
    levels: list[str]
    paths: list[tuple[list[str | None], int]]
    years: list[tuple[str, int]]
    gaps: list[CatalogueGap]
    photo_sizes: PhotoSizes
    samples: dict[str, dict[str, list[str]]]


class CatalogueAbsent(Schema):
    """A catalogue that is not available, or not yet. `done` of `total` photos have been read."""

    available: Literal[False] = False
    state: Literal["absent", "reading", "failed"]
    message: str
    done: int = 0
    total: int | None = None


CatalogueView = CatalogueStatistics | CatalogueAbsent


class CatalogueFinding(Schema):
    """A finding of the check about a row or a photo. Duplicates of each other share a `group`.

    `others` are at most three photos of the same group; the one that the message mentions comes first. `column` is
    null for a finding about the whole row or photo.
    """

    kind: str
    severity: Literal["error", "warning", "info"]
    message: str
    id: str | None
    photo: str | None
    group: int | None
    others: list[str] = []
    column: str | None = None


class FindingKindCount(Schema):
    """A kind of finding: what it means, and how many there are."""

    kind: str
    severity: Literal["error", "warning", "info"]
    explanation: str
    count: int


class Findings(Schema):
    """A page of findings. `counts` has all findings by kind, `total` counts those that match."""

    available: Literal[True] = True
    state: Literal["ready"] = "ready"
    counts: dict[str, int]
    kinds: list[FindingKindCount]
    total: int
    findings: list[CatalogueFinding]


FindingsView = Findings | CatalogueAbsent


class Examples(Schema):
    """Names of photos of the catalogue."""

    photos: list[str]


class Samples(Schema):
    """Names of the sample photos."""

    photos: list[str]


class Names(Schema):
    """The names of columns and their labels in a language; each label in the singular and the plural."""

    language: str
    columns: dict[str, str]
    labels: dict[str, dict[str, Annotated[list[str], Field(min_length=2, max_length=2)]]]


class Limits(Schema):
    """The limits on a request."""

    max_files: int
    max_file_bytes: int
    max_request_bytes: int
    max_upload_bytes: int
    max_batch_photos: int
    max_pixels: int


class Storage(Schema):
    """What is stored, as of the last minute, and the most that may be; null for no limit."""

    photo_bytes: int
    products: int
    quota_bytes: int | None
    quota_products: int | None
    batch_days: int | None
    audit_days: int


class Status(Schema):
    """The version, the contents and the limits of the service."""

    version: str
    models: int
    default_model: str
    catalogue: bool
    limits: Limits
    storage: Storage


class Health(Schema):
    """The health of the service."""

    status: Literal["ok"] = "ok"
