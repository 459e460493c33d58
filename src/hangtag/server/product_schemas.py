"""The API's values for the products of a batch and the decisions about them."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, StrictBool

from hangtag.server.schemas import Label, Schema

State = Literal["to_check", "checked", "corrected"]
View = Literal["front", "back", "detail", "side"]


class PhotoError(Schema):
    """Why a photo has no label."""

    reason: str
    message: str


class Duplicate(Schema):
    """An earlier copy of the same photo."""

    batch: str
    product: str
    photo: str


class Photo(Schema):
    """A photo of a product. `disagrees` lists the attributes on which it confidently disagrees with the product."""

    id: str
    name: str
    view: View | None
    width: int | None
    height: int | None
    flags: list[str]
    error: PhotoError | None
    duplicate_of: Duplicate | None
    is_near_duplicate: bool
    disagrees: list[str]
    waiting: bool


class MadeBy(Schema):
    """The version of a model that predicted a label."""

    id: str
    name: str
    version: str


class Attribute(Schema):
    """The label of an attribute. `confidence` is the model's; it is null if a person set another label.

    `made_by` is the model that predicted the label, or whose label a person replaced: then it is the first candidate.
    """

    value: str
    confidence: float | None
    confident: bool
    state: Literal["predicted", "confirmed", "corrected"]
    by: str | None
    candidates: list[Label]
    made_by: MadeBy | None


class Need(Schema):
    """The one thing about a product that a person should check: an attribute, or the whole product."""

    attribute: str | None
    why: Literal[
        "unsure",
        "photos_disagree",
        "differs_from_sheet",
        "suspected",
        "not_a_product",
        "no_photo",
        "unreadable",
    ]


class NotAProduct(Schema):
    """Whether the model flags it as not a product, and a person's decision (null: none)."""

    by_model: bool
    decided: bool | None


class Product(Schema):
    """A product: photos, one label, and a state. `row` is its row of the sheet, `known` the labels in that row."""

    id: str
    batch: str
    key: str | None
    name: str
    row: dict[str, Any] | None
    photos: list[Photo]
    label: dict[str, Attribute]
    path: list[str]
    confident_depth: int
    state: State
    needs: Need | None
    flags: list[str]
    not_a_product: NotAProduct
    known: dict[str, str]
    assigned_to: str | None
    comments: int
    version: int
    updated: datetime
    updated_by: str | None


class ProductList(Schema):
    """A page of products, and the total number."""

    items: list[Product]
    total: int


class ProductCounts(Schema):
    """The number of products by state, path, value, flag and person.

    `confidences` counts by tenths of the confidence, from 0 on. `answers` is the category level at which confident
    answers end, and `reasons` why photos cannot be read.
    """

    total: int
    states: dict[str, int]
    needs: dict[str, int]
    paths: dict[str, int]
    attributes: dict[str, dict[str, int]]
    flags: dict[str, int]
    who: dict[str, int]
    confidences: list[int]
    answers: dict[str, int]
    reasons: dict[str, int]


class SimilarProduct(Schema):
    """A similar product; a similarity of 1 means identical."""

    product: Product
    similarity: float


class SimilarProducts(Schema):
    """The most similar products, the most similar first."""

    items: list[SimilarProduct]


class ProductFilter(Schema):
    """A filter of products. `needs` is an attribute, a reason, or `any`; `q` searches names and labels."""

    state: State | None = None
    needs: str | None = None
    path: str | None = None
    attributes: dict[str, str] = Field(default_factory=dict)
    flag: str | None = None
    who: str | None = None
    below: float | None = Field(None, ge=0, le=1)
    q: str | None = Field(None, max_length=200)
    ids: list[str] | None = None


class NewDecision(Schema):
    """A decision about products, given by their ids, or as all that match a filter except some.

    `each` sets labels that differ from product to product, by id, as one decision; send no other products with it.
    In `set`, null returns an attribute to the model's label. `confirm` is true for all labels, or a list of attributes.
    A null `not_a_product` withdraws the decision, and a null `assign_to` the assignment. `versions` are the versions
    that the person saw: a label that someone else has set since is a conflict.
    """

    products: list[str] | None = Field(None, max_length=200_000)
    matching: ProductFilter | None = None
    except_: list[str] = Field(default_factory=list, alias="except", max_length=200_000)
    each: dict[str, dict[str, str | None]] = Field(default_factory=dict, max_length=20_000)
    set: dict[str, str | None] = Field(default_factory=dict)
    confirm: StrictBool | tuple[str, ...] = False
    not_a_product: StrictBool | None = None
    flag: dict[str, StrictBool] = Field(default_factory=dict)
    move_to: str | None = None
    delete: StrictBool = False
    assign_to: str | None = Field(None, max_length=200)
    versions: dict[str, int] = Field(default_factory=dict)


class Conflict(Schema):
    """A product that was not changed, because another person has changed it in the meantime."""

    product: str
    by: str | None
    value: str | None


class Decided(Schema):
    """A decision that was made, undone or redone, with at most 200 of the products that it changed."""

    decision: str
    changed: int
    conflicts: list[Conflict]
    products: list[Product]


class DecisionEntry(Schema):
    """An entry of the log. For one product, `before` and `after` are the values. `target` is the decision undone."""

    id: str
    kind: str
    who: str | None
    when: datetime
    products: int
    target: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class DecisionList(Schema):
    """A page of the log, the newest entry first."""

    items: list[DecisionEntry]
    total: int


class Merge(Schema):
    """Products to merge. The result has the SKU and name of the first one."""

    products: list[str] = Field(min_length=2, max_length=500)


class Split(Schema):
    """Photos of a product to move into a new product."""

    product: str
    photos: list[str] = Field(min_length=1, max_length=500)


class NewComment(Schema):
    """A comment to add."""

    text: str = Field(min_length=1, max_length=4000)


class Comment(Schema):
    """A comment on a product."""

    id: str
    who: str | None
    when: datetime
    text: str


class CommentList(Schema):
    """The comments on a product, the oldest first."""

    items: list[Comment]


class SavedView(Schema):
    """A name for a query of the page, as in its address."""

    name: str = Field(min_length=1, max_length=100)
    query: str = Field(max_length=4000)


class SavedViews(Schema):
    """Saved views, in their order."""

    items: list[SavedView]


class Presence(Schema):
    """The product that a person has open, null for none."""

    product: str | None = None
