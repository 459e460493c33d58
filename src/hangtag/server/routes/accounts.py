"""The routes of people: signing in, one-time links, people, tokens and the audit log."""

import asyncio
from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from hangtag.domain.roles import Role
from hangtag.server.access.administration import WELCOME
from hangtag.server.access.authentication import get_principal
from hangtag.server.access.control import (
    COOKIE,
    INVITATION_LASTS,
    NOBODY,
    AccessControl,
    Principal,
    derive_csrf,
)
from hangtag.server.access.schemas import (
    Acceptance,
    AuditItem,
    AuditPage,
    InvitationSecret,
    InvitationView,
    Link,
    NewPerson,
    NewToken,
    PasswordChange,
    People,
    Person,
    PersonChange,
    SessionView,
    SignIn,
    Tokens,
    TokenSecret,
    TokenView,
)
from hangtag.server.middleware import BASE_PATH_SCOPE, find_address
from hangtag.server.problems import BadCredentialsError, NoAccountsError, NotFoundError, problem_responses
from hangtag.server.service import ServiceDependency
from hangtag.server.uploads import JsonRoute
from hangtag.store.accounts import Account, Token
from hangtag.store.audit import AuditEntry, AuditEvent

router = APIRouter(tags=["accounts"], route_class=JsonRoute)

_LARGEST_NUMBER: Final = 2**31 - 1
_Number = Annotated[int, Path(ge=1, le=_LARGEST_NUMBER)]


async def _require_accounts(service: ServiceDependency) -> AccessControl:
    if not service.access.enabled:
        raise NoAccountsError(
            "this service has no accounts", fix="Set HANGTAG_ACCOUNTS=on, or listen on another address."
        )
    return service.access


Access = Annotated[AccessControl, Depends(_require_accounts)]
Who = Annotated[Principal, Depends(get_principal)]


@router.get("/session")
async def show_session(service: ServiceDependency, principal: Who) -> SessionView:
    """Return who is signed in, and what they may do."""
    access = service.access
    empty = access.enabled and principal is NOBODY and await asyncio.to_thread(access.accounts.is_empty)
    return _describe_session(access, principal, needs_setup=empty)


@router.post("/session", responses=problem_responses(403, 409, 422, 429))
async def sign_in(given: SignIn, request: Request, response: Response, access: Access) -> SessionView:
    """Sign in by name and password. The session is a cookie that scripts cannot read."""
    account, secret = await access.sign_in(
        given.name, given.password.get_secret_value(), find_address(request.scope)
    )
    return _open(access, account, secret, request, response)


@router.delete("/session", status_code=204, responses=problem_responses(401, 403, 409))
async def sign_out(request: Request, response: Response, access: Access, principal: Who) -> None:
    """Sign out: the session ends."""
    if principal.session is not None:
        await asyncio.to_thread(access.accounts.end_session, principal.session)
    access.forget_remembered()
    response.delete_cookie(COOKIE, path=_cookie_path(request))
    await _record(access, request, principal, "sign_out")


@router.put("/session/password", status_code=204, responses=problem_responses(401, 403, 409, 422))
async def change_password(change: PasswordChange, request: Request, access: Access, principal: Who) -> None:
    """Change your own password. All your other sessions end."""
    assert principal.number is not None  # noqa: S101 - whoever may do this has an account
    if not await access.check_password(principal.number, change.current.get_secret_value()):
        raise BadCredentialsError("the current password is wrong")
    hashed = await access.hash_password(change.new.get_secret_value())
    await asyncio.to_thread(access.accounts.set_password, principal.number, hashed, principal.session)
    access.forget_remembered()
    await _record(access, request, principal, "change_password")


@router.post("/invitations/look", responses=problem_responses(404, 409, 422))
async def look_at_invitation(given: InvitationSecret, access: Access) -> InvitationView:
    """Return the person that a one-time link is for."""
    valid, account = await asyncio.to_thread(access.accounts.find_invited, given.secret.get_secret_value())
    first = account is None
    if not valid or (first and not await asyncio.to_thread(access.accounts.is_empty)):
        raise _used_link()
    return InvitationView(
        first=first,
        name=None if account is None else account.name,
        role=Role.ADMINISTRATOR if account is None else account.role,
    )


