"""The contents of the catalogue, the findings of its check, and its photos."""

import asyncio
from collections.abc import Iterable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import Response

from hangtag.domain.errors import PhotoError
from hangtag.imaging.thumbnails import LARGEST, SMALLEST, render_photo
from hangtag.server.problems import NotFoundError, problem_responses
from hangtag.server.schemas import CatalogueAbsent, CatalogueFinding, CatalogueStatistics, Examples, Findings
from hangtag.server.service import ServiceDependency

router = APIRouter(prefix="/catalogue", tags=["catalogue"])
_MOST_OTHERS: Final = 3
_PHOTO: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The photo.",
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("")
async def show_catalogue(service: ServiceDependency) -> CatalogueStatistics | CatalogueAbsent:
    """Return the contents of the catalogue that the service was started with."""
    catalogue = service.catalogue
    return catalogue.statistics or catalogue.describing.describe()


@router.get("/findings", responses=problem_responses(422))
async def list_findings(
    service: ServiceDependency,
    kind: Annotated[str | None, Query(description="Return findings of this kind only.")] = None,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Findings | CatalogueAbsent:
    """List the findings of the catalogue's check, the most severe kinds first."""
    stored = service.catalogue.findings
    if stored is None:
        return service.catalogue.checking.describe()
    wanted = [finding for finding in stored.findings if kind is None or finding.kind == kind]
    return Findings(
        counts={counted.kind: counted.count for counted in stored.kinds},
        kinds=stored.kinds,
        total=len(wanted),
        findings=_with_others(wanted[offset : offset + limit], stored.findings),
    )


def _with_others(shown: list[CatalogueFinding], findings: list[CatalogueFinding]) -> list[CatalogueFinding]:
    """Return findings with the other photos of their groups, so that pairs can be shown together."""
    groups: dict[int | None, dict[str, None]] = {finding.group: {} for finding in shown if finding.group}
    for finding in findings:
        if finding.group in groups and finding.photo:
            groups[finding.group][finding.photo] = None
    return [_with_group(finding, groups.get(finding.group, {})) for finding in shown]


def _with_group(finding: CatalogueFinding, photos: Iterable[str]) -> CatalogueFinding:
    others = sorted(
        (name for name in photos if name != finding.photo), key=lambda name: name not in finding.message
    )
    return finding.model_copy(update={"others": others[:_MOST_OTHERS]})


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
        Query(ge=SMALLEST, le=LARGEST, description="The longest side in pixels. Defaults to 2,048."),
    ] = None,
) -> Response:
    """Return a photo of the catalogue."""
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
    column: Annotated[str, Query(description="The head's column.")],
    true: Annotated[str, Query(description="The true label.")],
    answered: Annotated[str, Query(description="The label that the model predicts.")],
    model: Annotated[
        str | None, Query(description="The id of the model. Defaults to the service's default model.")
    ] = None,
) -> Examples:
    """Find photos of the catalogue for a cell of the confusion matrix. The list may be empty."""
    loaded = await service.registry.get(model)
    finder = service.examples
    if finder is None or column not in loaded.card.columns:
        return Examples(photos=[])
    return Examples(photos=await finder.find(loaded, service.batcher(loaded), column, (true, answered)))
