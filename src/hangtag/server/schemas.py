"""What the API says, as types: the OpenAPI document and the clients are made from these."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hangtag.domain.flags import Flag
from hangtag.domain.reasons import Reason

Confidence = Annotated[float, Field(ge=0, le=1)]
ByColumn = dict[str, float | None]


class Schema(BaseModel):
    """A value of the API: never changed, and without a field that is not described."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class InvalidValue(Schema):
    """One value of a request that cannot be; `choices` are the ones that can, where one has to be meant."""

    field: str
    message: str
    choices: list[str] | None = None


class Problem(Schema):
    """What went wrong (RFC 9457). `code` is stable, `detail` is for people, `fix` says what to do."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    fix: str | None = None
    errors: list[InvalidValue] = []


class ModelName(Schema):
    """Which model answered."""

    id: str
    version: str
    name: str


class Label(Schema):
    """A value and the calibrated probability that it is right."""

    value: str
    confidence: Confidence


class ChosenLabel(Label):
    """The chosen value of a column, and the candidates, the chosen one first."""

    candidates: list[Label]


class LabelledPhoto(Schema):
    """The label of a photo.

    `path` is the category path from the root to the leaf, `answer` the part of it that the model is sure of, from the
    root down to the column `answer_level`. `flags` say what is wrong with the photo. `doubtful` names the columns
    whose confidence is low. `probabilities` are those of all classes, in descending order, where they were asked for.
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
    """Why a photo has no label: a stable code, and a sentence for people."""

    photo: str
    status: Literal["failed"] = "failed"
    reason: Reason
    detail: str


PhotoAnswer = Annotated[LabelledPhoto | FailedPhoto, Field(discriminator="status")]


class Predictions(Schema):
    """The answers to the photos of a request, in their order."""

    model: ModelName
    latency_ms: float
    photos: list[PhotoAnswer]


class ModelComparisonAnswer(Schema):
    """What one model says about a photo, and how long it took to say it."""

    model: ModelName
    latency_ms: float
    answer: PhotoAnswer


class Comparison(Schema):
    """What several models say about one photo."""

    photo: str
    answers: list[ModelComparisonAnswer]


class HeadFigures(Schema):
    """How good one head is."""

    top1_accuracy: float | None
    macro_f1: float | None


class Figures(Schema):
    """How good a model is, on the split that says most: the test split where it was measured on it."""

    split: str
    support: int | None
    heads: dict[str, HeadFigures]
    mean_top1_accuracy: float | None
    all_right: float | None


class InputSize(Schema):
    """The size, in pixels, that photos are brought to."""

    width: int
    height: int


class ModelSummary(Schema):
    """A model in the list."""

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
    """The models that can be asked, the default one first."""

    models: list[ModelSummary]


class Gate(Schema):
    """What flags a photo as no product: a score, by this method, over this threshold."""

    threshold: float
    method: str


class Head(Schema):
    """One head: the column that it answers, and its classes in the order of the confusion matrix.

    From `threshold` on its label is an answer.
    """

    column: str
    classes: list[str]
    temperature: float
    threshold: float | None


class ModelDetail(ModelSummary):
    """All that is known about a model: its card. `metrics` are by split; confusion matrices are asked for singly.

    `target_accuracy` is the share of what is answered that is to be right, by which the heads' thresholds were chosen;
    a head without one did not reach it often enough. Models without a target doubt nothing.
    """

    sha256: str
    precision: str | None
    heads: list[Head]
    target_accuracy: float | None
    gate: Gate | None
    preprocessing: dict[str, int | str]
    recipe: dict[str, Any]
    data: dict[str, Any]
    metrics: dict[str, Any]
    history: list[dict[str, Any]]


class Confusion(Schema):
    """How often each class was answered as which: [index of the true label, index of the answer, count] triples."""

    split: str
    column: str
    labels: list[str]
    counts: list[tuple[int, int, int]]


class TaxonomyView(Schema):
    """Which labels exist: the category paths from the root to the leaf, and the classes of every column."""

    levels: list[str]
    paths: list[list[str]]
    columns: dict[str, list[str]]


class ColumnCounts(Schema):
    """How often each label of a column occurs, in descending order. Of text, only how many values there are."""

    name: str
    kind: Literal["level", "attribute", "year", "text"]
    missing: int
    classes: int
    counts: list[tuple[str, int]]


class CatalogueGap(Schema):
    """Of `missing` products without `what`, `missing_in_label` have this label: far more than its share."""

    what: str
    missing: int
    column: str
    label: str
    missing_in_label: int
    label_products: int


class PhotoSizes(Schema):
    """The sizes, as [`60x80`, photos], of so many `opened` photos, of which some could not be read."""

    opened: int
    unreadable: int
    sizes: list[tuple[str, int]]


class CatalogueStatistics(Schema):
    """What is in a catalogue. `years` are in order of time, `samples` names of photos by column and label.

    `paths` are the category paths of its products, from the root to the leaf, each with its number of products, the
    largest first. A product that has no label on a level has null there.
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
    """Why nothing is shown of a catalogue (yet). `done` of `total` photos have been seen."""

    available: Literal[False] = False
    state: Literal["absent", "reading", "failed"]
    message: str
    done: int = 0
    total: int | None = None


CatalogueView = CatalogueStatistics | CatalogueAbsent


class CatalogueFinding(Schema):
    """Something that the check noticed about a row or a photo. `group` numbers duplicates that belong together."""

    kind: str
    severity: Literal["error", "warning", "info"]
    message: str
    id: str | None
    photo: str | None
    group: int | None


class FindingKindCount(Schema):
    """How many findings of a kind there are, and what the kind means."""

    kind: str
    severity: Literal["error", "warning", "info"]
    explanation: str
    count: int


class Findings(Schema):
    """A page of the findings. `counts` are of all findings by kind, `total` of those that were asked for."""

    available: Literal[True] = True
    state: Literal["ready"] = "ready"
    counts: dict[str, int]
    kinds: list[FindingKindCount]
    total: int
    findings: list[CatalogueFinding]


FindingsView = Findings | CatalogueAbsent


class Examples(Schema):
    """Names of catalogue photos."""

    photos: list[str]


class Samples(Schema):
    """Names of the sample photos."""

    photos: list[str]


class Limits(Schema):
    """What a request may hold."""

    max_files: int
    max_file_bytes: int
    max_request_bytes: int
    max_job_bytes: int
    max_job_photos: int
    max_pixels: int


class Status(Schema):
    """What this service is and can do."""

    version: str
    models: int
    default_model: str
    catalogue: bool
    limits: Limits


class Health(Schema):
    """Whether the service lives; whether it can answer."""

    status: Literal["ok"] = "ok"
