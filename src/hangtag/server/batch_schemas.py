"""The API's values for batches. The page's client is generated from them."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, StrictBool

from hangtag.server.schemas import ModelName, Schema

BatchState = Literal["receiving", "labelling", "stopped", "ready", "failed"]
GroupingBy = Literal["sku", "name", "folder", "photo"]


class BatchCounts(Schema):
    """The numbers of products and photos of a batch."""

    products: int
    photos: int
    labelled: int
    to_check: int
    checked: int
    corrected: int
    not_a_product: int
    failed: int


class LabellingProgress(Schema):
    """How many photos have no label yet, the speed (null: unknown), and the estimated time left.

    `to_fetch` of them are still to be fetched from the addresses in the sheet.
    """

    waiting: int
    to_fetch: int
    photos_per_s: float | None
    seconds_left: float | None


class SheetSummary(Schema):
    """The sheet of a batch, and whether a person has confirmed its mapping."""

    name: str
    rows: int
    mapped: bool


class Grouping(Schema):
    """How photos are grouped into products. A pattern such as `{key}_{view}` describes their names."""

    by: GroupingBy
    pattern: str | None = None


class GroupingOption(Grouping):
    """A way to group the photos of a batch into products."""

    products: int
    examples: list[dict[str, Any]]


class Batch(Schema):
    """A batch of products. `cover` has the ids of up to four photos.

    `from_catalogue`: it reviews findings of the catalogue's check.
    """

    id: str
    name: str
    model: ModelName
    created: datetime
    updated: datetime
    created_by: str | None
    assigned_to: str | None
    archived: bool
    state: BatchState
    message: str | None
    counts: BatchCounts
    progress: LabellingProgress | None
    sheet: SheetSummary | None
    grouping: Grouping
    cover: list[str]
    revision: int
    from_catalogue: bool


class Job(Schema):
    """A batch as a job of hangtag 0.1: `done` of its `total` photos have labels or a reason."""

    id: str
    title: str
    state: Literal["running", "done", "failed", "cancelled"]
    total: int
    done: int
    failed: int
    message: str | None


class BatchList(Schema):
    """A page of batches, most recently changed first."""

    items: list[Batch]
    total: int


class NewBatch(Schema):
    """A batch to create. The name defaults to the date, and the model to the default model."""

    name: str | None = Field(None, max_length=200)
    model: str | None = None


class BatchPatch(Schema):
    """Changes to a batch. With another model, all its photos are labelled again. `labelling` stops or resumes it."""

    name: str | None = Field(None, min_length=1, max_length=200)
    archived: StrictBool | None = None
    model: str | None = None
    labelling: StrictBool | None = None
    assigned_to: str | None = Field(None, max_length=200)


class ReceivedFile(Schema):
    """The result for one file of a request."""

    name: str
    kind: Literal["photo", "zip", "sheet", "other"]
    photos: int
    problem: str | None


class ReceivedFiles(Schema):
    """The results for the files of a request, in their order."""

    received: list[ReceivedFile]


class ColumnMapping(Schema):
    """The meaning of a sheet's columns. `labels` has the column with the labels of each attribute."""

    key: str | None = None
    photos: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)
    name: str | None = None


class SheetColumn(Schema):
    """A column of a sheet, with the type of its cells and a few examples."""

    name: str
    type: str
    samples: list[str]


class SheetCounts(Schema):
    """The result of a mapping: products with and without photos, photos without a row, ambiguous photos."""

    rows: int
    products: int
    matched: int
    without_photo: int
    without_row: int
    ambiguous: int


class SheetPreview(Schema):
    """A product that a mapping would make; products without photos come first."""

    key: str | None
    name: str
    row: dict[str, Any] | None
    photos: list[str]
    problem: str | None


class SheetFetching(Schema):
    """The addresses in a sheet whose photos are not in the batch, and the hosts that they may be fetched from.

    Without `is_allowed`, this service fetches nothing.
    """

    is_allowed: bool
    addresses: int
    to_fetch: int
    hosts: list[str]
    refused_hosts: list[str]


class Sheet(Schema):
    """A sheet and the mapping of its columns. `mapped` says whether a person has confirmed it."""

    sheets: list[str]
    chosen: str
    columns: list[SheetColumn]
    mapping: ColumnMapping
    counts: SheetCounts
    preview: list[SheetPreview]
    without_row: list[str]
    mapped: bool
    fetching: SheetFetching


class SheetChange(Schema):
    """Another sheet or mapping. With `dry_run`, nothing changes, and the response says what would change."""

    sheet: str | None = None
    mapping: ColumnMapping | None = None
    dry_run: StrictBool = False
