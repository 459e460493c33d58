"""The routes that label photos without storing them."""

import logging
import time
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic_core import to_json

from hangtag.inference import predictions
from hangtag.inference.model import Model
from hangtag.server.answers import AnswerStyle, describe_photos, doubt_thresholds
from hangtag.server.logs import log_event
from hangtag.server.problems import problem_responses
from hangtag.server.routes.photo_forms import ComparisonForm, PredictionForm, receive_photos
from hangtag.server.schemas import Comparison, ModelName, Predictions
from hangtag.server.service import ServiceDependency
from hangtag.server.turns import Pieces
from hangtag.server.uploads import describe_body

router = APIRouter(tags=["predictions"])
_log = logging.getLogger(__name__)
_RENDERED_AT_A_TIME: Final = 16
_PROBLEMS: Final = problem_responses(404, 408, 413, 415, 422, 503)


@router.post(
    "/predictions",
    response_model=Predictions,
    responses=_PROBLEMS,
    openapi_extra=describe_body(PredictionForm),
)
async def create_predictions(request: Request, service: ServiceDependency) -> Response:
    """Label photos. The response has one item for each photo, in order: its labels, or the reason why it has none."""
    started = time.perf_counter()
    async with receive_photos(request, service, PredictionForm) as form:
        id_ = service.registry.card(form.model).id
        model = await service.registry.get(id_)
        pieces = service.long_work.begin()
        found = await service.batcher(model).predict(form.photos, pieces)
    service.metrics.count_photos(id_, found)
    if service.settings.log_photo_names:
        _log_failed(found)
    style = AnswerStyle(doubt_thresholds(model.card, service.settings), form.top_k, form.probabilities)
    photos = await _render_photos(found, style, pieces)
    head = to_json({"model": name_model(id_, model)})[:-1]
    end = to_json({"latency_ms": _milliseconds_since(started)})[1:]
    return Response(b"".join((head, b',"photos":[', photos, b"],", end)), media_type="application/json")


async def _render_photos(found: predictions.Predictions, style: AnswerStyle, pieces: Pieces) -> bytes:
    """Return the answers of photos as JSON, some at a time: hundreds take long."""
    pieces.resume()
    rendered = []
    for start in range(0, len(found), _RENDERED_AT_A_TIME):
        described = describe_photos(found[start : start + _RENDERED_AT_A_TIME], style)
        rendered.append(to_json(described)[1:-1])
        await pieces.pause()
    return b",".join(rendered)


@router.post(
    "/predictions/compare",
    response_model=Comparison,
    responses=_PROBLEMS,
    openapi_extra=describe_body(ComparisonForm),
)
async def compare_models(request: Request, service: ServiceDependency) -> Response:
    """Label one photo with several models."""
    async with receive_photos(request, service, ComparisonForm) as form:
        ids = [service.registry.card(id_).id for id_ in dict.fromkeys(form.models)]
        ids = ids or [registered.id for registered in service.registry.cards()]
        answers: list[dict[str, Any]] = []
        for id_ in ids:
            model = await service.registry.get(id_)  # loading is not part of a model's time
            started = time.perf_counter()
            found = await service.batcher(model).predict([form.photo])
            style = AnswerStyle(doubt_thresholds(model.card, service.settings), form.top_k)
            answers += [
                {
                    "model": name_model(id_, model),
                    "answer": answer,
                    "latency_ms": _milliseconds_since(started),
                }
                for answer in describe_photos(found, style)
            ]
    return _respond({"photo": form.photo.name, "answers": answers})


def name_model(id_: str, model: Model) -> ModelName:
    """Return how an answer names the model that gave it."""
    return ModelName(id=id_, version=model.card.version, name=model.card.name)


def _respond(values: dict[str, Any]) -> Response:
    return Response(to_json(values), media_type="application/json")


def _log_failed(found: predictions.Predictions) -> None:
    for name, reason in zip(found.names, found.reasons, strict=True):
        if reason is not None:
            log_event(_log, logging.INFO, "a photo has no label", photo=name, reason=reason.value)


def _milliseconds_since(started: float) -> float:
    return round(1000 * (time.perf_counter() - started), 2)
