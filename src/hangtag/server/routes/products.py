"""The routes of a batch's products: list, count, decide; and their photos."""

from enum import IntEnum
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response
from sqlalchemy import select

from hangtag.domain.errors import NotStoredError, PhotoError
from hangtag.imaging.copies import render_upright
from hangtag.imaging.thumbnails import render_photo
from hangtag.server.problems import InvalidRequestError, problem_responses
from hangtag.server.product_schemas import (
    Decided,
    NewDecision,
    Product,
    ProductCounts,
    ProductFilter,
    ProductList,
    SimilarProducts,
    State,
)
from hangtag.server.routes.batches import BatchId, Once, ProductId, Who, json_response
from hangtag.server.schemas import BooleanText, InvalidValue
from hangtag.server.service import Service, ServiceDependency
from hangtag.server.uploads import JsonRoute
from hangtag.store.decisions import UNSET, Decision
from hangtag.store.index import Filter
from hangtag.store.products import Page, parse_id
from hangtag.store.tables import PhotoRow

router = APIRouter(tags=["products"], route_class=JsonRoute)

_ATTRIBUTE: Final = "attribute."
_LARGEST: Final = 2**31 - 1


class ThumbnailSize(IntEnum):
    """The longest side of a small photo, in pixels."""

    SMALL = 160
    LARGE = 480


_PHOTO_HEADERS: Final = {
    "Cache-Control": "private, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}
_IMAGE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}
}
_BYTES: Final = "application/octet-stream"
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {_BYTES: {"schema": {"type": "string", "format": "binary"}}}}
}
PhotoId = Annotated[str, Path(description="The id of the photo.")]


def read_filter(  # noqa: PLR0913 - as many as ways to choose
    request: Request,
    service: ServiceDependency,
    *,
    state: State | None = None,
    needs: Annotated[
        str | None, Query(description="An attribute or a reason that needs a check, or `any`.")
    ] = None,
    path: Annotated[str | None, Query(description="The beginning of a category path, such as `A/B`.")] = None,
    flag: Annotated[str | None, Query(description="Products with this flag.")] = None,
    who: Annotated[str | None, Query(description="Decided by, or assigned to, this person.")] = None,
    below: Annotated[float | None, Query(ge=0, le=1, description="A confidence below this.")] = None,
    q: Annotated[
        str | None,
        Query(max_length=200, description="Words to search for in SKUs, names, file names and labels."),
    ] = None,
    ids: Annotated[str | None, Query(description="Ids of products, separated by commas.")] = None,
    learnt: Annotated[
        str | None, Query(description="Products that this shop model changed when it came into use.")
    ] = None,
) -> Filter:
    """Return the filter in a query. `attribute.gender=Women` filters by the value of an attribute."""
    attributes = {
        name.removeprefix(_ATTRIBUTE): value
        for name, value in request.query_params.items()
        if name.startswith(_ATTRIBUTE)
    }
    listed = None if ids is None else [id_ for id_ in ids.split(",") if id_]
    if learnt is not None:
        changed = [str(number) for number in service.batches.shop.models.list_changed(learnt)]
        listed = changed if listed is None else [id_ for id_ in listed if id_ in changed]
    return to_filter(
        ProductFilter(
            state=state,
            needs=needs,
            path=path,
            attributes=attributes,
            flag=flag,
            who=who,
            below=below,
            q=q,
            ids=listed,
        )
    )


def to_filter(given: ProductFilter) -> Filter:
    """Return the filter that a request describes."""
    return Filter(
        state=given.state,
        needs=given.needs,
        path=tuple(part for part in (given.path or "").split("/") if part),
        attributes=given.attributes,
        flag=given.flag,
        who=given.who,
        below=given.below,
        text=given.q,
        ids=None if given.ids is None else tuple(parse_id(id_, "product") for id_ in given.ids),
    )


Wanted = Annotated[Filter, Depends(read_filter)]


