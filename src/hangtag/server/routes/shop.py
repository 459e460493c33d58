"""Learning from the shop: its state and settings, and the versions of its models."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from fastapi.responses import FileResponse, Response, StreamingResponse

from hangtag.server.batch_schemas import Batch
from hangtag.server.problems import problem_responses
from hangtag.server.routes.batches import BatchId, Who, json_response
from hangtag.server.service import ServiceDependency
from hangtag.server.shop_schemas import (
    LearningAccepted,
    LearnNow,
    NewReview,
    NextChecks,
    Promotion,
    RollBack,
    ShopChange,
    ShopModel,
    ShopModelList,
    ShopState,
)
from hangtag.server.uploads import JsonRoute

router = APIRouter(tags=["shop"], route_class=JsonRoute)

_BYTES: Final = "application/octet-stream"
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {_BYTES: {"schema": {"type": "string", "format": "binary"}}}}
}
_CSV: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}}}
}
ModelId = Annotated[str, Path(description="The id of the shop model.")]


@router.get("/shop", response_model=ShopState)
def show_shop(service: ServiceDependency) -> Response:
    """Return what hangtag knows about the shop: the models in use, their accuracy, and the remaining work."""
    return json_response(service.batches.shop.describe())


@router.patch("/shop", response_model=ShopState, responses=problem_responses(422))
def change_shop(change: ShopChange, service: ServiceDependency) -> Response:
    """Enable or disable automatic learning, and set after how many new checks it happens."""
    shop = service.batches.shop
    return json_response(shop.change(enabled=change.enabled, learn_after=change.learn_after))


@router.get("/batches/{batch_id}/next", response_model=NextChecks, responses=problem_responses(404, 422))
def suggest_next(
    batch_id: BatchId,
    service: ServiceDependency,
    limit: Annotated[int, Query(ge=1, le=200, description="The largest number of products.")] = 20,
) -> Response:
    """Return which products to check next: those that teach most, with some random ones in between, to measure."""
    return json_response(service.batches.shop.suggestions.find(batch_id, limit))


@router.get("/shop/models", response_model=ShopModelList)
def list_shop_models(
    service: ServiceDependency,
    base: Annotated[str | None, Query(description="Only those adapted from the model with this id.")] = None,
) -> Response:
    """List the versions of shop models, the newest first."""
    items, total = service.batches.shop.models.list_versions(base)
    return json_response({"items": items, "total": total})


@router.post(
    "/shop/models", status_code=202, response_model=LearningAccepted, responses=problem_responses(404, 409)
)
def learn_now(new: LearnNow, service: ServiceDependency, who: Who) -> Response:
    """Make a version that learns from all checks so far. It becomes a candidate that you can promote."""
    service.batches.shop.learn(new.base, new.name, who)
    return json_response({"learning": True}, 202)


@router.get("/shop/models/{model_id}", response_model=ShopModel, responses=problem_responses(404))
def show_shop_model(model_id: ModelId, service: ServiceDependency) -> Response:
    """Return a version of a shop model."""
    return json_response(service.batches.shop.models.get(model_id))


@router.get(
    "/shop/models/{model_id}/bundle",
    response_class=FileResponse,
    responses=_FILE | problem_responses(404),
)
def download_shop_model(model_id: ModelId, service: ServiceDependency) -> FileResponse:
    """Download a version as a model file for `hangtag predict`, `evaluate` and `serve`."""
    models = service.batches.shop.models
    name = f"{models.get(model_id)['model']}.onnx"
    return FileResponse(models.bundle(model_id), media_type=_BYTES, filename=name)


@router.post(
    "/shop/models/{model_id}/promote", response_model=ShopModel, responses=problem_responses(404, 409)
)
def promote_shop_model(model_id: ModelId, promotion: Promotion, service: ServiceDependency) -> Response:
    """Put a version into use. The labels of the batches follow in a moment.

    It is refused with `significantly_worse` if classes are significantly worse than with the model in use, unless you
    give a reason, which is stored with the version.
    """
    return json_response(service.batches.shop.promote(model_id, promotion.override_reason))


@router.post(
    "/shop/models/{model_id}/archive", response_model=ShopModel, responses=problem_responses(404, 409)
)
def archive_shop_model(model_id: ModelId, service: ServiceDependency) -> Response:
    """Archive a candidate."""
    return json_response(service.batches.shop.models.archive(model_id))


@router.post("/shop/rollback", response_model=ShopModel | None, responses=problem_responses(409))
def roll_back_shop(back: RollBack, service: ServiceDependency) -> Response:
    """Put the previous version back into use, or the base itself: then null is returned."""
    return json_response(service.batches.shop.roll_back(back.base))


@router.post("/shop/learnt/undo", response_model=ShopModel | None, responses=problem_responses(409))
def undo_learning(service: ServiceDependency) -> Response:
    """Undo what hangtag last learned automatically. Decisions are kept; it learns again from the next checks."""
    return json_response(service.batches.shop.undo())


@router.post(
    "/catalogue/reviews", status_code=201, response_model=Batch, responses=problem_responses(409, 422)
)
def review_catalogue(review: NewReview, service: ServiceDependency, who: Who) -> Response:
    """Make a batch from findings of the catalogue's check, to review like any other."""
    return json_response(service.reviews.make(review.finding, who), 201)


@router.get(
    "/batches/{batch_id}/corrections",
    response_class=StreamingResponse,
    responses=_CSV | problem_responses(404),
)
def download_corrections(batch_id: BatchId, service: ServiceDependency) -> StreamingResponse:
    """Download the catalogue's table with the labels that people set in a review of its findings."""
    headers = {"Content-Disposition": 'attachment; filename="styles.csv"'}
    return StreamingResponse(service.reviews.iter_corrected(batch_id), media_type="text/csv", headers=headers)
