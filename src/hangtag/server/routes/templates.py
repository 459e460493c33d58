"""Export templates and category mappings: hangtag's built-in ones, and the shop's own."""

from typing import Annotated, Any, ClassVar, Final
from urllib.parse import quote

from fastapi import APIRouter, Body, Path, Query
from fastapi.responses import Response, StreamingResponse

from hangtag.domain.columns import CATEGORY_COLUMNS, LABEL_COLUMNS
from hangtag.domain.errors import TableError
from hangtag.exporting.drafting import draft_template
from hangtag.exporting.taxonomy import (
    BUILT_IN,
    check_mapping,
    describe_rules,
    draft_rules,
    list_categories,
    load_mapping,
    read_mapping,
    render_mapping,
)
from hangtag.exporting.template import (
    COMPUTED,
    DESTINATIONS,
    DOUBTFUL,
    FORMATS,
    list_templates,
    read_built_in,
)
from hangtag.exporting.words import LANGUAGES
from hangtag.server.batch_exports import BatchProducts, fill_sheet
from hangtag.server.problems import problem_responses
from hangtag.server.routes.batches import BatchId, Who
from hangtag.server.schemas import BooleanText
from hangtag.server.service import Service, ServiceDependency
from hangtag.server.shop_documents import describe_template, invalid_mapping, invalid_template
from hangtag.server.template_schemas import (
    ChangedTaxonomy,
    ChangedTemplate,
    CopiedDocument,
    ExportTemplate,
    ExportTemplates,
    MappedPath,
    MatchedColumn,
    NewTaxonomy,
    NewTemplate,
    ShopCategories,
    TaxonomyDraft,
    TaxonomyList,
    TaxonomyMapping,
    TaxonomySummary,
    TemplateChoices,
    TemplateDraft,
    TemplateWithDocument,
)
from hangtag.server.uploads import JsonRoute
from hangtag.store.documents import Document
from hangtag.store.index import Filter
from hangtag.tables.reading import open_table


class DocumentRoute(JsonRoute):
    """A route that accepts a document or a small table."""

    max_bytes: ClassVar[int] = 16 * 1024 * 1024


router = APIRouter(tags=["exports"], route_class=DocumentRoute)

TemplateId = Annotated[str, Path(description="The id or name of the template.")]
TaxonomyId = Annotated[
    str, Path(description="`google`, `shopify`, or the id or name of a mapping of the shop.")
]
Filename = Annotated[
    str, Query(max_length=200, description="The name of the file: its ending says its form.")
]
Table = Annotated[bytes, Body(media_type="application/octet-stream", description="The bytes of a table.")]
_SHEET: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}
_CSV: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}}}
}


@router.get("/export-templates")
def list_export_templates(service: ServiceDependency) -> ExportTemplates:
    """List the templates, and the possible values of their parts."""
    documents = service.batches.documents
    own = [describe_template(found.name, found.document, found) for found in documents.templates.list()]
    built_in = [describe_template(name, read_built_in(name)) for name in list_templates()]
    choices = TemplateChoices(
        labels=[*LABEL_COLUMNS, *documents.list_attributes()],
        computed=list(COMPUTED),
        destinations=list(DESTINATIONS),
        formats=list(FORMATS),
        doubtful=list(DOUBTFUL),
        languages=list(LANGUAGES),
        taxonomies=[*BUILT_IN, *(found.name for found in documents.mappings.list())],
    )
    return ExportTemplates(items=[ExportTemplate(**values) for values in [*own, *built_in]], choices=choices)


@router.post("/export-templates", status_code=201, responses=problem_responses(413, 422))
def add_export_template(new: NewTemplate, service: ServiceDependency, who: Who) -> TemplateWithDocument:
    """Save a template. It is refused if it is invalid."""
    documents = service.batches.documents
    document = documents.check_template(new.document, new.name)
    return _with_document(documents.templates.add(new.name, document, who))


@router.post("/template-drafts", responses=problem_responses(413, 422))
def draft_export_template(
    content: Table, service: ServiceDependency, filename: Filename = "example.csv"
) -> TemplateDraft:
    """Make a template from an example of the shop's own sheet: the same columns, matched to labels."""
    try:
        draft = draft_template(
            open_table(content, filename), filename, service.batches.documents.list_attributes()
        )
    except TableError as error:
        raise invalid_template(str(error)) from None
    columns = [MatchedColumn(**column._asdict()) for column in draft.columns]
    return TemplateDraft(document=draft.document, columns=columns)


