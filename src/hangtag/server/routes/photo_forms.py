"""The forms that photos come in: what they may hold, and what it means."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Request
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    WithJsonSchema,
)
from pydantic.json_schema import SkipJsonSchema

from hangtag.domain.text import printable
from hangtag.server.forms import FormModel, require_file, validate_form
from hangtag.server.held import UploadedPhoto
from hangtag.server.service import Service
from hangtag.server.uploads import FormLimits, read_form

Photo = Annotated[
    InstanceOf[UploadedPhoto],
    BeforeValidator(require_file),
    WithJsonSchema({"type": "string", "format": "binary"}),
]
TopK = Annotated[int, Field(ge=1, le=1000, description="How many candidates each label has.")]


class PredictionForm(BaseModel):
    """Photos to label, and how."""

    model_config = ConfigDict(extra="forbid")

    photos: list[Photo] = Field(min_length=1, description="One photo or many.")
    model: str | SkipJsonSchema[None] = Field(
        None, description="The model's id; without it the default one answers."
    )
    top_k: TopK = 5
    probabilities: bool = Field(
        default=False, description="Whether to give the probabilities of all classes."
    )


class ComparisonForm(BaseModel):
    """A photo to show to several models."""

    model_config = ConfigDict(extra="forbid")

    photo: Photo = Field(description="The photo.")
    models: list[str] = Field([], description="The models' ids; without any, all answer.")
    top_k: TopK = 5


@asynccontextmanager
async def receive_photos(
    request: Request, service: Service, kind: type[FormModel]
) -> AsyncIterator[FormModel]:
    """Give a request's form while the block runs; its photos are then let go of.

    Raises the errors of `read_form`, and `InvalidRequestError` for values that cannot be.
    """
    settings = service.settings
    opened: list[UploadedPhoto] = []

    def open_file(_field: str, name: str) -> UploadedPhoto:
        opened.append(UploadedPhoto(printable(name), settings.max_file_bytes, service.held))
        return opened[-1]

    limits = FormLimits(settings.max_request_bytes, settings.max_files, settings.upload_timeout_s)
    try:
        form = await read_form(request, limits, open_file)
        # A page's form in which no file was chosen sends one without a name and without bytes.
        form.files = [(field, photo) for field, photo in form.files if photo.name or photo.size]
        yield validate_form(kind, form)
    finally:
        for photo in opened:
            photo.release()
