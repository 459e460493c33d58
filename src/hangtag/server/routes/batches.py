"""The routes of batches: create, upload, list, change; sheets, groupings, decisions, comments and events."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic_core import to_json

from hangtag.domain.errors import InvalidField, InvalidFieldsError
from hangtag.server.access.authentication import find_name
from hangtag.server.batch_events import BatchStream
from hangtag.server.batch_schemas import (
    Batch,
    BatchList,
    BatchPatch,
    Grouping,
    GroupingOption,
    NewBatch,
    ReceivedFiles,
    Sheet,
    SheetChange,
)
from hangtag.server.batch_uploads import BatchFilesForm
from hangtag.server.problems import ShuttingDownError, problem_responses
from hangtag.server.product_schemas import (
    CommentList,
    Decided,
    DecisionList,
    Merge,
    NewComment,
    Presence,
    SavedView,
    SavedViews,
    Split,
)
from hangtag.server.schemas import BooleanText
from hangtag.server.service import ServiceDependency
from hangtag.server.uploads import JsonRoute, describe_body
from hangtag.store.batches import BatchChange
from hangtag.store.log import list_decisions
from hangtag.store.products import parse_id
from hangtag.store.sheets import ColumnMapping

router = APIRouter(tags=["batches"], route_class=JsonRoute)

_LARGEST: Final = 2**31 - 1
BatchId = Annotated[str, Path(description="The id of the batch.")]
ProductId = Annotated[str, Path(description="The id of the product.")]
Offset = Annotated[int, Query(ge=0, le=_LARGEST, description="The number of items to skip.")]
Limit = Annotated[int, Query(ge=1, le=500, description="The largest number of items to return.")]
Who = Annotated[str | None, Depends(find_name)]
Once = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=200,
        description="A repeated request with the same key changes nothing and gets the first response again.",
    ),
]
_EVENT_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def json_response(value: Any, status: int = 200) -> Response:  # noqa: ANN401 - any JSON value
    """Return a value as JSON without validation, which takes longer than building a page of products."""
    return Response(to_json(value), status, media_type="application/json")


@router.get("/batches", response_model=BatchList)
def list_batches(
    service: ServiceDependency,
    *,
    archived: BooleanText = False,
    q: Annotated[str, Query(max_length=200, description="Part of the name.")] = "",
    offset: Offset = 0,
    limit: Limit = 50,
) -> Response:
    """List the batches, most recently changed first."""
    items, total = service.batches.batches.page(archived=archived, text=q, page=(offset, limit))
    return json_response({"items": items, "total": total})


@router.post("/batches", status_code=201, response_model=Batch, responses=problem_responses(404))
def create_batch(service: ServiceDependency, new: NewBatch, who: Who, key: Once = None) -> Response:
    """Create an empty batch."""
    return json_response(
        service.batches.batches.create(new.name, new.model, who, _scoped("batches", key)), 201
    )


@router.get("/batches/{batch_id}", response_model=Batch, responses=problem_responses(404))
def show_batch(batch_id: BatchId, service: ServiceDependency) -> Response:
    """Return a batch with its counts."""
    return json_response(service.batches.batches.get(batch_id))


@router.patch("/batches/{batch_id}", response_model=Batch, responses=problem_responses(404))
def change_batch(batch_id: BatchId, patch: BatchPatch, service: ServiceDependency) -> Response:
    """Rename, archive or assign a batch, change its model, stop or resume labelling. Decisions are kept."""
    given = patch.model_dump(exclude_unset=True)
    model, labelling = given.pop("model", None), given.pop("labelling", None)
    fields = {name: value for name, value in given.items() if value is not None or name == "assigned_to"}
    return json_response(service.batches.batches.change(batch_id, BatchChange(fields, model, labelling)))


@router.delete("/batches/{batch_id}", status_code=204, responses=problem_responses(404))
def delete_batch(batch_id: BatchId, service: ServiceDependency) -> None:
    """Delete a batch with its products and decisions. This cannot be undone."""
    service.batches.batches.delete(batch_id)


@router.post(
    "/batches/{batch_id}/duplicate", status_code=201, response_model=Batch, responses=problem_responses(404)
)
def duplicate_batch(batch_id: BatchId, service: ServiceDependency, who: Who) -> Response:
    """Create a batch with the same photos and sheet, without the decisions."""
    return json_response(service.batches.batches.duplicate(batch_id, who), 201)


@router.post(
    "/batches/{batch_id}/files",
    response_model=ReceivedFiles,
    responses=problem_responses(404, 408, 413, 415, 422, 503, 507),
    openapi_extra=describe_body(BatchFilesForm),
)
async def add_files(
    batch_id: BatchId, request: Request, service: ServiceDependency, key: Once = None
) -> Response:
    """Add photos, zips and tables to a batch. Once this returns, they are stored durably and are being labelled."""
    if service.is_stopping:
        raise ShuttingDownError("the service is stopping")
    received = await service.batches.receive(request, batch_id, _scoped(f"files:{batch_id}", key))
    return json_response({"received": received})


@router.get("/batches/{batch_id}/sheet", response_model=Sheet, responses=problem_responses(404))
def show_sheet(batch_id: BatchId, service: ServiceDependency) -> Response:
    """Return the mapping of a batch's sheet, with a preview and counts."""
    return json_response(service.batches.batches.describe_sheet(batch_id))


