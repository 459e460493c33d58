"""What goes from batches to shops: exports by templates, what is to be checked before, and changes since a cursor."""

from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response, StreamingResponse
from pydantic import Field

from hangtag.exporting.taxonomy import load_mapping
from hangtag.exporting.template import Template, list_templates, load_template
from hangtag.server.batch_exports import BatchProducts, check_export, read_template, write_export
from hangtag.server.problems import InvalidRequestError, problem_responses
from hangtag.server.product_schemas import Product, ProductFilter
from hangtag.server.routes.batches import BatchId, json_response
from hangtag.server.routes.products import to_filter
from hangtag.server.schemas import InvalidValue, Schema
from hangtag.server.service import Service, ServiceDependency
from hangtag.server.table_files import MEDIA_TYPES, table_response
from hangtag.server.uploads import JsonRoute
from hangtag.store.changes import Cursor, read_changes
from hangtag.store.exports import export_batch
from hangtag.store.index import Filter

router = APIRouter(tags=["exports"], route_class=JsonRoute)

ExportFormat = Literal["csv", "tsv", "xml", "xlsx", "jsonl", "parquet"]
_MEDIA_TYPES: Final = {**MEDIA_TYPES, "xml": "application/xml; charset=utf-8"}
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


class ExportTemplate(Schema):
    """A built-in template, and the columns that it writes; `*` stands for all columns of the sheet."""

    name: str
    title: str
    destination: str
    format: ExportFormat
    language: str
    columns: list[str]


class ExportTemplates(Schema):
    """The built-in templates."""

    items: list[ExportTemplate]


class NewExport(Schema):
    """A file to write of the products, or of those that match.

    Without a `template` it has all that is known, in a `format`, with a row a product or photo; `columns` chooses
    columns and their order. With one it has what the template says, in the form that its destination takes.
    """

    format: ExportFormat | None = Field(None, description="With a template, instead of the template's.")
    matching: ProductFilter | None = None
    rows: Literal["product", "photo"] | None = Field(None, description="Without a template.")
    columns: list[str] | None = Field(None, min_length=1, max_length=600, description="Without a template.")
    template: str | dict[str, Any] | None = Field(
        None, description="The name of a built-in template, or a template itself, as in its file."
    )
    language: str | None = Field(None, description="With a template: `en-GB`, `en-US`, `de`, `fr` or `es`.")
    currency: str | None = Field(None, description="With a template: the currency of prices without one.")


class ExportIssue(Schema):
    """Something to check: of which product and column, why, and how to fix it."""

    kind: Literal["error", "doubtful", "warning"]
    product: str
    key: str
    column: str
    value: str
    reason: str
    fix: str


class ExportReason(Schema):
    """How often something is to be checked for one reason."""

    kind: Literal["error", "doubtful", "warning"]
    column: str
    reason: str
    count: int


class ExportCheck(Schema):
    """What would come of an export. `issues` are the first thousand, `reasons` count all."""

    products: int
    written: int
    refused: int
    uncertain: int
    reasons: list[ExportReason]
    issues: list[ExportIssue]


class ProductChanges(Schema):
    """Products that changed since a cursor, in the order of their last changes, and the ids of deleted ones.

    Where `reset` is true, what the reader has is out of date, and these are the first of all products. With `more`, ask
    again at once with the new `cursor`.
    """

    items: list[Product]
    removed: list[str]
    cursor: str
    reset: bool
    more: bool


class TaxonomyRule(Schema):
    """A row of a mapping: the labels that it asks for, the category, and how sure it is."""

    labels: dict[str, str]
    id: str
    path: str
    confidence: Literal["exact", "broader", "judgement", "none"]
    note: str


class TaxonomyMapping(Schema):
    """The mapping from the model's categories to a channel's taxonomy."""

    name: str
    title: str
    version: str
    licence: str
    rules: list[TaxonomyRule]


@router.get("/export-templates")
def list_export_templates() -> ExportTemplates:
    """List the built-in templates."""
    return ExportTemplates(items=[_describe(load_template(name)) for name in list_templates()])


@router.get("/taxonomies/{name}")
def show_taxonomy_mapping(
    name: Annotated[Literal["google", "shopify"], Path(description="The taxonomy.")],
) -> TaxonomyMapping:
    """Return the mapping to a taxonomy: every category path of the shipped model, and how sure each row is."""
    mapping = load_mapping(name)
    rules = [TaxonomyRule(labels=dict(rule.conditions), **rule.category._asdict()) for rule in mapping.rules]
    return TaxonomyMapping(
        name=name,
        title=mapping.source["title"],
        version=mapping.source["version"],
        licence=mapping.source["licence"],
        rules=rules,
    )


@router.post(
    "/batches/{batch_id}/exports",
    response_class=StreamingResponse,
    responses=_FILES | problem_responses(404, 413, 422),
)
def export_products(batch_id: BatchId, wanted: NewExport, service: ServiceDependency) -> StreamingResponse:
    """Write the products of a batch, or those that match a filter, as a file.

    Without a template, the columns of the sheet come first, with the types that they came with. With one, every
    product is checked against the destination's rules, and those that it would refuse are left out.
    """
    if wanted.template is None:
        return _export_plainly(batch_id, wanted, service)
    template, source = _open(batch_id, wanted, service)
    filename = quote(f"{source.name}.{template.format}", safe="")
    return StreamingResponse(
        write_export(source, template),
        media_type=_MEDIA_TYPES[template.format],
        headers={
            "Content-Disposition": f"attachment; filename=\"export.{template.format}\"; filename*=UTF-8''{filename}",
            "Cache-Control": "no-store",
        },
    )


@router.post("/batches/{batch_id}/exports/check", responses=problem_responses(404, 413, 422))
def check_batch_export(batch_id: BatchId, wanted: NewExport, service: ServiceDependency) -> ExportCheck:
    """Say what would come of an export: how many products would be left out, and what is to be checked."""
    template, source = _open(batch_id, wanted, service)
    result, issues = check_export(source, template, _MOST_ISSUES)
    return ExportCheck(
        products=result.products,
        written=result.written,
        refused=result.refused,
        uncertain=result.uncertain,
        reasons=[
            ExportReason.model_validate({"kind": kind, "column": column, "reason": reason, "count": count})
            for (kind, column, reason), count in result.reasons.most_common()
        ],
        issues=[ExportIssue.model_validate(issue) for issue in issues],
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


def _open(batch_id: str, wanted: NewExport, service: Service) -> tuple[Template, BatchProducts]:
    if wanted.template is None:
        raise _invalid("template", "choose a template")
    for field in ("rows", "columns"):
        if getattr(wanted, field) is not None:
            raise _invalid(field, "the template says this")
    changes = wanted.model_dump(include={"format", "language", "currency"})
    template = read_template(wanted.template, **changes)
    by_photo = template.rows == "photo"
    return template, BatchProducts(
        service.batches.products, batch_id, _read_filter(wanted), by_photo=by_photo
    )


def _read_filter(wanted: NewExport) -> Filter:
    return Filter() if wanted.matching is None else to_filter(wanted.matching)


def _invalid(field: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(InvalidValue(field=field, message=message))


def _describe(template: Template) -> ExportTemplate:
    return ExportTemplate(
        name=template.name,
        title=template.title,
        destination=template.destination,
        format=template.format,
        language=template.language,
        columns=[column.name or "*" for column in template.columns],
    )