@router.post("/invitations/accept", responses=problem_responses(404, 409, 422))
async def accept_invitation(
    given: Acceptance, request: Request, response: Response, access: Access
) -> SessionView:
    """Use a one-time link: choose a password and sign in."""
    hashed = await access.hash_password(given.password.get_secret_value())
    secret = given.secret.get_secret_value()
    account = await asyncio.to_thread(access.accounts.accept, secret, given.name, hashed)
    if account is None:
        raise _used_link()
    access.forget_remembered()
    session = await access.open_session(account, "password", find_address(request.scope))
    return _open(access, account, session, request, response)


@router.get("/tokens", responses=problem_responses(401, 403, 409))
def list_tokens(access: Access, principal: Who) -> Tokens:
    """List your own tokens."""
    return Tokens(items=[_describe_token(token) for token in access.accounts.list_tokens(principal.number)])


@router.post("/tokens", status_code=201, responses=problem_responses(401, 403, 409, 422))
async def add_token(given: NewToken, request: Request, access: Access, principal: Who) -> TokenSecret:
    """Add a token for a program. Its secret is shown only once."""
    owner = await asyncio.to_thread(access.accounts.find_number, principal.number or 0)
    assert owner is not None  # noqa: S101 - whoever may do this has an account
    lasts = None if given.days is None else timedelta(days=given.days)
    token, secret = await asyncio.to_thread(
        access.accounts.add_token, owner, given.name, frozenset(given.scopes), lasts
    )
    await _record(access, request, principal, "add_token", f"{token.name} ({token.hint}...)")
    return TokenSecret(token=_describe_token(token), secret=secret)


@router.delete("/tokens/{token_id}", status_code=204, responses=problem_responses(401, 403, 404, 409, 422))
async def revoke_token(token_id: _Number, request: Request, access: Access, principal: Who) -> None:
    """Revoke one of your own tokens: it is refused from now on."""
    await _revoke(access, request, principal, token_id, await _tokens(access, principal.number))


@router.get("/people", responses=problem_responses(401, 403, 409))
def list_people(access: Access) -> People:
    """List the people of the team."""
    return People(items=[_describe(account) for account in access.accounts.list_people()])


@router.post("/people", status_code=201, responses=problem_responses(401, 403, 409, 422))
async def add_person(given: NewPerson, request: Request, access: Access, principal: Who) -> Link:
    """Add a person. The response has the one-time link to choose a password, if they need one."""
    account = await asyncio.to_thread(access.accounts.add, given.name, given.role, given.source)
    await _record(access, request, principal, "add_person", f"{account.name}: {account.role}")
    if account.source != "password":
        return Link(person=_describe(account), path=None, expires_in_hours=0)
    return await _make_link(access, account)


@router.patch("/people/{person_id}", responses=problem_responses(401, 403, 404, 409, 422))
async def change_person(
    person_id: _Number, change: PersonChange, request: Request, access: Access, principal: Who
) -> Person:
    """Change a person's role, or disable or enable their account. It takes effect at once."""
    await _find_person(access, person_id)
    account = await asyncio.to_thread(
        access.accounts.change, person_id, role=change.role, disabled=change.disabled
    )
    access.forget_remembered()
    state = ", disabled" if account.disabled else ""
    await _record(access, request, principal, "change_person", f"{account.name}: {account.role}{state}")
    return _describe(account)


@router.delete("/people/{person_id}", status_code=204, responses=problem_responses(401, 403, 404, 409, 422))
async def remove_person(person_id: _Number, request: Request, access: Access, principal: Who) -> None:
    """Remove a person with their sessions and tokens. Their decisions keep their name."""
    account = await _find_person(access, person_id)
    await asyncio.to_thread(access.accounts.remove, person_id)
    access.forget_remembered()
    await _record(access, request, principal, "remove_person", account.name)


@router.post("/people/{person_id}/link", responses=problem_responses(401, 403, 404, 409, 422))
async def invite_person(person_id: _Number, request: Request, access: Access, principal: Who) -> Link:
    """Make a new one-time link for a person, for example after a forgotten password. Older links stop working."""
    account = await _find_person(access, person_id)
    link = await _make_link(access, account)
    await _record(access, request, principal, "invite_person", account.name)
    return link


@router.get("/team/tokens", responses=problem_responses(401, 403, 409))
def list_all_tokens(access: Access) -> Tokens:
    """List the tokens of everyone."""
    return Tokens(items=[_describe_token(token) for token in access.accounts.list_tokens()])


@router.delete(
    "/team/tokens/{token_id}", status_code=204, responses=problem_responses(401, 403, 404, 409, 422)
)
async def revoke_any_token(token_id: _Number, request: Request, access: Access, principal: Who) -> None:
    """Revoke anyone's token."""
    await _revoke(access, request, principal, token_id, await _tokens(access, None))


