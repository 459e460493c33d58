"""The routes of single sign-on: to the OpenID provider and back. Browsers open them, and the page shows errors."""

import logging
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse

from hangtag.server.access.oidc import ATTEMPT_LASTS_S, Attempt
from hangtag.server.middleware import BASE_PATH_SCOPE, find_address
from hangtag.server.problems import ForbiddenError, NotFoundError, SignOnError, problem_responses
from hangtag.server.routes.accounts import Access, set_session_cookie
from hangtag.server.telemetry import log_event

router = APIRouter(tags=["accounts"])
_log = logging.getLogger(__name__)

_ATTEMPT: Final = "hangtag_sign_on"
_BEGIN: Final = "/session/oidc"
_FINISH: Final = "/session/oidc/finish"
_API: Final = "/api/v1"


@router.get(
    _BEGIN, status_code=303, response_class=RedirectResponse, responses=problem_responses(404, 409, 422)
)
async def begin_single_sign_on(
    request: Request,
    access: Access,
    to: Annotated[str, Query(max_length=1000, description="The path of the page to come back to.")] = "/",
) -> RedirectResponse:
    """Send the browser to the OpenID provider, where people sign in."""
    if access.single_sign_on is None:
        raise NotFoundError("this service has no OpenID provider", fix="Set HANGTAG_OIDC_ISSUER.")
    try:
        address, attempt = await access.single_sign_on.begin(_address_of(request, _FINISH), _own_path(to))
    except SignOnError as error:
        return _back(request, "/", error)
    response = RedirectResponse(address, 303)
    _keep(request, response, attempt)
    return response


@router.get(_FINISH, status_code=303, response_class=RedirectResponse, responses=problem_responses(404, 409))
async def finish_single_sign_on(request: Request, access: Access) -> RedirectResponse:
    """Handle the OpenID provider's response, and open a session for the person that it identifies."""
    if access.single_sign_on is None:
        raise NotFoundError("this service has no OpenID provider", fix="Set HANGTAG_OIDC_ISSUER.")
    attempt = Attempt.unpack(request.cookies.get(_ATTEMPT, ""))
    answer = dict(request.query_params)
    try:
        visitor = await access.single_sign_on.finish(attempt, answer, _address_of(request, _FINISH))
        account, secret = await access.sign_in_visitor(visitor, find_address(request.scope))
    except (SignOnError, ForbiddenError) as error:
        response = _back(request, "/", error)
    else:
        log_event(_log, logging.INFO, "single sign-on", user=account.name)
        response = RedirectResponse(_base(request) + _own_path(attempt.to if attempt else "/"), 303)
        set_session_cookie(access, secret, request, response)
    response.delete_cookie(_ATTEMPT, path=_base(request) + _API + _BEGIN)
    return response


def _keep(request: Request, response: RedirectResponse, attempt: Attempt) -> None:
    """Store the attempt in a cookie. It is Lax, unlike a session's: the browser returns from another site."""
    response.set_cookie(
        _ATTEMPT,
        attempt.pack(),
        max_age=ATTEMPT_LASTS_S,
        path=_base(request) + _API + _BEGIN,
        secure=request.scope["scheme"] == "https",
        httponly=True,
        samesite="lax",
    )


def _back(request: Request, to: str, error: SignOnError | ForbiddenError) -> RedirectResponse:
    """Redirect to the page, which says what went wrong. The log has details."""
    log_event(_log, logging.WARNING, f"single sign-on failed: {error}", address=find_address(request.scope))
    return RedirectResponse(f"{_base(request)}{to}?{urlencode({'sign_on': error.code})}", 303)


def _own_path(to: str) -> str:
    """Return a path of the page; `/` for any address elsewhere."""
    is_own = to.startswith("/") and not to.startswith("//") and "\\" not in to and to.isprintable()
    return to if is_own else "/"


def _base(request: Request) -> str:
    return str(request.scope.get(BASE_PATH_SCOPE) or "")


def _address_of(request: Request, path: str) -> str:
    """Return the address of a route as the browser sees it. Host and scheme have been checked."""
    return f"{request.scope['scheme']}://{request.headers['host']}{_base(request)}{_API}{path}"