@router.put("/batches/{batch_id}/sheet", response_model=Sheet, responses=problem_responses(404, 422))
def use_sheet(batch_id: BatchId, change: SheetChange, service: ServiceDependency) -> Response:
    """Use another sheet or mapping, and group the products by it. With `dry_run`, only return the result."""
    mapping = None if change.mapping is None else ColumnMapping.from_json(change.mapping.model_dump())
    batches = service.batches.batches
    do = batches.describe_sheet if change.dry_run else batches.use_sheet
    return json_response(do(batch_id, change.sheet, mapping))


@router.get(
    "/batches/{batch_id}/groupings", response_model=list[GroupingOption], responses=problem_responses(404)
)
def list_groupings(batch_id: BatchId, service: ServiceDependency) -> Response:
    """List the ways to group the photos into products, most likely first."""
    return json_response(service.batches.batches.list_groupings(batch_id))


@router.put("/batches/{batch_id}/grouping", response_model=Batch, responses=problem_responses(404, 422))
def set_grouping(batch_id: BatchId, grouping: Grouping, service: ServiceDependency) -> Response:
    """Group the photos in another way. Products that were merged or split by hand stay unchanged."""
    return json_response(service.batches.batches.group(batch_id, grouping.by, grouping.pattern))


@router.post("/batches/{batch_id}/merge", response_model=Decided, responses=problem_responses(404, 422))
def merge_products(batch_id: BatchId, merge: Merge, service: ServiceDependency, who: Who) -> Response:
    """Merge several products into one."""
    numbers = [parse_id(id_, "product") for id_ in merge.products]
    return json_response(service.batches.decisions.merge(batch_id, numbers, who))


@router.post("/batches/{batch_id}/split", response_model=Decided, responses=problem_responses(404, 422))
def split_product(batch_id: BatchId, split: Split, service: ServiceDependency, who: Who) -> Response:
    """Move some photos of a product into a new product."""
    photos = [parse_id(id_, "photo") for id_ in split.photos]
    number = parse_id(split.product, "product")
    return json_response(service.batches.decisions.split(batch_id, number, photos, who))


@router.get("/batches/{batch_id}/decisions", response_model=DecisionList, responses=problem_responses(404))
def list_log(
    batch_id: BatchId,
    service: ServiceDependency,
    product: Annotated[str | None, Query(description="Only decisions about this product.")] = None,
    offset: Offset = 0,
    limit: Limit = 50,
) -> Response:
    """List the decisions on a batch, newest first. For one product, each has the values before and after."""
    number = None if product is None else parse_id(product, "product")
    items, total = list_decisions(service.batches.store, batch_id, number, (offset, limit))
    return json_response({"items": items, "total": total})


