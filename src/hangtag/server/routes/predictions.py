"""Photos in, labels out."""

import logging
import time
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hangtag.inference.model import Model
from hangtag.server.answers import AnswerStyle, build_answers, doubt_thresholds
from hangtag.server.logs import log_event
from hangtag.server.problems import problem_responses
from hangtag.server.routes.photo_forms import ComparisonForm, PredictionForm, receive_photos
from hangtag.server.schemas import (
    Comparison,
    FailedPhoto,
    LabelledPhoto,
    ModelComparisonAnswer,
    ModelName,
    Predictions,
)
from hangtag.server.service import Service, ServiceDependency
from hangtag.server.upload_memory import UploadedPhoto
from hangtag.server.uploads import describe_body

router = APIRouter(tags=["predictions"])
_log = logging.getLogger(__name__)
_PROBLEMS: Final = problem_responses(404, 408, 413, 415, 422, 503)


@router.post(
    "/predictions",
    response_model=Predictions,
    responses=_PROBLEMS,
    openapi_extra=describe_body(PredictionForm),
)
async def create_predictions(request: Request, service: ServiceDependency) -> Response:
    """Label photos. Each has an answer, in order: its labels, or the reason why it has none."""
    started = time.perf_counter()
    async with receive_photos(request, service, PredictionForm) as form:
        id_ = service.registry.card(form.model).id
        model = await service.registry.get(id_)
        answers = await _answer(service, model, form.photos, (form.top_k, form.probabilities))
    service.metrics.count_photos(id_, answers)
    if service.settings.log_photo_names:
        _log_failed(answers)
    predictions = Predictions.model_construct(
        model=name_model(id_, model), latency_ms=_milliseconds_since(started), photos=answers
    )
    return Response(predictions.model_dump_json(), media_type="application/json")


@router.post(
    "/predictions/compare",
    response_model=Comparison,
    responses=_PROBLEMS,
    openapi_extra=describe_body(ComparisonForm),
)
async def compare_models(request: Request, service: ServiceDependency) -> Response:
    """Show one photo to several models."""
    async with receive_photos(request, service, ComparisonForm) as form:
        ids = [service.registry.card(id_).id for id_ in dict.fromkeys(form.models)]
        ids = ids or [registered.id for registered in service.registry.cards()]
        answers = []
        for id_ in ids:
            model = await service.registry.get(id_)  # loading is not part of a model's time
            started = time.perf_counter()
            (answer,) = await _answer(service, model, [form.photo], (form.top_k, False))
            answers.append(
                ModelComparisonAnswer.model_construct(
                    model=name_model(id_, model), latency_ms=_milliseconds_since(started), answer=answer
                )
            )
        comparison = Comparison.model_construct(photo=form.photo.name, answers=answers)
    return Response(comparison.model_dump_json(), media_type="application/json")


def name_model(id_: str, model: Model) -> ModelName:
    """Return how an answer names the model that gave it."""
    return ModelName(id=id_, version=model.card.version, name=model.card.name)


async def _answer(
    service: Service, model: Model, photos: list[UploadedPhoto], style: tuple[int, bool]
) -> list[LabelledPhoto | FailedPhoto]:
    found = await service.batcher(model).predict(photos)
    thresholds = doubt_thresholds(model.card, service.settings)
    return build_answers(found, AnswerStyle(thresholds, *style))


def _log_failed(answers: list[LabelledPhoto | FailedPhoto]) -> None:
    for answer in answers:
        if isinstance(answer, FailedPhoto):
            log_event(
                _log, logging.INFO, "a photo has no label", photo=answer.photo, reason=answer.reason.value
            )


def _milliseconds_since(started: float) -> float:
    return round(1000 * (time.perf_counter() - started), 2)
