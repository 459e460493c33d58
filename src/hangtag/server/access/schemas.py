"""The values of the API about people, tokens and the audit log."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from hangtag.domain.roles import Action, Role
from hangtag.server.schemas import Schema

SHORTEST_PASSWORD = 10
_LONGEST = 200


def _check_secret(value: SecretStr) -> SecretStr:
    if not SHORTEST_PASSWORD <= len(value.get_secret_value()) <= _LONGEST:
        raise ValueError(f"a password has {SHORTEST_PASSWORD} to {_LONGEST} characters")
    return value


SourceName = Literal["password", "proxy", "oidc"]
Name = Annotated[str, Field(min_length=1, max_length=100)]
NewPassword = Annotated[SecretStr, AfterValidator(_check_secret)]
GivenSecret = Annotated[SecretStr, Field(max_length=_LONGEST)]


class SessionView(Schema):
    """Who is signed in. Send `csrf` as the header `X-CSRF-Token` with every change.

    Without `accounts` everyone may do everything. `source` is how the person signs in. `single_sign_on` is the display
    name of the OpenID provider, if there is one. `needs_setup`: nobody has an account yet, and the service's log has
    the link to create the first one.
    """

    accounts: bool
    name: str | None
    role: Role | None
    actions: list[Action]
    via: str
    source: SourceName | None
    csrf: str | None
    single_sign_on: str | None
    needs_setup: bool


class SignIn(Schema):
    """A name and a password."""

    name: Name
    password: GivenSecret


class PasswordChange(Schema):
    """The current password and the new one."""

    current: GivenSecret
    new: NewPassword


class InvitationSecret(Schema):
    """The secret of a one-time link: what follows `#` in it."""

    secret: GivenSecret


class InvitationView(Schema):
    """The person that a one-time link is for. At the first start, it is for the first administrator."""

    first: bool
    name: str | None
    role: Role


class Acceptance(Schema):
    """A password for the person of a one-time link. `name` is needed only at the first start."""

    secret: GivenSecret
    password: NewPassword
    name: Annotated[str, Field(max_length=100)] = ""


class Person(Schema):
    """A person of the team. Someone who is not `ready` has not chosen a password yet."""

    id: int
    name: str
    role: Role
    source: SourceName
    disabled: bool
    ready: bool
    created: datetime
    last_seen: datetime | None


class People(Schema):
    """The people of the team, by name."""

    items: list[Person]


class NewPerson(Schema):
    """A person to add, and how they sign in: with a password, through a proxy, or at the OpenID provider."""

    name: Name
    role: Role
    source: SourceName = "password"


class PersonChange(Schema):
    """What to change about a person."""

    role: Role | None = None
    disabled: bool | None = None


class Link(Schema):
    """A one-time link, shown only once. Append `path` to the address of the page.

    People who sign in elsewhere have none.
    """

    person: Person
    path: str | None
    expires_in_hours: int


class TokenView(Schema):
    """A token: what it may do, how its secret begins, and when it was last used."""

    id: int
    name: str
    hint: str
    owner: str
    scopes: list[Action]
    created: datetime
    expires: datetime | None
    last_used: datetime | None


class Tokens(Schema):
    """Tokens, the newest first."""

    items: list[TokenView]


class NewToken(Schema):
    """A token to add: its scopes, which its owner must have, and the days until it expires (null: never)."""

    name: Name
    scopes: Annotated[list[Action], Field(min_length=1, max_length=len(Action))]
    days: Annotated[int, Field(ge=1, le=3650)] | None = None


class TokenSecret(Schema):
    """A new token with its secret, which is shown only once."""

    token: TokenView
    secret: str


class AuditItem(Schema):
    """Who did what, to what, from where, and whether it was allowed."""

    id: int
    at: datetime
    who: str | None
    via: str
    what: str
    target: str | None
    address: str
    allowed: bool


class AuditPage(Schema):
    """Entries of the audit log, the newest first; `total` counts all that match."""

    items: list[AuditItem]
    total: int
