"""The route of heat maps."""

import time
from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from hangtag.bundle.card import Card
from hangtag.domain.errors import PhotoError
from hangtag.server.explanations import ExplainedPhoto, ExplanationAnswer
from hangtag.server.problems import NotFoundError, problem_responses
from hangtag.server.routes.photo_forms import Photo, receive_photos
from hangtag.server.routes.predictions import name_model
from hangtag.server.schemas import FailedPhoto
from hangtag.server.service import ServiceDependency
from hangtag.server.uploads import describe_body

router = APIRouter(tags=["predictions"])
_PROBLEMS: Final = problem_responses(404, 408, 413, 415, 422, 503)


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
