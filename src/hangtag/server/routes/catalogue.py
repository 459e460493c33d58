"""What is known of the loaded catalogue, and its photos."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import Response

from hangtag.domain.errors import PhotoError
from hangtag.server.problems import NotFoundError, problem_responses
from hangtag.server.schemas import CatalogueAbsent, CatalogueStatistics, Examples, Findings
from hangtag.server.service import ServiceDependency
from hangtag.server.thumbnails import LARGEST, SMALLEST, render_photo

router = APIRouter(prefix="/catalogue", tags=["catalogue"])
_PHOTO: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The photo's file.",
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("")
async def show_catalogue(service: ServiceDependency) -> CatalogueStatistics | CatalogueAbsent:
    """Show what is in the loaded catalogue."""
    catalogue = service.catalogue
    return catalogue.statistics or catalogue.describing.describe()


@router.get("/findings", responses=problem_responses(422))
async def list_findings(
    service: ServiceDependency,
    kind: Annotated[str | None, Query(description="Findings of one kind only.")] = None,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Findings | CatalogueAbsent:
    """List what the check found in the catalogue, the worst kinds first."""
    stored = service.catalogue.findings
    if stored is None:
        return service.catalogue.checking.describe()
    wanted = [one for one in stored.findings if kind is None or one.kind == kind]
    return Findings(
        counts={one.kind: one.count for one in stored.kinds},
        kinds=stored.kinds,
        total=len(wanted),
        findings=wanted[offset : offset + limit],
    )


@router.get(
    "/photos/{name:path}",
    response_class=Response,
    responses=_PHOTO | problem_responses(404, 422),
)
async def read_catalogue_photo(
    name: str,
    service: ServiceDependency,
    size: Annotated[
        int | None,
        Query(ge=SMALLEST, le=LARGEST, description="The longest side, in pixels, to reduce it to."),
    ] = None,
) -> Response:
    """Give a photo of the catalogue."""
    source = service.catalogue.source
    if source is None or name not in await asyncio.to_thread(source.photo_names):
        raise NotFoundError("the catalogue has no such photo")
    try:
        data, kind = await asyncio.to_thread(
            lambda: render_photo(source.read_photo(name), size, service.settings.decode_limits)
        )
    except PhotoError as error:
        raise NotFoundError(f"the photo cannot be shown: {error.detail}") from None
    return Response(data, media_type=kind, headers={"Cache-Control": "private, max-age=3600"})


@router.get("/examples", responses=problem_responses(404, 422, 503))
async def list_examples(
    service: ServiceDependency,
    column: Annotated[str, Query(description="The column of the head.")],
    true: Annotated[str, Query(description="The label in the catalogue.")],
    answered: Annotated[str, Query(description="The label that the model gives.")],
    model: Annotated[str | None, Query(description="The model's id; the default one without.")] = None,
) -> Examples:
    """Find photos of the catalogue that show a cell of the confusion matrix; there may be none."""
    loaded = await service.registry.get(model)
    finder = service.examples
    if finder is None or column not in loaded.card.columns:
        return Examples(photos=[])
    return Examples(photos=await finder.find(loaded, service.batcher(loaded), column, (true, answered)))
