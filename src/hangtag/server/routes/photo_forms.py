"""Upload forms with photos, and how a route receives them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, InstanceOf
from pydantic.json_schema import SkipJsonSchema

from hangtag.domain.text import printable
from hangtag.server.schemas import BooleanText
from hangtag.server.service import Service
from hangtag.server.upload_memory import UploadedPhoto
from hangtag.server.uploads import (
    FILE_SCHEMA,
    REQUIRE_FILE,
    FormLimits,
    FormModel,
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
        form = await read_form(request, limits, open_file, service.long_work.begin())
        # An HTML form whose file field was left empty sends a file without a name and without bytes.
        form.files = [(field, photo) for field, photo in form.files if photo.name or photo.size]
        async with ending_with_client(request):
            yield validate_form(kind, form)
    finally:
        for photo in opened:
            photo.release()