@router.get(
    "/batches/{batch_id}/products/{product_id}/comments",
    response_model=CommentList,
    responses=problem_responses(404),
)
def list_comments(batch_id: BatchId, product_id: ProductId, service: ServiceDependency) -> Response:
    """List the comments on a product, the oldest first."""
    items = service.batches.notes.comments(batch_id, parse_id(product_id, "product"))
    return json_response({"items": items})


@router.post(
    "/batches/{batch_id}/products/{product_id}/comments",
    status_code=201,
    response_model=CommentList,
    responses=problem_responses(404, 422),
)
def add_comment(
    batch_id: BatchId,
    product_id: ProductId,
    comment: NewComment,
    service: ServiceDependency,
    who: Who,
) -> Response:
    """Comment on a product."""
    number = parse_id(product_id, "product")
    items = service.batches.notes.add_comment(batch_id, number, who, comment.text)
    return json_response({"items": items}, 201)


@router.get("/views", response_model=SavedViews)
def list_views(service: ServiceDependency) -> Response:
    """List the saved views that every batch has."""
    return json_response({"items": service.batches.notes.views(None)})


@router.put("/views", response_model=SavedViews, responses=problem_responses(422))
def set_views(views: list[SavedView], service: ServiceDependency) -> Response:
    """Replace the saved views that every batch has."""
    items = service.batches.notes.set_views(None, [(view.name, view.query) for view in views])
    return json_response({"items": items})


@router.get("/batches/{batch_id}/views", response_model=SavedViews, responses=problem_responses(404))
def list_batch_views(batch_id: BatchId, service: ServiceDependency) -> Response:
    """List the saved views of a batch."""
    return json_response({"items": service.batches.notes.views(batch_id)})


@router.put("/batches/{batch_id}/views", response_model=SavedViews, responses=problem_responses(404, 422))
def set_batch_views(batch_id: BatchId, views: list[SavedView], service: ServiceDependency) -> Response:
    """Replace the saved views of a batch."""
    items = service.batches.notes.set_views(batch_id, [(view.name, view.query) for view in views])
    return json_response({"items": items})


@router.put("/batches/{batch_id}/presence", status_code=204, responses=problem_responses(404, 422))
def set_presence(batch_id: BatchId, presence: Presence, service: ServiceDependency, who: Who) -> None:
    """Tell others which product you have open. Repeat this every 20 seconds. Others see it in the events."""
    if who is None:
        raise InvalidFieldsError(InvalidField("X-Hangtag-User", "say who you are"))
    with service.batches.store.engine.connect() as connection:
        batch = service.batches.store.find_batch(connection, batch_id)
    service.batches.events.set_presence(batch.number, who, presence.product)


@router.get(
    "/batches/{batch_id}/events",
    responses={200: {"content": {"text/event-stream": {}}}, **problem_responses(404)},
    response_class=StreamingResponse,
)
async def watch_batch(
    batch_id: BatchId,
    service: ServiceDependency,
    last: Annotated[
        str | None,
        Header(alias="Last-Event-ID", description="The id of the last event that the client received."),
    ] = None,
) -> StreamingResponse:
    """Stream changes of a batch as server-sent events.

    `{"type": "products", "ids", "versions", "removed", "all"}`: products changed (`all`: too many to list).
    `{"type": "batch", "batch"}`: the batch changed. `{"type": "presence", "who", "product"}`: a person opened or closed
    a product. `{"type": "learnt", "learnt"}`: hangtag learned from decisions. `{"type": "deleted"}`: the batch is gone.
    """
    batches = service.batches
    await asyncio.to_thread(batches.batches.get, batch_id)
    stream = BatchStream(batches.store, batches.batches, batches.events, batch_id)
    since = int(last) if last is not None and last.isdecimal() and len(last) < 19 else None  # noqa: PLR2004 - 64 bits
    return StreamingResponse(
        stream.iter_events(since), media_type="text/event-stream", headers=_EVENT_HEADERS
    )


def _scoped(scope: str, key: str | None) -> str | None:
    return None if key is None else f"{scope}:{key}"
