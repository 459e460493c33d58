"""Sample photos to try the service with."""

from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import Response

from hangtag.imaging.samples import read_sample_files
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
    return Samples(photos=list(read_sample_files()))


@router.get("/{name}", response_class=Response, responses=_PHOTO | problem_responses(404))
def read_sample(name: str) -> Response:
    """Return a sample photo."""
    photo = read_sample_files().get(name)
    if photo is None:
        raise NotFoundError("there is no such sample")
    return Response(photo, media_type="image/png", headers={"Cache-Control": "public, max-age=86400"})