@router.get("/audit", responses=problem_responses(401, 403, 409, 422))
def show_audit(
    access: Access,
    *,
    who: Annotated[str, Query(max_length=200, description="The name of a person.")] = "",
    what: Annotated[str, Query(max_length=64, description="An operation.")] = "",
    before: Annotated[
        int | None, Query(ge=1, le=_LARGEST_NUMBER, description="The id to go back from.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> AuditPage:
    """Return the audit log, the newest entries first."""
    entries, total = access.audit.entries(who=who, what=what, before=before, limit=limit)
    return AuditPage(items=[_describe_entry(entry) for entry in entries], total=total)


def _open(
    access: AccessControl, account: Account, secret: str, request: Request, response: Response
) -> SessionView:
    """Set the cookie of a new session, and return the session."""
    set_session_cookie(access, secret, request, response)
    principal = Principal(
        account.name, "session", account.actions, account.number, account.role, secret, account.source
    )
    return _describe_session(access, principal, needs_setup=False)


def set_session_cookie(access: AccessControl, secret: str, request: Request, response: Response) -> None:
    """Set the cookie of a session: only for this path, and inaccessible to scripts and other sites."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(access.session_lasts.total_seconds()),
        path=_cookie_path(request),
        secure=request.scope["scheme"] == "https",
        httponly=True,
        samesite="strict",
    )


def _cookie_path(request: Request) -> str:
    return request.scope.get(BASE_PATH_SCOPE) or "/"


def _describe_session(access: AccessControl, principal: Principal, *, needs_setup: bool) -> SessionView:
    return SessionView(
        accounts=access.enabled,
        name=principal.name,
        role=principal.role,
        actions=sorted(principal.actions),
        via=principal.via,
        source=principal.source,
        csrf=None if principal.session is None else derive_csrf(principal.session),
        single_sign_on=access.settings.oidc_name if access.single_sign_on else None,
        needs_setup=needs_setup,
    )


async def _find_person(access: AccessControl, number: int) -> Account:
    account = await asyncio.to_thread(access.accounts.find_number, number)
    if account is None:
        raise NotFoundError("there is no such person")
    return account


async def _make_link(access: AccessControl, account: Account) -> Link:
    secret = await asyncio.to_thread(access.accounts.invite, account.number, INVITATION_LASTS)
    hours = int(INVITATION_LASTS.total_seconds() // 3600)
    return Link(person=_describe(account), path=WELCOME + secret, expires_in_hours=hours)


async def _tokens(access: AccessControl, number: int | None) -> list[Token]:
    return await asyncio.to_thread(access.accounts.list_tokens, number)


async def _revoke(
    access: AccessControl, request: Request, principal: Principal, number: int, tokens: list[Token]
) -> None:
    token = next((token for token in tokens if token.number == number), None)
    if token is None:
        raise NotFoundError("there is no such token")
    await asyncio.to_thread(access.accounts.revoke_token, number)
    access.forget_remembered()
    await _record(access, request, principal, "revoke_token", f"{token.name} of {token.owner.name}")


async def _record(
    access: AccessControl, request: Request, principal: Principal, what: str, target: str | None = None
) -> None:
    address = find_address(request.scope)
    event = AuditEvent(what=what, who=principal.name, via=principal.via, target=target, address=address)
    await access.record(event)


def _used_link() -> NotFoundError:
    return NotFoundError("this link was used or has expired", fix="Ask an administrator for a new one.")


def _describe(account: Account) -> Person:
    return Person(
        id=account.number,
        name=account.name,
        role=account.role,
        source=account.source,
        disabled=account.disabled,
        ready=account.source != "password" or account.password is not None,
        created=account.created,
        last_seen=account.last_seen,
    )


def _describe_token(token: Token) -> TokenView:
    return TokenView(
        id=token.number,
        name=token.name,
        hint=token.hint,
        owner=token.owner.name,
        scopes=sorted(token.scopes),
        created=token.created,
        expires=token.expires,
        last_used=token.last_used,
    )


def _describe_entry(entry: AuditEntry) -> AuditItem:
    event = entry.event
    return AuditItem(
        id=entry.number,
        at=entry.at,
        who=event.who,
        via=event.via,
        what=event.what,
        target=event.target,
        address=event.address,
        allowed=event.allowed,
    )
