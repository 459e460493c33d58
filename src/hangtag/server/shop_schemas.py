"""The API's values for what hangtag learns from a shop."""

from datetime import datetime
from typing import Literal

from pydantic import Field, StrictBool

from hangtag.server.schemas import Schema


class Accuracy(Schema):
    """How often labels were right: `share` of `checked`, and its 95 % interval, all 0 to 1."""

    checked: int
    share: float
    low: float
    high: float


class Effort(Schema):
    """About how many more checks take the accuracy to `target`, 0 to 1."""

    target: float
    checks: int


class ShopAccuracy(Accuracy):
    """The accuracy of an attribute in the shop, from random checks only. `effort` is null if it is unknown."""

    effort: Effort | None


class Calibration(Schema):
    """The model's mean confidence on random checks, and how often it was right, 0 to 1."""

    stated: float
    right: float
    checked: int


class BaseOfModel(Schema):
    """The model that a shop model was adapted from."""

    id: str
    name: str
    version: str


class BatchChecks(Schema):
    """How many checks of a batch were learned."""

    id: str
    name: str
    checks: int


class LearntFrom(Schema):
    """What a version learned from: products, their batches, and the classes that its base does not know."""

    checks: int
    batches: list[BatchChecks]
    new_classes: dict[str, list[str]]


class CrossValidated(Schema):
    """The accuracy of a head on checks that it had not learned: before (null: a new one) and after, 0 to 1.

    People chose these checks, often because they were doubtful, so they are harder than the shop's average product.
    """

    labels: int
    before: float | None
    after: float


class AtHome(Schema):
    """The base's accuracy on its own test photos, and how much a version changes it there, 0 to 1."""

    accuracy: float | None
    change: float | None


class ClassFigures(Schema):
    """The random checks of a class: how many were right, with this version and with the base."""

    name: str
    checks: int
    right: int
    before_right: int


class ShopFigures(Schema):
    """The accuracy of a version in an attribute.

    `shop` and `before` are its accuracy and the base's on the shop's random checks, which are never learned. `learnt`
    is measured by cross-validation on the other checks. `worse` lists the classes that were significantly worse than
    with the model that was in use when it was made.
    """

    shop: Accuracy | None
    before: Accuracy | None
    learnt: CrossValidated | None
    base: AtHome | None
    classes: list[ClassFigures]
    worse: list[str]


class Forgetting(Schema):
    """By how many points the mean accuracy of the heads changes on photos of the base. `told`: this is much."""

    mean_change: float
    told: bool


class ShopModel(Schema):
    """A version of a shop model. `model` is its id among the models, which batches and labels name."""

    id: str
    base: BaseOfModel
    model: str
    version: int
    name: str
    stage: Literal["candidate", "in_use", "archived"]
    created: datetime
    created_by: str | None
    learnt_from: LearntFrom
    figures: dict[str, ShopFigures]
    forgetting: Forgetting
    override_reason: str | None
    sha256: str
    size_bytes: int


class ShopModelList(Schema):
    """The versions of shop models, the newest first."""

    items: list[ShopModel]
    total: int


class Changed(Schema):
    """How many labels of unchecked products changed, and how many products no longer need a person."""

    changed: int
    settled: int


class Learnt(Schema):
    """What changed when hangtag learned automatically, in total and by batch. `undo`: it can be undone."""

    model: str
    version: int
    checks: int
    changed: int
    settled: int
    batches: dict[str, Changed]
    undo: bool


class Learning(Schema):
    """Learning in progress: since when, and from how many new checks (0: someone asked for it)."""

    since: datetime
    checks: int


class Week(Schema):
    """The products that arrived in a week, which begins on the Monday `week`. Shares are 0 to 1."""

    week: str
    products: int
    mean_confidence: float | None
    ood_share: float
    corrected_share: float
    classes: dict[str, dict[str, float]]


class CheckCounts(Schema):
    """How many products people checked in total, and since hangtag last learned from them."""

    total: int
    since: int


