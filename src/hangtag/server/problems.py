"""Errors as problem details (RFC 9457): what each error of the domain and of a request is to a client, in one place."""

import logging
from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any, ClassVar, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from hangtag.domain.errors import (
    BundleError,
    CatalogueError,
    HangtagError,
    PhotoError,
    UsageError,
)
from hangtag.domain.text import describe_invalid
from hangtag.server.schemas import InvalidValue, Problem

MEDIA_TYPE: Final = "application/problem+json"
_log = logging.getLogger(__name__)


class RequestError(HangtagError):
    """A request that is not answered as it was meant. `code` is stable; clients may decide by it."""

    status: ClassVar[HTTPStatus] = HTTPStatus.BAD_REQUEST
    retry_after_s: ClassVar[int | None] = None

    @property
    def headers(self) -> dict[str, str]:
        """What the answer says in its headers."""
        return {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}


class NotFoundError(RequestError):
    """There is no such thing."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class MethodNotAllowedError(RequestError):
    """The address knows other methods, those that are `allowed`."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    code = "method_not_allowed"

    def __init__(self, allowed: Collection[str]) -> None:
        self.allowed = sorted(allowed)
        super().__init__(f"this address knows {', '.join(self.allowed)}")

    @property
    def headers(self) -> dict[str, str]:
        """The methods."""
        return {"Allow": ", ".join(self.allowed)}


class ModelNotFoundError(NotFoundError):
    """There is no such model."""

    code = "model_not_found"


class JobNotFoundError(NotFoundError):
    """There is no such job."""

    code = "job_not_found"


class JobFinishedError(RequestError):
    """The job has ended, and what was asked needs one that has not, or the other way round."""

    status = HTTPStatus.CONFLICT
    code = "job_finished"


class TooLargeError(RequestError):
    """The request has more bytes than the settings allow."""

    status = HTTPStatus.CONTENT_TOO_LARGE if hasattr(HTTPStatus, "CONTENT_TOO_LARGE") else HTTPStatus(413)
    code = "too_large"


class TooManyFilesError(RequestError):
    """The request has more files than the settings allow."""

    status = TooLargeError.status
    code = "too_many_files"


class UnsupportedMediaError(RequestError):
    """The body is of a kind that this address does not read."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_media"


class UploadStalledError(RequestError):
    """The body stopped coming."""

    status = HTTPStatus.REQUEST_TIMEOUT
    code = "upload_stalled"


class QueueFullError(RequestError):
    """So much waits to be answered that this request is not taken on."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "queue_full"
    retry_after_s = 1


class ShuttingDownError(RequestError):
    """The service is about to stop."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "shutting_down"
    retry_after_s = 5


class CrossSiteError(RequestError):
    """The request was sent by the page of another site."""

    status = HTTPStatus.FORBIDDEN
    code = "cross_site"


class WrongHostError(RequestError):
    """The request is for a host that this service is not."""

    status = HTTPStatus.MISDIRECTED_REQUEST
    code = "wrong_host"


class InvalidRequestError(RequestError):
    """A value of the request cannot be. `errors` names each."""

    status = HTTPStatus(422)  # its name differs between versions of Python
    code = "validation"

    def __init__(self, *errors: InvalidValue) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))


_STATUS_OF_DOMAIN: Final[Mapping[type[HangtagError], HTTPStatus]] = {
    UsageError: HTTPStatus.BAD_REQUEST,
    PhotoError: HTTPStatus(422),
    CatalogueError: HTTPStatus.SERVICE_UNAVAILABLE,
    BundleError: HTTPStatus.SERVICE_UNAVAILABLE,
}
_CODES: Final[Mapping[int, str]] = {
    400: "bad_request",
    404: NotFoundError.code,
    405: MethodNotAllowedError.code,
    413: TooLargeError.code,
    415: UnsupportedMediaError.code,
    422: InvalidRequestError.code,
}


def describe_error(error: HangtagError) -> Problem:
    """Return what a client is told of an error; the file that it happened in stays here."""
    if isinstance(error, RequestError):
        status = error.status
    else:
        kinds = (kind for kind in type(error).__mro__ if kind in _STATUS_OF_DOMAIN)
        status = _STATUS_OF_DOMAIN.get(next(kinds, HangtagError), HTTPStatus.INTERNAL_SERVER_ERROR)
    errors = error.errors if isinstance(error, InvalidRequestError) else []
    return Problem(
        title=status.phrase,
        status=status,
        detail=error.problem,
        code=error.code,
        fix=error.fix,
        errors=errors,
    )


def describe_bug() -> Problem:
    """Return what a client is told of an error that nobody expected: nothing of what is inside."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return Problem(
        title=status.phrase,
        status=status,
        detail="the service has a defect; its log says more, by the X-Request-ID of this answer",
        code="internal",
    )


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem as the response that says it."""
    body = problem.model_dump_json(exclude_none=True)
    return Response(body, problem.status, headers, media_type=MEDIA_TYPE)


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what a route's documentation says about the problems that it can have."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def add_problem_handlers(app: FastAPI) -> None:
    """Let the errors of an app become problems: those of the domain, of requests and of routing."""
    app.add_exception_handler(HangtagError, _on_hangtag_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)


async def _on_hangtag_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HangtagError)  # noqa: S101 - for the type checker
    if isinstance(error, RequestError):
        return problem_response(describe_error(error), error.headers)
    _log.warning("%s", error)
    return problem_response(describe_error(error))


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    values = [
        InvalidValue(
            field=".".join(str(part) for part in problem["loc"][1:]), message=describe_invalid(problem)
        )
        for problem in error.errors()
    ]
    return await _on_hangtag_error(request, InvalidRequestError(*values))


async def _on_http_exception(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    status = error.status_code
    code = _CODES.get(status, "http_error")
    phrase = HTTPStatus(status).phrase
    detail = f"there is nothing at this address ({phrase})" if status == HTTPStatus.NOT_FOUND else phrase
    return problem_response(Problem(title=phrase, status=status, detail=detail, code=code), error.headers)
