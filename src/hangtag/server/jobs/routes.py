"""The routes of jobs."""

import asyncio
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response, StreamingResponse

from hangtag.imaging.thumbnails import LARGEST, SMALLEST
from hangtag.server.jobs.downloads import MEDIA_TYPES, Format, iter_download
from hangtag.server.jobs.events import iter_events
from hangtag.server.jobs.receive import JobForm
from hangtag.server.jobs.results import (
    ResultFilter,
    Sort,
    Status,
    check_filter,
    correct_result,
    query_results,
)
from hangtag.server.jobs.schemas import Correction, Job, JobDetail, JobList, JobResult, JobResults
from hangtag.server.jobs.stored import describe_result
from hangtag.server.jobs.summary import summarise
from hangtag.server.problems import ShuttingDownError, problem_responses
from hangtag.server.service import ServiceDependency
from hangtag.server.uploads import JsonRoute, describe_body
from hangtag.store.vocabulary import Vocabulary

router = APIRouter(tags=["jobs"], route_class=JsonRoute)

_LARGEST_NUMBER: Final = 2**31 - 1
Offset = Annotated[int, Query(ge=0, le=_LARGEST_NUMBER, description="The number of items to skip.")]
Limit = Annotated[int, Query(ge=1, le=500, description="The largest number of items to return.")]
JobId = Annotated[str, Path(description="The id of the job.")]
Position = Annotated[
    int, Path(ge=0, le=_LARGEST_NUMBER, description="The position of the photo in the job, from 0.")
]
Bound = Annotated[float | None, Query(ge=0, le=1)]

_PHOTO_HEADERS: Final = {
    "Cache-Control": "private, max-age=86400, immutable",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}
_EVENT_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@router.post(
    "/jobs",
    status_code=202,
    responses=problem_responses(404, 408, 413, 415, 422, 503, 507),
    openapi_extra=describe_body(JobForm),
)
async def create_job(request: Request, service: ServiceDependency) -> Job:
    """Start a job from photos, zip files of photos, and optionally a table that lists them.

    The columns of the table are returned with the results. A row whose photo is missing becomes a failed result, and
    a photo that is not in the table is labelled, too.
    """
    if service.is_stopping:
        raise ShuttingDownError("the service is stopping")
    return await service.jobs.receive(request)


@router.get("/jobs")
def list_jobs(service: ServiceDependency, offset: Offset = 0, limit: Limit = 50) -> JobList:
    """List the jobs, newest first."""
    jobs, total = service.jobs.store.page(offset, limit)
    return JobList(jobs=jobs, total=total)


@router.get("/jobs/{job_id}", responses=problem_responses(404))
def show_job(job_id: JobId, service: ServiceDependency) -> JobDetail:
    """Return a job with its summary so far."""
    store = service.jobs.store
    row = store.find(job_id, with_content=True)
    return JobDetail(**store.get(job_id).model_dump(), summary=summarise(store.engine, row))


@router.get(
    "/jobs/{job_id}/events",
    responses={200: {"content": {"text/event-stream": {}}}, **problem_responses(404)},
    response_class=StreamingResponse,
)
async def watch_job(job_id: JobId, service: ServiceDependency) -> StreamingResponse:
    """Stream the progress of a job as server-sent events named `progress`, until the job has ended."""
    jobs = service.jobs
    await asyncio.to_thread(jobs.store.get, job_id)
    events = iter_events(jobs.store, jobs.events, job_id)
    return StreamingResponse(events, media_type="text/event-stream", headers=_EVENT_HEADERS)


@router.get("/jobs/{job_id}/results", responses=problem_responses(404, 422))
def list_results(  # noqa: PLR0913 - as many as ways to choose
    job_id: JobId,
    service: ServiceDependency,
    *,
    offset: Offset = 0,
    limit: Limit = 50,
    column: Annotated[
        str | None, Query(description="The column that `label` and the confidences refer to.")
    ] = None,
    label: Annotated[
        str | None, Query(description="Return photos with this label only, corrections included.")
    ] = None,
    min_confidence: Bound = None,
    max_confidence: Bound = None,
    status: Status | None = None,
    sort: Sort = "position",
) -> JobResults:
    """List the results of a job so far. Without a column, confidences are those of the deepest category level."""
    store = service.jobs.store
    row = store.find(job_id, with_content=True)
    wanted = ResultFilter(column, label, min_confidence, max_confidence, status, sort)
    check_filter(Vocabulary.from_json(row.vocabulary), wanted)
    results, total = query_results(store.engine, row, wanted, (offset, limit))
    return JobResults(total=total, results=[describe_result(result, row.columns) for result in results])


@router.patch("/jobs/{job_id}/results/{position}", responses=problem_responses(404, 422))
def correct_labels(
    job_id: JobId, position: Position, correction: Correction, service: ServiceDependency
) -> JobResult:
    """Correct or confirm the labels of a photo. A category label brings the rest of its path with it."""
    store = service.jobs.store
    row = store.find(job_id, with_content=True)
    return describe_result(correct_result(store.engine, row, position, correction.labels), row.columns)


@router.get(
    "/jobs/{job_id}/photos/{position}",
    responses={200: {"content": {"image/*": {}}}, **problem_responses(404, 422)},
    response_class=Response,
)
def show_photo(
    job_id: JobId,
    position: Position,
    service: ServiceDependency,
    size: Annotated[
        int | None,
        Query(ge=SMALLEST, le=LARGEST, description="The longest side in pixels. Defaults to 2,048."),
    ] = None,
) -> Response:
    """Return a photo of a job."""
    data, media_type = service.jobs.render_photo(job_id, position, size)
    return Response(data, media_type=media_type, headers=_PHOTO_HEADERS)


@router.get(
    "/jobs/{job_id}/download",
    responses={
        200: {"content": {media_type: {} for media_type in MEDIA_TYPES.values()}},
        **problem_responses(404, 422),
    },
    response_class=StreamingResponse,
)
def download_results(
    job_id: JobId,
    service: ServiceDependency,
    kind: Annotated[Format, Query(alias="format", description="The format of the file.")],
) -> StreamingResponse:
    """Download the labels of all photos of a job, corrections included."""
    store = service.jobs.store
    row = store.find(job_id, with_content=True)
    name = quote(f"{row.title}.{kind}", safe="")
    disposition = f"attachment; filename=\"labels.{kind}\"; filename*=UTF-8''{name}"
    return StreamingResponse(
        iter_download(store.engine, row, kind),
        media_type=MEDIA_TYPES[kind],
        headers={"Content-Disposition": disposition, "Cache-Control": "no-store"},
    )


@router.post("/jobs/{job_id}/cancel", responses=problem_responses(404, 409))
def cancel_job(job_id: JobId, service: ServiceDependency) -> Job:
    """Stop a job. Its results so far are kept."""
    return service.jobs.cancel(job_id)


@router.delete("/jobs/{job_id}", status_code=204, responses=problem_responses(404, 409))
def delete_job(job_id: JobId, service: ServiceDependency) -> None:
    """Delete a job that has ended, with its photos and results."""
    service.jobs.delete(job_id)