class NextCheck(Schema):
    """A product to check, and those that look the same and can be settled with it.

    `why`: no product of its `kind` was checked yet, the model is in `doubt`, or it was drawn at random as `control`.
    """

    product: str
    alike: list[str]
    why: Literal["kind", "doubt", "control"]


class NextChecks(Schema):
    """What to check next, in order. `left` is how many products are still worth checking."""

    items: list[NextCheck]
    left: int


class ShopState(Schema):
    """What hangtag knows about the shop.

    `in_use` has the version in use by base; null is the base itself. `accuracy` and `calibration` are based only on
    random checks. `last` is what was last learned automatically, null if something else is in use.
    """

    enabled: bool
    learn_after: int
    checks: CheckCounts
    in_use: dict[str, ShopModel | None]
    learning: Learning | None
    last: Learnt | None
    accuracy: dict[str, ShopAccuracy]
    calibration: dict[str, Calibration]
    drift: list[Week]


class ShopChange(Schema):
    """Whether hangtag learns automatically, and after how many new checks."""

    enabled: StrictBool | None = None
    learn_after: int | None = Field(None, ge=1, le=100_000)


class LearnNow(Schema):
    """The base that is to learn, by default that of the latest batch, and the name of the version."""

    base: str | None = None
    name: str | None = Field(None, min_length=1, max_length=100)


class LearningAccepted(Schema):
    """The version will be a candidate in a few seconds."""

    learning: bool


class Promotion(Schema):
    """Why a version is wanted although some classes are significantly worse."""

    override_reason: str | None = Field(None, min_length=1, max_length=1000)


class RollBack(Schema):
    """The base whose version is rolled back, by default that of the newest version in use."""

    base: str | None = None


class OwnClass(Schema):
    """A class that the shop created. `path` is its category path, null for a class of an attribute.

    `products` is how many have it, `learnt` whether the model in use knows it.
    """

    attribute: str
    name: str
    path: list[str] | None
    products: int
    learnt: bool


class TaxonomyView(Schema):
    """The labels that products can have: the category paths from the root to the leaf, and the classes of each column.

    They are those of the model and the shop's `own`. `names` are the shop's display names, by language, column and
    class; the empty class has the name of the column itself. `version` counts the shop's changes.
    """

    levels: list[str]
    paths: list[list[str]]
    columns: dict[str, list[str]]
    own: list[OwnClass]
    version: int
    names: dict[str, dict[str, dict[str, str]]]


class NewShopClass(Schema):
    """A class to create: for the category, with its parents in `path`; or for an `attribute`, which may be new."""

    path: list[str] | None = Field(None, max_length=10)
    attribute: str | None = Field(None, max_length=50)
    name: str | None = Field(None, max_length=200)
    values: list[str] = Field(default_factory=list, max_length=1000)


class DisplayName(Schema):
    """The name of a class in a language, or of the attribute if `class` is null. An empty `name` removes it."""

    attribute: str = Field(min_length=1, max_length=100)
    class_: str | None = Field(None, alias="class", max_length=200)
    language: Literal["en", "de", "fr", "es"]
    name: str = Field(max_length=200)


class Agreement(Schema):
    """The agreement of two people on an attribute: the share of equal labels, and Cohen's kappa, which excludes chance.

    `kappa` is null if both gave the same single label to all.
    """

    attribute: str
    people: list[str]
    both: int
    agreed: float
    kappa: float | None


class AgreementList(Schema):
    """How far people agree on products that two of them decided."""

    items: list[Agreement]


class SkippedLine(Schema):
    """A line that was not applied, counted without the header, and why. 0 stands for several lines."""

    line: int
    reason: str


class ImportedDecisions(Schema):
    """The result of importing decisions: rows read, labels applied, and labels that products already had."""

    rows: int
    applied: int
    unchanged: int
    skipped: list[SkippedLine]
    agreement: list[Agreement]


class NewReview(Schema):
    """Which findings of the catalogue's check to review."""

    finding: Literal["suspects", "duplicates", "missing"]
