"""The values of the API that concern batches. The page's client is generated from them."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from hangtag.server.schemas import ModelName, Schema

BatchState = Literal["receiving", "labelling", "ready", "failed"]
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


class SheetSummary(Schema):
    """The sheet of a batch, and whether a person has looked at its mapping."""

    name: str
    rows: int
    mapped: bool


class Grouping(Schema):
    """How photos become products. A pattern such as `{key}_{view}` says how their names are built."""

    by: GroupingBy
    pattern: str | None = None


class GroupingOption(Grouping):
    """A way in which the photos of a batch could become products."""

    products: int
    examples: list[dict[str, Any]]


class Batch(Schema):
    """A batch: products that came together. `cover` has the ids of up to four photos."""

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
    sheet: SheetSummary | None
    grouping: Grouping
    cover: list[str]
    revision: int


class BatchList(Schema):
    """A page of the batches, those that changed last first."""

    items: list[Batch]
    total: int


class NewBatch(Schema):
    """A batch to make. Without a name it is called by the date, without a model the default one labels it."""

    name: str | None = Field(None, max_length=200)
    model: str | None = None


class BatchPatch(Schema):
    """What to change of a batch. Another model labels all its photos."""

    name: str | None = Field(None, min_length=1, max_length=200)
    archived: bool | None = None
    model: str | None = None
    assigned_to: str | None = Field(None, max_length=200)


class ReceivedFile(Schema):
    """What became of a file."""

    name: str
    kind: Literal["photo", "zip", "sheet", "other"]
    photos: int
    problem: str | None


class ReceivedFiles(Schema):
    """What became of the files of a request, in their order."""

    received: list[ReceivedFile]


class ColumnMapping(Schema):
    """What the columns of a sheet are. `labels` names for attributes the columns that state them."""

    key: str | None = None
    photos: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)
    name: str | None = None


class SheetColumn(Schema):
    """A column of a sheet, with the type that its cells came with and a few of them."""

    name: str
    type: str
    samples: list[str]


class SheetCounts(Schema):
    """What a mapping gives: products with and without photos, photos that no row names, rows in doubt."""

    rows: int
    products: int
    matched: int
    without_photo: int
    without_row: int
    ambiguous: int


class SheetPreview(Schema):
    """A product as a mapping would form it; those without photos come first."""

    key: str | None
    name: str
    row: dict[str, Any] | None
    photos: list[str]
    problem: str | None


class Sheet(Schema):
    """How a sheet is understood. `mapped` says whether a person has confirmed it."""

    sheets: list[str]
    chosen: str
    columns: list[SheetColumn]
    mapping: ColumnMapping
    counts: SheetCounts
    preview: list[SheetPreview]
    without_row: list[str]
    mapped: bool


class SheetChange(Schema):
    """Another sheet or mapping. With `dry_run` nothing changes, and the answer says what would."""

    sheet: str | None = None
    mapping: ColumnMapping | None = None
    dry_run: bool = False
