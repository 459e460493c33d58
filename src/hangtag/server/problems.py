"""Errors as problem details (RFC 9457): the status and code of every error, in one place."""

import logging
import math
from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any, ClassVar, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from hangtag.domain.errors import (
    AccountError,
    BundleError,
    CatalogueError,
    ConflictError,
    HangtagError,
    InvalidFieldsError,
    NotStoredError,
    PhotoError,
    StoreError,
    TableError,
    UsageError,
)
from hangtag.domain.text import describe_invalid
from hangtag.server.schemas import InvalidValue, Problem
from hangtag.store.faults import DiskFullError, FaultError
from hangtag.store.keeping import QuotaError
from hangtag.store.shop_models import WorseError

MEDIA_TYPE: Final = "application/problem+json"
_log = logging.getLogger(__name__)


class RequestError(HangtagError):
    """A request that cannot be fulfilled. `code` is stable, so that clients can rely on it."""

    status: ClassVar[HTTPStatus] = HTTPStatus.BAD_REQUEST
    retry_after_s: ClassVar[int | None] = None

    @property
    def headers(self) -> dict[str, str]:
        """Extra headers of the response."""
        return {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}


class NotFoundError(RequestError):
    """The resource does not exist."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class MethodNotAllowedError(RequestError):
    """The path supports other methods, those in `allowed`."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    code = "method_not_allowed"

    def __init__(self, allowed: Collection[str]) -> None:
        self.allowed = sorted(allowed)
        super().__init__(f"this path supports {', '.join(self.allowed)} only")

    @property
    def headers(self) -> dict[str, str]:
        """The Allow header."""
        return {"Allow": ", ".join(self.allowed)}


class ModelNotFoundError(NotFoundError):
    """The model does not exist."""

    code = "model_not_found"


class TooLargeError(RequestError):
    """The request is larger than the settings allow."""

    status = HTTPStatus.CONTENT_TOO_LARGE if hasattr(HTTPStatus, "CONTENT_TOO_LARGE") else HTTPStatus(413)
    code = "too_large"


class TooManyFilesError(RequestError):
    """The request has more files than the settings allow."""

    status = TooLargeError.status
    code = "too_many_files"


class UnsupportedMediaError(RequestError):
    """The body has a media type that this path does not accept."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_media"


class UploadStalledError(RequestError):
    """The client stopped sending the body."""

    status = HTTPStatus.REQUEST_TIMEOUT
    code = "upload_stalled"


class ClientLeftError(RequestError):
    """The client closed the connection before the response."""

    status = HTTPStatus.REQUEST_TIMEOUT
    code = "client_left"


class QueueFullError(RequestError):
    """Too much work is waiting to accept this request."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "queue_full"
    retry_after_s = 1


class ShuttingDownError(RequestError):
    """The service is stopping."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "shutting_down"
    retry_after_s = 5


class NotSignedInError(RequestError):
    """The request does not say who sends it."""

    status = HTTPStatus.UNAUTHORIZED
    code = "not_signed_in"

    @property
    def headers(self) -> dict[str, str]:
        """The WWW-Authenticate header. Not `Basic`, for which a browser would open its own dialog."""
        return {"WWW-Authenticate": 'Bearer realm="hangtag"'}


class BadCredentialsError(RequestError):
    """The name or the password is wrong. The message does not say which."""

    status = HTTPStatus.FORBIDDEN
    code = "bad_credentials"


class SignOnError(RequestError):
    """Signing in at the OpenID provider failed."""

    status = HTTPStatus.BAD_GATEWAY
    code = "sign_on_failed"


class ForbiddenError(RequestError):
    """The sender of the request may not do this."""

    status = HTTPStatus.FORBIDDEN
    code = "forbidden"


class NoAccountsError(RequestError):
    """The service has no accounts, which the operation needs."""

    status = HTTPStatus.CONFLICT
    code = "no_accounts"


class TooManyRequestsError(RequestError):
    """Too many requests, or too many failed attempts to sign in. The client may try again in `wait_s` seconds."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "too_many_requests"

    def __init__(self, problem: str, wait_s: float) -> None:
        self.wait_s = max(1, math.ceil(wait_s))
        super().__init__(problem, fix=f"Try again in {self.wait_s} s.")

    @property
    def headers(self) -> dict[str, str]:
        """When to try again."""
        return {"Retry-After": str(self.wait_s)}


class CrossSiteError(RequestError):
    """The request was sent by another site's page."""

    status = HTTPStatus.FORBIDDEN
    code = "cross_site"


