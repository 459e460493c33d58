"""The app: routes, error handlers and middleware, built from settings alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.middleware.gzip import GZipMiddleware

from hangtag import __version__
from hangtag.server.access.authentication import Authentication, authorise
from hangtag.server.middleware import BasePath, Observer
from hangtag.server.openapi import describe_api, find_methods, render_api_page
from hangtag.server.page import Page
from hangtag.server.problems import MethodNotAllowedError, add_problem_handlers
from hangtag.server.routes import (
    accounts,
    batch_exports,
    batches,
    catalogue,
    decisions,
    exports,
    jobs,
    models,
    names,
    predictions,
    products,
    samples,
    shop,
    single_sign_on,
    status,
    taxonomy,
    templates,
    webhooks,
)
from hangtag.server.service import run_service
from hangtag.server.settings import Settings
from hangtag.server.telemetry import Metrics, Tracing, open_tracing

API: Final = "/api/v1"
_COMPRESSED_FROM_BYTES: Final = 2_000
_METHODS_OF_FILES: Final = frozenset({"GET", "HEAD"})
_METHODS: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


def create_app(settings: Settings) -> FastAPI:
    """Return the app. It loads its models when it starts, so building it is cheap."""
    metrics = Metrics()
    tracing = open_tracing(settings.otlp_endpoint) if settings.otlp_endpoint else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with run_service(settings, metrics) as service:
            app.state.service = service
            yield
        if tracing is not None:
            await asyncio.to_thread(tracing.shutdown)  # sends the remaining spans

    app = FastAPI(
        title="hangtag",
        version=__version__,
        summary="Labels product photos for shops, with calibrated confidences.",
        lifespan=lifespan,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # FastAPI's page loads its script from a CDN
        redoc_url=None,
        dependencies=[Depends(authorise)],
        generate_unique_id_function=_name_operation,
    )
    stored = (batches, jobs, products, batch_exports, shop, decisions, templates, webhooks)
    for part in (
        predictions,
        *stored,
        exports,
        models,
        taxonomy,
        catalogue,
        samples,
        names,
        status,
        accounts,
        single_sign_on,
    ):
        app.include_router(part.router, prefix=API)
    app.include_router(status.health_router)
    _add_pages(app, Page(settings.page_folder))
    add_problem_handlers(app)
    app.openapi = lambda: describe_api(app)  # type: ignore[method-assign]  # as FastAPI documents it
    app.add_middleware(GZipMiddleware, minimum_size=_COMPRESSED_FROM_BYTES, compresslevel=5)
    app.add_middleware(Authentication)
    app.add_middleware(Observer, metrics=metrics)
    if tracing is not None:
        app.add_middleware(Tracing, provider=tracing)
    app.add_middleware(BasePath, base_path=settings.base_path)
    return app


def _name_operation(route: APIRoute) -> str:
    return route.name


def _add_pages(app: FastAPI, page: Page) -> None:
    """Add the API's documentation, and the page at every other path."""

    @app.get("/api/docs", include_in_schema=False)
    async def show_api_page() -> Response:
        return render_api_page(app.openapi())

    async def show_page(request: Request) -> Response:
        # Requests with a method that an API route does not support end up here, too.
        allowed = find_methods(app.openapi(), request.url.path) or _METHODS_OF_FILES
        if request.method not in allowed or allowed is not _METHODS_OF_FILES:
            raise MethodNotAllowedError(allowed)
        return page.answer(request)

    app.router.add_route("/{address:path}", show_page, methods=_METHODS, include_in_schema=False)
