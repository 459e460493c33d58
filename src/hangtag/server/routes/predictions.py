"""The routes that label photos and explain labels, without storing anything."""

import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, InstanceOf
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import to_json

from hangtag.bundle.card import Card
from hangtag.domain.errors import PhotoError
from hangtag.domain.text import printable
from hangtag.inference import predictions
from hangtag.inference.model import Model
from hangtag.server.answers import AnswerStyle, describe_photos, doubt_thresholds
from hangtag.server.explanations import ExplainedPhoto, ExplanationAnswer
from hangtag.server.problems import NotFoundError, problem_responses
from hangtag.server.schemas import BooleanText, Comparison, FailedPhoto, ModelName, Predictions
from hangtag.server.service import Service, ServiceDependency
from hangtag.server.telemetry import log_event
from hangtag.server.turns import READING_SHARE, Pieces
from hangtag.server.upload_memory import UploadedPhoto
from hangtag.server.uploads import (
    FILE_SCHEMA,
    REQUIRE_FILE,
    FormLimits,
    FormModel,
    describe_body,
    ending_with_client,
    read_form,
    validate_form,
)

Photo = Annotated[InstanceOf[UploadedPhoto], REQUIRE_FILE, FILE_SCHEMA]
TopK = Annotated[int, Field(ge=1, le=1000, description="The number of candidates to return for each label.")]


class PredictionForm(BaseModel):
    """Photos to label."""

    model_config = ConfigDict(extra="forbid")

    photos: list[Photo] = Field(min_length=1, description="One or more photos.")
    model: str | SkipJsonSchema[None] = Field(
        None, description="The id of the model. Defaults to the service's default model."
    )
    top_k: TopK = 5
    probabilities: BooleanText = Field(
        default=False, description="Whether to return the probabilities of all classes."
    )


class ComparisonForm(BaseModel):
    """A photo to label with several models."""

    model_config = ConfigDict(extra="forbid")

    photo: Photo = Field(description="The photo.")
    models: list[str] = Field([], description="The ids of the models. Defaults to all models.")
    top_k: TopK = 5


@asynccontextmanager
async def receive_photos(
    request: Request, service: Service, kind: type[FormModel]
) -> AsyncIterator[FormModel]:
    """Yield a request's form, and free the memory of its photos at the end of the block.

    The block ends early if the client disconnects. Raises the errors of `read_form` and `ending_with_client`, and
    `InvalidRequestError` for invalid values.
    """
    settings = service.settings
    opened: list[UploadedPhoto] = []
    client = request.client.host if request.client else ""

    def open_file(_field: str, name: str) -> UploadedPhoto:
        opened.append(UploadedPhoto(printable(name), settings.max_file_bytes, service.upload_memory, client))
        return opened[-1]

    limits = FormLimits(settings.max_request_bytes, settings.max_files, settings.upload_timeout_s)
    service.upload_memory.check(request.headers.get("content-length", ""), client)
    try:
        form = await read_form(request, limits, open_file, service.long_work.begin(READING_SHARE))
        # An HTML form with an empty file field sends a file without a name and bytes.
        form.files = [(field, photo) for field, photo in form.files if photo.name or photo.size]
        async with ending_with_client(request):
            yield validate_form(kind, form)
    finally:
        for photo in opened:
            photo.release()


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
    """Return photos' labels as JSON, a few at a time: hundreds take long."""
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
            model = await service.registry.get(id_)  # loading does not count towards a model's time
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
    """Return a model's name as responses show it."""
    return ModelName(id=id_, version=model.card.version, name=model.card.name)


def _respond(values: dict[str, Any]) -> Response:
    return Response(to_json(values), media_type="application/json")


def _log_failed(found: predictions.Predictions) -> None:
    for name, reason in zip(found.names, found.reasons, strict=True):
        if reason is not None:
            log_event(_log, logging.INFO, "a photo has no label", photo=name, reason=reason.value)


def _milliseconds_since(started: float) -> float:
    return round(1000 * (time.perf_counter() - started), 2)


class ExplanationForm(BaseModel):
    """A photo whose labels to explain."""

    model_config = ConfigDict(extra="forbid")

    photo: Photo = Field(description="The photo.")
    model: str | SkipJsonSchema[None] = Field(
        None, description="The id of the model. Defaults to the service's default model."
    )
    columns: list[str] = Field(
        [], description="The labels to explain. Defaults to master category and article type."
    )


@router.post(
    "/explanations",
    response_model=ExplanationAnswer,
    responses=_PROBLEMS,
    openapi_extra=describe_body(ExplanationForm),
)
async def explain_photo(request: Request, service: ServiceDependency) -> Response:
    """Return heat maps of a photo: for each label, an image of the parts that support it."""
    started = time.perf_counter()
    async with receive_photos(request, service, ExplanationForm) as form:
        registered = service.registry.card(form.model)
        _check_columns(form.columns, registered.card)
        model = await service.registry.get(registered.id)
        answer: ExplainedPhoto | FailedPhoto
        try:
            pictures = await service.explaining.explain(model, form.photo, form.columns or None)
        except PhotoError as error:
            answer = FailedPhoto(photo=form.photo.name, reason=error.reason, detail=error.detail)
        else:
            answer = ExplainedPhoto(
                photo=form.photo.name,
                model=name_model(registered.id, model),
                latency_ms=round(1000 * (time.perf_counter() - started), 2),
                width=pictures.size[0],
                height=pictures.size[1],
                labels=pictures.labels,
            )
    return Response(answer.model_dump_json(), media_type="application/json")


def _check_columns(columns: Sequence[str], card: Card) -> None:
    unknown = [column for column in columns if column not in card.columns]
    if unknown:
        raise NotFoundError(
            f"the model has no column {', '.join(map(repr, unknown))}",
            fix=f"It has {', '.join(card.columns)}.",
        )