@router.get("/export-templates/{template_id}", responses=problem_responses(404))
def show_export_template(template_id: TemplateId, service: ServiceDependency) -> TemplateWithDocument:
    """Return a whole template."""
    if template_id in list_templates():
        document = read_built_in(template_id)
        return TemplateWithDocument(**describe_template(template_id, document), document=document)
    return _with_document(service.batches.documents.templates.get(template_id))


@router.put("/export-templates/{template_id}", responses=problem_responses(404, 409, 413, 422))
def change_export_template(
    template_id: TemplateId, changed: ChangedTemplate, service: ServiceDependency, who: Who
) -> TemplateWithDocument:
    """Change a template of the shop. It is refused if someone else has changed it meanwhile."""
    documents = service.batches.documents
    document = documents.check_template(changed.document, changed.name)
    return _with_document(
        documents.templates.change(template_id, (changed.name, document), changed.version, who)
    )


@router.delete("/export-templates/{template_id}", status_code=204, responses=problem_responses(404))
def delete_export_template(template_id: TemplateId, service: ServiceDependency) -> None:
    """Delete a template of the shop."""
    service.batches.documents.templates.remove(template_id)


@router.post(
    "/export-templates/{template_id}/duplicate", status_code=201, responses=problem_responses(404, 413, 422)
)
def duplicate_export_template(
    template_id: TemplateId, copied: CopiedDocument, service: ServiceDependency, who: Who
) -> TemplateWithDocument:
    """Copy a template, which may be a built-in one, to change the copy."""
    documents = service.batches.documents
    document = documents.find_template(template_id)
    known = documents.templates.find(template_id)
    name = copied.name or documents.templates.free_name(template_id if known is None else known.name)
    return _with_document(documents.templates.add(name, documents.check_template(document, name), who))


@router.post(
    "/batches/{batch_id}/sheet-fillings",
    response_class=StreamingResponse,
    responses=_SHEET | problem_responses(404, 413, 422),
)
def fill_own_sheet(
    batch_id: BatchId,
    content: Table,
    service: ServiceDependency,
    *,
    filename: Filename = "sheet.csv",
    overwrite: Annotated[
        BooleanText, Query(description="Whether cells that have a value get another one.")
    ] = False,
) -> StreamingResponse:
    """Fill the empty cells of a shop's own sheet with the labels of a batch, by SKU. Nothing else in it changes.

    The header `X-Hangtag-Filled` says how many cells were filled, in how many of how many rows: `214 in 98 of 102`.
    """
    products = BatchProducts(service.batches.products, batch_id, Filter())
    pieces, result = fill_sheet(products, content, filename, overwrite=overwrite)
    filled = f"{result.filled} in {result.matched} of {result.rows}"
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(filename, safe='')}",
        "X-Hangtag-Filled": filled,
        "Cache-Control": "no-store",
    }
    return StreamingResponse(pieces, media_type="application/octet-stream", headers=headers)


@router.get("/taxonomies")
def list_taxonomies(service: ServiceDependency) -> TaxonomyList:
    """List the category mappings."""
    own = [_summarise(service, found.name, found) for found in service.batches.documents.mappings.list()]
    return TaxonomyList(items=[*own, *(_summarise(service, name) for name in BUILT_IN)])


@router.post("/taxonomies", status_code=201, responses=problem_responses(413, 422))
def add_taxonomy(new: NewTaxonomy, service: ServiceDependency, who: Who) -> TaxonomyMapping:
    """Save a mapping to the shop's categories."""
    documents = service.batches.documents
    document = documents.check_mapping(new.model_dump(), new.name)
    return _show(service, documents.mappings.add(new.name, document, who))


@router.post("/taxonomy-drafts", responses=problem_responses(413, 422))
def draft_taxonomy_mapping(given: ShopCategories, service: ServiceDependency) -> TaxonomyDraft:
    """Draft a mapping from the names of the shop's categories. A person has to read every row."""
    return TaxonomyDraft.model_validate(draft_rules(_paths(service), given.categories))


@router.post("/taxonomy-tables", responses=problem_responses(413, 422))
def read_taxonomy_table(content: Table, filename: Filename = "mapping.csv") -> TaxonomyDraft:
    """Read a mapping from a table: a column for each label that decides, and `id`, `path` or both."""
    try:
        return TaxonomyDraft.model_validate(read_mapping(content, filename))
    except TableError as error:
        raise invalid_mapping(str(error)) from None


@router.get("/taxonomies/{taxonomy_id}", responses=problem_responses(404))
def show_taxonomy_mapping(taxonomy_id: TaxonomyId, service: ServiceDependency) -> TaxonomyMapping:
    """Return a mapping: its rules, and what it does with every category path of the default model."""
    found = None if taxonomy_id in BUILT_IN else service.batches.documents.mappings.get(taxonomy_id)
    return _show(service, found, taxonomy_id)


