"""The version and limits of the service, its health and its metrics."""

from collections.abc import Sequence

from fastapi import APIRouter
from fastapi.responses import Response

from hangtag import __version__
from hangtag.domain.errors import HangtagError
from hangtag.server.problems import RequestError, ShuttingDownError, problem_responses
from hangtag.server.schemas import Health, Limits, Status, Storage
from hangtag.server.service import ServiceDependency
from hangtag.server.telemetry import MEDIA_TYPE

router = APIRouter(tags=["service"])
health_router = APIRouter(tags=["service"])
"""The conventional paths that monitoring systems use."""


class NotReadyError(RequestError):
    """The default model is still being loaded."""

    status = ShuttingDownError.status
    code = "not_ready"
    retry_after_s = 1


class UnhealthyError(RequestError):
    """Something that the service needs is missing or broken. The code is that of the first fault."""

    status = ShuttingDownError.status
    retry_after_s = 5

    def __init__(self, faults: Sequence[HangtagError]) -> None:
        self.code = faults[0].code  # type: ignore[misc]  # of this one error
        fixes = [fault.fix for fault in faults if fault.fix]
        super().__init__("; ".join(fault.problem for fault in faults), fix=" ".join(fixes) or None)


@router.get("/status")
async def show_status(service: ServiceDependency) -> Status:
    """Return the version, the default model and the limits of the service."""
    settings = service.settings
    return Status(
        version=__version__,
        models=len(service.registry.cards()),
        default_model=service.registry.default_id,
        catalogue=settings.catalogue is not None,
        limits=Limits(
            max_files=settings.max_files,
            max_file_bytes=settings.max_file_bytes,
            max_request_bytes=settings.max_request_bytes,
            max_upload_bytes=settings.max_upload_bytes,
            max_batch_photos=settings.max_batch_photos,
            max_pixels=settings.max_pixels,
        ),
        storage=Storage(
            photo_bytes=service.housekeeper.usage.photo_bytes,
            products=service.housekeeper.usage.products,
            quota_bytes=settings.quota_bytes,
            quota_products=settings.quota_products,
            batch_days=settings.batch_days,
            audit_days=settings.audit_days,
        ),
    )


@health_router.get("/healthz")
async def show_health() -> Health:
    """Return ok if the process is alive."""
    return Health()


@health_router.get("/readyz", responses=problem_responses(503))
async def show_readiness(service: ServiceDependency) -> Health:
    """Return ok if the service can work: it is not stopping, and its model, database, disk and data folder are fine."""
    if service.is_stopping:
        raise ShuttingDownError("the service is stopping")
    if not service.is_ready:
        raise NotReadyError("the default model is being loaded")
    faults = await service.health.find_faults()
    if faults:
        raise UnhealthyError(faults)
    return Health()


@health_router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"description": "The metrics.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    },
)
async def show_metrics(service: ServiceDependency) -> Response:
    """Return the metrics of the service in the Prometheus format."""
    return Response(service.metrics.render(), headers={"Content-Type": MEDIA_TYPE})
