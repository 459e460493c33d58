"""Decisions on all batches: export, import, and agreement between people."""

import tempfile
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from hangtag.server.batch_uploads import DecisionsForm
from hangtag.server.problems import ShuttingDownError, problem_responses
from hangtag.server.routes.batches import Who, json_response
from hangtag.server.service import ServiceDependency
from hangtag.server.shop_schemas import AgreementList, ImportedDecisions
from hangtag.server.uploads import describe_body

router = APIRouter(prefix="/decisions", tags=["shop"])

Format = Literal["csv", "label-studio"]
_TYPES: Final = {"csv": ("decisions.csv", "text/csv"), "label-studio": ("decisions.json", "application/json")}
_FILES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for _, kind in _TYPES.values()}
    }
}


@router.get("/export", response_class=Response, responses=_FILES | problem_responses(404, 422))
def export_decisions(
    service: ServiceDependency,
    *,
    format_: Annotated[
        Format, Query(alias="format", description="A table, or tasks for Label Studio.")
    ] = "csv",
    batch: Annotated[str | None, Query(description="The id of a batch. Defaults to all batches.")] = None,
) -> Response:
    """Download people's decisions: who set which label of which photo, and when. Undone decisions are left out."""
    name, kind = _TYPES[format_]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        service.batches.decision_files.export(path, batch)
        data = path.read_bytes()
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(data, media_type=kind, headers=headers)


@router.post(
    "/import",
    response_model=ImportedDecisions,
    responses=problem_responses(404, 408, 413, 415, 422),
    openapi_extra=describe_body(DecisionsForm),
)
async def import_decisions(request: Request, service: ServiceDependency, who: Who) -> Response:
    """Apply decisions from a table or from Label Studio under your name. Photos are found by their names."""
    if service.is_stopping:
        raise ShuttingDownError("the service is stopping")
    return json_response(await service.batches.import_decisions(request, who))


@router.get("/agreement", response_model=AgreementList)
def show_agreement(service: ServiceDependency) -> Response:
    """Return how far people agree on products that two of them decided, by attribute."""
    return json_response({"items": service.batches.decision_files.agreement()})
