"""Exports from batches to shops: by templates, with checks before, and changes since a cursor."""

from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import Response, StreamingResponse
from pydantic import Field

from hangtag.exporting.run import ExportSource
from hangtag.exporting.template import Template
from hangtag.server.batch_exports import BatchProducts, check_export, write_export
from hangtag.server.problems import InvalidRequestError, problem_responses
from hangtag.server.product_schemas import Product, ProductFilter
from hangtag.server.routes.batches import BatchId, Once, Who, json_response
from hangtag.server.routes.exports import MEDIA_TYPES, table_response
from hangtag.server.routes.products import to_filter
from hangtag.server.schemas import InvalidValue, Schema
from hangtag.server.service import Service, ServiceDependency
from hangtag.server.uploads import JsonRoute
from hangtag.store.changes import Cursor, read_changes
from hangtag.store.exports import export_batch
from hangtag.store.index import Filter
from hangtag.store.pushing import MOST_PUSHED, PushedLabels, push_labels

router = APIRouter(tags=["exports"], route_class=JsonRoute)

ExportFormat = Literal["csv", "tsv", "xml", "xlsx", "jsonl", "parquet"]
_MEDIA_TYPES: Final = {**MEDIA_TYPES, "xml": "application/xml; charset=utf-8", "zip": "application/zip"}
_MOST_ISSUES: Final = 1000
_CURSOR: Final = "^[0-9]{1,18}-[0-9]{1,18}-[0-9]{1,18}$"
_FILES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The file.",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}} for kind in _MEDIA_TYPES.values()
        },
    }
}


class PushedItem(Schema):
    """Labels of one product, found by its id (`product`) or its SKU (`key`). A null label is taken back.

    `version` is that of the product which your system saw: later decisions by people are kept. Without it, all of
    their decisions are.
    """

    product: str | None = Field(None, max_length=30)
    key: str | None = Field(None, max_length=500)
    version: int | None = Field(None, ge=0, le=2**31 - 1)
    labels: dict[str, str | None] = Field(min_length=1, max_length=50)


class PushedList(Schema):
    """Labels of up to a thousand products."""

    items: list[PushedItem] = Field(min_length=1, max_length=MOST_PUSHED)


class PushedResult(Schema):
    """The outcome of one item. `conflict` has other people's later decisions, `refused` why a label is invalid."""

    product: str | None
    key: str | None
    outcome: Literal["changed", "unchanged", "conflict", "refused", "unknown"]
    version: int | None
    by: str | None
    value: str | None
    reason: str | None


class Pushed(Schema):
    """The outcomes of all items, in order. `decision` is null if nothing changed."""

    decision: str | None
    changed: int
    results: list[PushedResult]


class NewExport(Schema):
    """A file to write with the given products, or those that match a filter.

    Without a `template` it has everything that is known, in a `format`, with a row per product or photo; `columns`
    selects columns and their order. With one it has the template's columns, in the format of its destination.
    """

    format: ExportFormat | None = Field(None, description="With a template, instead of the template's.")
    matching: ProductFilter | None = None
    rows: Literal["product", "photo"] | None = Field(None, description="Without a template.")
    columns: list[str] | None = Field(None, min_length=1, max_length=600, description="Without a template.")
    template: str | dict[str, Any] | None = Field(
        None, description="The id or name of a template, or a template itself, as in its file."
    )
    part: Literal["export", "to_check", "both"] = Field(
        "export",
        description="With a template: the export, a CSV of what is to be checked in it, or both in a zip.",
    )
    language: str | None = Field(None, description="With a template: `en-GB`, `en-US`, `de`, `fr` or `es`.")
    currency: str | None = Field(None, description="With a template: the currency of prices without one.")


class ExportIssue(Schema):
    """Something to check: its product and column, why, and how to fix it.

    `line` is that of the product in the sheet, null without one.
    """

    kind: Literal["error", "doubtful", "warning"]
    product: str
    line: int | None
    key: str
    column: str
    value: str
    reason: str
    fix: str


class ExportReason(Schema):
    """How many issues have the same reason."""

    kind: Literal["error", "doubtful", "warning"]
    column: str
    reason: str
    count: int


class ExportCheck(Schema):
    """A preview of an export. `issues` has the first thousand, `reasons` counts all, `rows` has the first five."""

    products: int
    written: int
    refused: int
    uncertain: int
    reasons: list[ExportReason]
    issues: list[ExportIssue]
    columns: list[str]
    rows: list[list[str]]


class ProductChanges(Schema):
    """Products that changed since a cursor, in the order of their last changes, and the ids of deleted ones.

    If `reset` is true, the reader's copy is out of date, and these are the first of all products. With `more`, call
    again at once with the new `cursor`.
    """

    items: list[Product]
    removed: list[str]
    cursor: str
    reset: bool
    more: bool


