"""The app: routes, errors and what runs beside them, put together from settings alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute

from hangtag import __version__
from hangtag.server.problems import add_problem_handlers
from hangtag.server.routes import models, predictions, status
from hangtag.server.schemas import Problem
from hangtag.server.service import run_service
from hangtag.server.settings import Settings

API: Final = "/api/v1"


def create_app(settings: Settings) -> FastAPI:
    """Return the app. It loads its models when it is started, so that building it costs nothing."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with run_service(settings) as service:
            app.state.service = service
            yield

    app = FastAPI(
        title="hangtag",
        version=__version__,
        summary="Looks at product photos and writes the label that a shop needs, with an honest confidence.",
        lifespan=lifespan,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # the usual page loads its script from another host
        redoc_url=None,
        generate_unique_id_function=_name_operation,
    )
    for part in (predictions, models, status):
        app.include_router(part.router, prefix=API)
    app.include_router(status.health_router)
    add_problem_handlers(app)
    app.openapi = lambda: _describe_api(app)  # type: ignore[method-assign]  # this is how FastAPI is told
    return app


def _name_operation(route: APIRoute) -> str:
    return route.name


def _describe_api(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document; every error in it is a problem."""
    if app.openapi_schema is None:
        document = FastAPI.openapi(app)
        schemas = document["components"]["schemas"]
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        template = "#/components/schemas/{model}"
        problem = Problem.model_json_schema(mode="serialization", ref_template=template)
        schemas |= problem.pop("$defs", {})
        schemas["Problem"] = problem
        document["components"]["schemas"] = dict(sorted(schemas.items()))
    return app.openapi_schema or {}