@router.put("/taxonomies/{taxonomy_id}", responses=problem_responses(404, 409, 413, 422))
def change_taxonomy(
    taxonomy_id: TaxonomyId, changed: ChangedTaxonomy, service: ServiceDependency, who: Who
) -> TaxonomyMapping:
    """Change a mapping of the shop. It is refused if someone else has changed it meanwhile."""
    documents = service.batches.documents
    document = documents.check_mapping(changed.model_dump(exclude={"version"}), changed.name)
    return _show(
        service, documents.mappings.change(taxonomy_id, (changed.name, document), changed.version, who)
    )


@router.delete("/taxonomies/{taxonomy_id}", status_code=204, responses=problem_responses(404))
def delete_taxonomy(taxonomy_id: TaxonomyId, service: ServiceDependency) -> None:
    """Delete a mapping of the shop."""
    service.batches.documents.mappings.remove(taxonomy_id)


@router.post(
    "/taxonomies/{taxonomy_id}/duplicate", status_code=201, responses=problem_responses(404, 413, 422)
)
def duplicate_taxonomy(
    taxonomy_id: TaxonomyId, copied: CopiedDocument, service: ServiceDependency, who: Who
) -> TaxonomyMapping:
    """Copy a mapping, which may be a built-in one, to change the copy."""
    documents = service.batches.documents
    mapping = documents.find_mapping(taxonomy_id)
    document = documents.check_mapping({"rules": describe_rules(mapping.rules)}, mapping.name)
    name = copied.name or documents.mappings.free_name(mapping.name)
    return _show(service, documents.mappings.add(name, document, who))


@router.get("/taxonomies/{taxonomy_id}/csv", response_class=Response, responses=_CSV | problem_responses(404))
def download_taxonomy(taxonomy_id: TaxonomyId, service: ServiceDependency) -> Response:
    """Return a mapping as a table, for `hangtag export --taxonomy` or to edit it elsewhere."""
    mapping = service.batches.documents.find_mapping(taxonomy_id)
    filename = quote(f"{mapping.name}.csv", safe="")
    headers = {"Content-Disposition": f"attachment; filename=\"mapping.csv\"; filename*=UTF-8''{filename}"}
    return Response(render_mapping(mapping), media_type="text/csv; charset=utf-8", headers=headers)


def _with_document(found: Document) -> TemplateWithDocument:
    described = describe_template(found.name, found.document, found)
    return TemplateWithDocument(**described, document=found.document)


def _paths(service: Service) -> list[tuple[str, ...]]:
    return list(service.registry.card().card.taxonomy.paths)


def _summarise(service: Service, name: str, own: Document | None = None) -> TaxonomySummary:
    shown = _show(service, own, name)
    open_rules = {place for place, rule in enumerate(shown.rules) if not rule.id and not rule.path}
    return TaxonomySummary(
        **shown.model_dump(include={"id", "name", "title", "version", "built_in"}),
        rules=len(shown.rules),
        categories=len(shown.categories),
        unmapped=sum(path.rule is None or path.rule in open_rules for path in shown.paths),
        updated=None if own is None else own.updated,
        updated_by=None if own is None else own.updated_by,
    )


def _show(service: Service, own: Document | None, name: str = "") -> TaxonomyMapping:
    mapping = load_mapping(name) if own is None else service.batches.documents.find_mapping(own.id)
    card = service.registry.card().card
    checked = check_mapping(mapping, card.taxonomy.paths, {head.column: head.classes for head in card.heads})
    places = {id(rule): place for place, rule in enumerate(mapping.rules)}
    paths = [
        MappedPath.model_validate(
            {
                "path": [found.labels[column] for column in CATEGORY_COLUMNS if column in found.labels],
                "outcome": found.outcome,
                "rule": None if found.rule is None else places[id(found.rule)],
            }
        )
        for found in checked.paths
    ]
    return TaxonomyMapping.model_validate(
        {
            "id": name if own is None else own.id,
            "name": mapping.name,
            "title": mapping.source.get("title") or mapping.name,
            "edition": mapping.source.get("version", ""),
            "licence": mapping.source.get("licence", ""),
            "checked": mapping.source.get("checked", ""),
            "version": 0 if own is None else own.version,
            "built_in": own is None,
            "rules": describe_rules(mapping.rules),
            "categories": list_categories(mapping.rules) if own is None else own.document["categories"],
            "paths": paths,
            "unknown": [] if own is None else checked.unknown,
        }
    )
