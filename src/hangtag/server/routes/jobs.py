"""Jobs for clients of hangtag 0.1: a batch that is sent in one request and read photo by photo."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response, StreamingResponse

from hangtag.server.batch_schemas import Job
from hangtag.server.batch_uploads import BatchFilesForm
from hangtag.server.problems import ShuttingDownError, problem_responses
from hangtag.server.routes.batches import Who, json_response
from hangtag.server.routes.exports import MEDIA_TYPES, TableFormat, table_response
from hangtag.server.service import ServiceDependency
from hangtag.server.uploads import JsonRoute, describe_body
from hangtag.store.exports import export_batch
from hangtag.store.index import Filter

router = APIRouter(tags=["batches"], route_class=JsonRoute, deprecated=True)

JobId = Annotated[str, Path(description="The id of the job, which is that of its batch.")]
_STATES: Final = {"ready": "done", "failed": "failed", "stopped": "cancelled"}


@router.post(
    "/jobs",
    status_code=202,
    response_model=Job,
    responses=problem_responses(404, 408, 413, 415, 422, 503, 507),
    openapi_extra=describe_body(BatchFilesForm),
)
async def create_job(request: Request, service: ServiceDependency, who: Who) -> Response:
    """Create a batch from photos, zips and tables in one request. New clients use batches."""
    if service.is_stopping:
        raise ShuttingDownError("the service is stopping")
    batches = service.batches.batches
    batch = await asyncio.to_thread(batches.create, None, None, who, None)
    try:
        await service.batches.receive(request, batch["id"], None)
    except BaseException:
        await asyncio.to_thread(batches.delete, batch["id"])
        raise
    return json_response(_describe(await asyncio.to_thread(batches.get, batch["id"])), 202)


@router.get("/jobs/{job_id}", response_model=Job, responses=problem_responses(404))
def show_job(job_id: JobId, service: ServiceDependency) -> Response:
    """Return the labelling progress of a batch. New clients use batches."""
    return json_response(_describe(service.batches.batches.get(job_id)))


@router.get(
    "/jobs/{job_id}/download",
    responses={
        200: {"content": {media_type: {} for media_type in MEDIA_TYPES.values()}},
        **problem_responses(404, 422),
    },
    response_class=StreamingResponse,
)
def download_job(
    job_id: JobId,
    service: ServiceDependency,
    kind: Annotated[TableFormat, Query(alias="format", description="The format of the file.")],
) -> StreamingResponse:
    """Download the labels of a batch, one row per photo. New clients export batches."""
    table = export_batch(service.batches.products, job_id, Filter(), "photo")
    return table_response(table.name, kind, table.kinds, table.rows)


def _describe(batch: dict[str, Any]) -> dict[str, Any]:
    counts = batch["counts"]
    done = counts["labelled"] + counts["failed"]
    return {
        "id": batch["id"],
        "title": batch["name"],
        "state": _STATES.get(batch["state"], "running"),
        "total": max(done, counts["photos"]),  # rows without a photo count as failed
        "done": done,
        "failed": counts["failed"],
        "message": batch["message"],
    }