@router.post(
    "/batches/{batch_id}/exports",
    response_class=StreamingResponse,
    responses=_FILES | problem_responses(404, 413, 422),
)
def export_products(batch_id: BatchId, wanted: NewExport, service: ServiceDependency) -> StreamingResponse:
    """Write the products of a batch, or those that match a filter, as a file.

    Without a template, the columns of the sheet come first, with their original types. With one, every product is
    checked against the destination's rules, and those that it would refuse are left out.
    """
    if wanted.template is None:
        return _export_plainly(batch_id, wanted, service)
    template, source, name = _open(batch_id, wanted, service)
    ending = {"export": template.format, "to_check": "csv", "both": "zip"}[wanted.part]
    if wanted.part == "to_check":
        name = f"{name} to check"
    filename = quote(f"{name}.{ending}", safe="")
    return StreamingResponse(
        write_export(source, template, wanted.part),
        media_type=_MEDIA_TYPES[ending],
        headers={
            "Content-Disposition": f"attachment; filename=\"export.{ending}\"; filename*=UTF-8''{filename}",
            "Cache-Control": "no-store",
        },
    )


@router.post("/batches/{batch_id}/exports/check", responses=problem_responses(404, 413, 422))
def check_batch_export(batch_id: BatchId, wanted: NewExport, service: ServiceDependency) -> ExportCheck:
    """Preview an export: how many products would be left out, and what to check."""
    template, source, _ = _open(batch_id, wanted, service)
    checked = check_export(source, template, _MOST_ISSUES)
    result = checked.result
    return ExportCheck(
        products=result.products,
        written=result.written,
        refused=result.refused,
        uncertain=result.uncertain,
        reasons=[
            ExportReason.model_validate({"kind": kind, "column": column, "reason": reason, "count": count})
            for (kind, column, reason), count in result.reasons.most_common()
        ],
        issues=[ExportIssue.model_validate(issue) for issue in checked.issues],
        columns=checked.columns,
        rows=checked.rows,
    )


@router.get(
    "/batches/{batch_id}/changes", response_model=ProductChanges, responses=problem_responses(404, 422)
)
def list_changes(
    batch_id: BatchId,
    service: ServiceDependency,
    cursor: Annotated[
        str | None, Query(pattern=_CURSOR, description="The `cursor` of an earlier answer.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 60,
) -> Response:
    """List the products that changed since a cursor; without one, all. For systems that keep a copy of them."""
    since = None if cursor is None else Cursor.parse(cursor)
    changes = read_changes(service.batches.products, batch_id, since, limit)
    return json_response(
        {
            "items": changes.products,
            "removed": changes.removed,
            "cursor": str(changes.cursor),
            "reset": changes.is_reset,
            "more": changes.has_more,
        }
    )


@router.post("/batches/{batch_id}/labels", response_model=Pushed, responses=problem_responses(404, 413, 422))
def push_batch_labels(
    batch_id: BatchId, pushed: PushedList, service: ServiceDependency, who: Who, key: Once = None
) -> Response:
    """Set labels from a shop's own system, by SKU. People's later decisions are never overwritten."""
    items = [PushedLabels(item.labels, item.product, item.key, item.version) for item in pushed.items]
    once = None if key is None else f"labels:{batch_id}:{key}"
    return json_response(push_labels(service.batches.store, batch_id, items, who, once))


def _export_plainly(batch_id: str, wanted: NewExport, service: Service) -> StreamingResponse:
    for field in ("language", "currency"):
        if getattr(wanted, field) is not None:
            raise _invalid(field, "choose a template, too")
    if wanted.format is None or wanted.format == "xml":
        raise _invalid("format", f"choose a template, or one of {', '.join(MEDIA_TYPES)}")
    table = export_batch(
        service.batches.products, batch_id, _read_filter(wanted), wanted.rows or "product", wanted.columns
    )
    return table_response(table.name, wanted.format, table.kinds, table.rows)


def _open(batch_id: str, wanted: NewExport, service: Service) -> tuple[Template, ExportSource, str]:
    """Return the template of an export, its products, and the name of its batch."""
    if wanted.template is None:
        raise _invalid("template", "choose a template")
    for field in ("rows", "columns"):
        if getattr(wanted, field) is not None:
            raise _invalid(field, "the template says this")
    changes = wanted.model_dump(include={"format", "language", "currency"})
    template, mapping = service.batches.documents.read_template(wanted.template, **changes)
    products = BatchProducts(
        service.batches.products, batch_id, _read_filter(wanted), by_photo=template.rows == "photo"
    )
    return template, ExportSource(products, mapping), products.name


def _read_filter(wanted: NewExport) -> Filter:
    return Filter() if wanted.matching is None else to_filter(wanted.matching)


def _invalid(field: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(InvalidValue(field=field, message=message))
