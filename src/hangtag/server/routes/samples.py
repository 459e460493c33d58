"""Sample photos to try the service with."""

import io
from functools import cache
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import Response

from hangtag.imaging.samples import draw_sample_photos
from hangtag.server.problems import NotFoundError, problem_responses
from hangtag.server.schemas import Samples

router = APIRouter(prefix="/samples", tags=["samples"])
_PHOTO: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The photo.",
        "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("")
def list_samples() -> Samples:
    """List the names of the sample photos."""
    return Samples(photos=list(_sample_files()))


@router.get("/{name}", response_class=Response, responses=_PHOTO | problem_responses(404))
def read_sample(name: str) -> Response:
    """Return a sample photo."""
    photo = _sample_files().get(name)
    if photo is None:
        raise NotFoundError("there is no such sample")
    return Response(photo, media_type="image/png", headers={"Cache-Control": "public, max-age=86400"})


@cache
def _sample_files() -> dict[str, bytes]:
    """Return the sample photos as PNG files by file name."""
    files = {}
    for name, image in draw_sample_photos().items():
        file = io.BytesIO()
        image.save(file, format="PNG", optimize=True)
        files[f"{name}.png"] = file.getvalue()
    return files
