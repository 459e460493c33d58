"""Explanations for the API: heat maps as pictures, drawn on their own thread."""

import asyncio
import base64
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from PIL import Image
from pydantic import Field

from hangtag.imaging.budget import DecodeLimits
from hangtag.imaging.decode import decode_photo
from hangtag.imaging.heat import render_overlay
from hangtag.imaging.preprocess import prepare_photo
from hangtag.inference.explaining.explainer import Explainer, Explanation, HeatMap, Method
from hangtag.inference.model import Model
from hangtag.server.problems import QueueFullError, ShuttingDownError
from hangtag.server.schemas import Confidence, FailedPhoto, ModelName, Schema
from hangtag.server.upload_memory import UploadedPhoto

MAX_SIDE: Final = 512
"""The longer side of a picture, in pixels: as large as the page shows it."""

MAX_WAITING: Final = 32
"""How many photos may wait. Explaining one takes as long as labelling a hundred."""

_JPEG_QUALITY: Final = 88


class ExplainedLabel(Schema):
    """The heat map of a label: the photo in grey, bright where it supports the label, dark where it does not.

    `image` is a data URL. `method` says how the map was made: by covering parts of the photo (`occlusion`), or from the
    network's last features (`activation`).
    """

    column: str
    value: str
    confidence: Confidence
    method: Method
    image: str = Field(json_schema_extra={"format": "uri"})


class ExplainedPhoto(Schema):
    """The heat maps of a photo. `width` and `height` are those of the images, in pixels."""

    photo: str
    status: Literal["explained"] = "explained"
    model: ModelName
    latency_ms: float
    width: int
    height: int
    labels: list[ExplainedLabel]


ExplanationAnswer = Annotated[ExplainedPhoto | FailedPhoto, Field(discriminator="status")]


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures of an explanation and their size (width, height)."""

    size: tuple[int, int]
    labels: list[ExplainedLabel]


class ExplanationQueue:
    """Explains one photo at a time, so that predictions keep most of the processors."""

    def __init__(self, limits: DecodeLimits) -> None:
        self._limits = limits
        self._waiting = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="explain")
        self._is_closed = False

    async def explain(self, model: Model, photo: UploadedPhoto, columns: Sequence[str] | None) -> Pictures:
        """Return the pictures of a photo.

        Raises `PhotoError` if it cannot be decoded, `QueueFullError` if too many are waiting, and `ShuttingDownError`
        after `close`.
        """
        if self._is_closed:
            raise ShuttingDownError("the service is stopping")
        if self._waiting >= MAX_WAITING:
            raise QueueFullError(
                f"{self._waiting} photos are already waiting for an explanation", fix="Try again in a second."
            )
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._thread, self._draw, model, photo.read(self._limits), columns
            )
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Accept nothing more, finish open work, and stop the thread."""
        self._is_closed = True
        self._thread.shutdown()

    def _draw(self, model: Model, data: bytes, columns: Sequence[str] | None) -> Pictures:
        shown = decode_photo(data, at_least=(MAX_SIDE, MAX_SIDE), limits=self._limits)
        shown.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
        pixels = prepare_photo(data, model.card.preprocessing, self._limits)
        explanation = Explainer(model).explain(pixels, columns)
        labels = [_picture(shown, explanation, found) for found in explanation.maps.values()]
        return Pictures(shown.size, labels)


def _picture(shown: Image.Image, explanation: Explanation, found: HeatMap) -> ExplainedLabel:
    file = io.BytesIO()
    overlay = render_overlay(shown, explanation.heat_of_photo(found.column, shown.size))
    overlay.save(file, "JPEG", quality=_JPEG_QUALITY)
    return ExplainedLabel(
        column=found.column,
        value=found.label,
        confidence=found.confidence,
        method=found.method,
        image=f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}",
    )