@router.get("/batches/{batch_id}/products", response_model=ProductList, responses=problem_responses(404, 422))
def list_products(  # noqa: PLR0913 - as many as ways to choose
    batch_id: BatchId,
    service: ServiceDependency,
    wanted: Wanted,
    *,
    sort: Annotated[
        str, Query(description="`added`, `name`, `key`, `confidence` or an attribute.")
    ] = "added",
    descending: BooleanText = False,
    offset: Annotated[int, Query(ge=0, le=_LARGEST)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 60,
) -> Response:
    """List the products of a batch. `attribute.NAME=VALUE` filters by the value of an attribute."""
    page = Page(offset, limit, sort, descending)
    items, total = service.batches.products.page(batch_id, wanted, page)
    return json_response({"items": items, "total": total})


@router.get("/batches/{batch_id}/counts", response_model=ProductCounts, responses=problem_responses(404, 422))
def count_products(batch_id: BatchId, service: ServiceDependency, wanted: Wanted) -> Response:
    """Count the products of a batch by state, path, value, flag and person, with the filters of the list."""
    return json_response(service.batches.products.count(batch_id, wanted))


@router.get(
    "/batches/{batch_id}/products/{product_id}", response_model=Product, responses=problem_responses(404)
)
def show_product(batch_id: BatchId, product_id: ProductId, service: ServiceDependency) -> Response:
    """Return a product."""
    return json_response(service.batches.products.get(batch_id, parse_id(product_id, "product")))


@router.get(
    "/batches/{batch_id}/products/{product_id}/similar",
    response_model=SimilarProducts,
    responses=problem_responses(404),
)
def find_similar(
    batch_id: BatchId,
    product_id: ProductId,
    service: ServiceDependency,
    limit: Annotated[int, Query(ge=1, le=200)] = 24,
) -> Response:
    """Find the products of a batch that look most similar to one. Empty if the model has no embeddings."""
    number = parse_id(product_id, "product")
    return json_response({"items": service.batches.products.similar(batch_id, number, limit)})


@router.post("/batches/{batch_id}/decisions", response_model=Decided, responses=problem_responses(404, 422))
def decide(
    batch_id: BatchId,
    new: NewDecision,
    service: ServiceDependency,
    who: Who,
    key: Once = None,
) -> Response:
    """Change products, given by their ids or as all that match a filter. One undo reverts the whole decision."""
    decision = _read_decision(new)
    once = None if key is None else f"decisions:{batch_id}:{key}"
    return json_response(service.batches.decisions.decide(batch_id, decision, who, once))


@router.post("/batches/{batch_id}/undo", response_model=Decided, responses=problem_responses(404, 409))
def undo(batch_id: BatchId, service: ServiceDependency, who: Who) -> Response:
    """Undo your last decision on a batch."""
    return json_response(service.batches.decisions.undo(batch_id, who))


@router.post("/batches/{batch_id}/redo", response_model=Decided, responses=problem_responses(404, 409))
def redo(batch_id: BatchId, service: ServiceDependency, who: Who) -> Response:
    """Redo the decision on a batch that you undid last."""
    return json_response(service.batches.decisions.redo(batch_id, who))


@router.get(
    "/photos/{photo_id}/thumbnail", response_class=Response, responses=_IMAGE | problem_responses(404, 422)
)
def show_thumbnail(
    photo_id: PhotoId,
    service: ServiceDependency,
    size: Annotated[ThumbnailSize, Query(description="The longest side in pixels.")] = ThumbnailSize.SMALL,
) -> Response:
    """Return a thumbnail of a photo."""
    sha256 = _find_photo(service, photo_id)
    try:
        data, kind = service.batches.store.folder.render(sha256, size, service.settings.decode_limits)
    except PhotoError as error:
        raise NotStoredError(f"the photo cannot be shown: {error.detail}") from None
    return Response(data, media_type=kind, headers=_PHOTO_HEADERS)


@router.get(
    "/photos/{photo_id}/image", response_class=Response, responses=_IMAGE | problem_responses(404, 422)
)
def show_image(photo_id: PhotoId, service: ServiceDependency) -> Response:
    """Return a photo in full size: upright, in sRGB, without metadata."""
    limits = service.settings.decode_limits
    try:
        data = service.batches.store.folder.read(_find_photo(service, photo_id), limits)
        shown, kind = render_photo(data, None, limits)
    except PhotoError as error:
        raise NotStoredError(f"the photo cannot be shown: {error.detail}") from None
    return Response(shown, media_type=kind, headers=_PHOTO_HEADERS)


@router.get(
    "/photos/{photo_id}/original", response_class=Response, responses=_FILE | problem_responses(404, 422)
)
def download_original(photo_id: PhotoId, service: ServiceDependency) -> Response:
    """Download a photo: upright, in sRGB, without metadata; with `HANGTAG_KEEP_ORIGINALS`, the original file."""
    folder, limits = service.batches.store.folder, service.settings.decode_limits
    try:
        data = folder.read(_find_photo(service, photo_id), limits)
        shown = data if folder.keep_originals else render_upright(data, limits)
    except PhotoError as error:
        raise NotStoredError(f"the photo cannot be read: {error.detail}") from None
    headers = _PHOTO_HEADERS | {"Content-Disposition": "attachment"}
    return Response(shown, media_type=_BYTES, headers=headers)


def _find_photo(service: Service, photo_id: str) -> str:
    """Return the hash of a photo's content. Raises `NotStoredError` if it does not exist or was not received."""
    number = parse_id(photo_id, "photo")
    with service.batches.store.engine.connect() as connection:
        found = connection.execute(
            select(PhotoRow.sha256).where(PhotoRow.number == number)
        ).scalar_one_or_none()
    if not found:
        raise NotStoredError("there is no such photo")
    return str(found)


def _read_decision(new: NewDecision) -> Decision:
    """Return the decision that a request describes; fields that were not sent change nothing."""
    given = new.model_fields_set
    if sum((new.products is not None, new.matching is not None, bool(new.each))) != 1:
        message = "send either products, matching or each"
        raise InvalidRequestError(InvalidValue(field="products", message=message))
    if new.except_ and new.matching is None:
        raise InvalidRequestError(InvalidValue(field="except", message="it can only be sent with matching"))
    numbers = None if new.products is None else tuple(parse_id(id_, "product") for id_ in new.products)
    return Decision(
        products=numbers,
        matching=None if new.matching is None else to_filter(new.matching),
        excluded=tuple(parse_id(id_, "product") for id_ in new.except_),
        each={parse_id(id_, "product"): labels for id_, labels in new.each.items()},
        set=new.set,
        confirm=new.confirm,
        overrule=new.not_a_product if "not_a_product" in given else UNSET,
        flags=new.flag,
        move_to=new.move_to,
        delete=new.delete,
        assign_to=new.assign_to if "assign_to" in given else UNSET,
        versions={parse_id(id_, "product"): version for id_, version in new.versions.items()},
    )