class WrongHostError(RequestError):
    """The Host header is not one of this service's."""

    status = HTTPStatus.MISDIRECTED_REQUEST
    code = "wrong_host"


class InvalidRequestError(RequestError):
    """Values of the request are invalid. `errors` lists them."""

    status = HTTPStatus(422)  # its name depends on the Python version
    code = "validation"

    def __init__(self, *errors: InvalidValue) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))


_STATUS_OF_DOMAIN: Final[Mapping[type[HangtagError], HTTPStatus]] = {
    AccountError: HTTPStatus.CONFLICT,
    UsageError: HTTPStatus.BAD_REQUEST,
    PhotoError: HTTPStatus(422),
    CatalogueError: HTTPStatus.SERVICE_UNAVAILABLE,
    TableError: HTTPStatus.SERVICE_UNAVAILABLE,
    BundleError: HTTPStatus.SERVICE_UNAVAILABLE,
    NotStoredError: HTTPStatus.NOT_FOUND,
    ConflictError: HTTPStatus.CONFLICT,
    InvalidFieldsError: HTTPStatus(422),
    StoreError: HTTPStatus.SERVICE_UNAVAILABLE,
    DiskFullError: HTTPStatus.INSUFFICIENT_STORAGE,
    QuotaError: HTTPStatus.INSUFFICIENT_STORAGE,
}
_CODES: Final[Mapping[int, str]] = {
    400: "bad_request",
    404: NotFoundError.code,
    405: MethodNotAllowedError.code,
    413: TooLargeError.code,
    415: UnsupportedMediaError.code,
    422: InvalidRequestError.code,
}


_MESSAGES: Final = {
    "extra_forbidden": "there is no such field",
    "missing": "this field is required",
    "too_short": "send at least one",
}


def describe_error(error: HangtagError) -> Problem:
    """Return an error as a problem. File paths are left out: a client cannot use them."""
    if isinstance(error, RequestError):
        status = error.status
    else:
        kinds = (kind for kind in type(error).__mro__ if kind in _STATUS_OF_DOMAIN)
        status = _STATUS_OF_DOMAIN.get(next(kinds, HangtagError), HTTPStatus.INTERNAL_SERVER_ERROR)
    errors = error.errors if isinstance(error, InvalidRequestError) else []
    if isinstance(error, InvalidFieldsError | WorseError):
        errors = [
            InvalidValue(field=field.field, message=field.message, choices=list(field.choices) or None)
            for field in error.fields
        ]
    return Problem(
        title=status.phrase,
        status=status,
        detail=error.problem,
        code=error.code,
        fix=error.fix,
        errors=errors,
    )


def invalid_value(error: Mapping[str, Any]) -> InvalidValue:
    """Return one of pydantic's errors as an invalid value of a request."""
    field = ".".join(str(part) for part in error["loc"])
    return InvalidValue(field=field, message=_MESSAGES.get(error["type"]) or describe_invalid(error))


def describe_headers(error: HangtagError) -> dict[str, str]:
    """Return the extra headers of the response to an error."""
    if isinstance(error, FaultError) and error.retry_after_s is not None:
        return {"Retry-After": str(error.retry_after_s)}
    return error.headers if isinstance(error, RequestError) else {}


def describe_bug() -> Problem:
    """Return the problem for an unexpected exception. It reveals no internal details."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return Problem(
        title=status.phrase,
        status=status,
        detail="something went wrong in the service; its log has the details, with this response's X-Request-ID",
        code="internal",
    )


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem as a response."""
    body = problem.model_dump_json(exclude_none=True)
    return Response(body, problem.status, headers, media_type=MEDIA_TYPE)


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses for the statuses of problems."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def add_problem_handlers(app: FastAPI) -> None:
    """Turn the errors of an app into problems: those of the domain, of requests and of routing."""
    app.add_exception_handler(HangtagError, _on_hangtag_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)


async def _on_hangtag_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HangtagError)  # noqa: S101 - for the type checker
    if not isinstance(error, RequestError | NotStoredError | ConflictError | InvalidFieldsError | QuotaError):
        _log.warning("%s", error)
    return problem_response(describe_error(error), describe_headers(error))


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    values = [invalid_value(value | {"loc": value["loc"][1:]}) for value in error.errors()]
    return await _on_hangtag_error(request, InvalidRequestError(*values))


async def _on_http_exception(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    status = error.status_code
    code = _CODES.get(status, "http_error")
    phrase = HTTPStatus(status).phrase
    detail = "nothing exists at this path" if status == HTTPStatus.NOT_FOUND else phrase
    return problem_response(Problem(title=phrase, status=status, detail=detail, code=code), error.headers)
