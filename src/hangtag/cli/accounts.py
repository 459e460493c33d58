"""The commands `hangtag users` and `hangtag tokens`: who may use a service, and with what."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hangtag.domain.durable import writing_privately
from hangtag.domain.roles import Action, Role

if TYPE_CHECKING:
    from hangtag.server.access.administration import AccountAdmin

users = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)

DataFolder = Annotated[
    Path | None,
    typer.Option("--data-folder", help="The data folder of the service.  [default: HANGTAG_DATA_FOLDER]"),
]
Name = Annotated[str, typer.Argument(help="The person's name; case does not matter.", metavar="NAME")]
RoleOption = Annotated[Role, typer.Option("--role", help="What the person may do.")]


def open_admin(data_folder: Path | None) -> "AccountAdmin":
    """Open the accounts of a service, which may be running."""
    from hangtag.domain.extras import require_extra

    require_extra("serve", "accounts", "alembic", "argon2", "pydantic_settings", "sqlalchemy")
    from hangtag.server.access.administration import AccountAdmin
    from hangtag.server.run import build_settings

    with writing_privately():
        return AccountAdmin(build_settings({} if data_folder is None else {"data_folder": data_folder}))


@users.callback()
def describe_users() -> None:
    """Manage the people who may use the service."""


@users.command("add")
def add_user(
    name: Name,
    *,
    role: RoleOption = Role.VIEWER,
    source: Annotated[
        Literal["password", "proxy", "oidc"],
        typer.Option("--signs-in-by", help="A password here, a trusted proxy, or the OpenID provider."),
    ] = "password",
    data_folder: DataFolder = None,
) -> None:
    """Add a person, and print the one-time link with which they choose a password, if they need one."""
    admin = open_admin(data_folder)
    account = admin.add_person(name, role, source)
    if source != "password":
        typer.echo(f"{account.name} is {account.role}, and signs in by {source}.")
        return
    typer.echo(f"{account.name} is {account.role}. The link works once, for {admin.link_hours} hours:")
    typer.echo(admin.make_link(account))


@users.command("list")
def list_users(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data_folder: DataFolder = None,
) -> None:
    """List the people, their roles, and when they were last seen."""
    people = [
        {
            "name": account.name,
            "role": str(account.role),
            "signs in by": account.source,
            "state": _describe_state(account),
            "last seen": None
            if account.last_seen is None
            else account.last_seen.isoformat(timespec="minutes"),
        }
        for account in open_admin(data_folder).accounts.list_people()
    ]
    print_rows(
        people,
        as_json=as_json,
        nothing="Nobody has an account. `hangtag users add NAME --role administrator` adds one.",
    )


@users.command("role")
def change_role(
    name: Name,
    role: Annotated[Role, typer.Argument(help="The new role.", metavar="ROLE")],
    *,
    data_folder: DataFolder = None,
) -> None:
    """Give a person another role: viewer, reviewer or administrator."""
    account = open_admin(data_folder).change_role(name, role)
    typer.echo(f"{account.name} is {account.role}.")


@users.command("link")
def make_link(name: Name, *, data_folder: DataFolder = None) -> None:
    """Print a new one-time link for a person who has forgotten their password."""
    admin = open_admin(data_folder)
    typer.echo(admin.make_link(admin.find_person(name)))


@users.command("remove")
def remove_user(name: Name, *, data_folder: DataFolder = None) -> None:
    """Remove a person with their sessions and tokens. Their decisions stay, under their name."""
    account = open_admin(data_folder).remove_person(name)
    typer.echo(f"{account.name} is removed.")


def _describe_state(account: Any) -> str:  # noqa: ANN401 - an Account, whose module needs the extra `serve`
    """Return what a list says of an account: disabled, invited or active."""
    if account.disabled:
        return "disabled"
    invited = account.source == "password" and account.password is None
    return "invited" if invited else "active"


def print_rows(rows: list[dict[str, Any]], *, as_json: bool, nothing: str) -> None:
    """Print rows of the same keys as a table, or as JSON."""
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    if not rows:
        typer.echo(nothing)
        return
    from rich.table import Table

    from hangtag.cli.card_text import printable
    from hangtag.cli.console import open_console

    table = Table(*rows[0], box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*(printable("–" if value is None else str(value)) for value in row.values()))
    open_console().print(table)


tokens = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


@tokens.callback()
def describe_tokens() -> None:
    """Manage API tokens of the service."""


@tokens.command("add")
def add_token(
    owner: Annotated[str, typer.Argument(help="The person whose token it is.", metavar="OWNER")],
    name: Annotated[str, typer.Argument(help="What the token is for.", metavar="NAME")],
    *,
    scope: Annotated[list[Action] | None, typer.Option(help="What it may do; repeatable.")] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires.  [default: never]")] = None,
    data_folder: DataFolder = None,
) -> None:
    """Add a token and print its secret, which is not stored and cannot be shown again.

    A token can never do more than its owner.
    """
    admin = open_admin(data_folder)
    typer.echo(admin.add_token(owner, name, scope or [Action.READ, Action.LABEL], days))


@tokens.command("list")
def list_tokens(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data_folder: DataFolder = None,
) -> None:
    """List the tokens: whose they are, what they may do, and when they were last used."""
    rows = [
        {
            "id": token.number,
            "name": token.name,
            "owner": token.owner.name,
            "begins with": token.hint,
            "scopes": " ".join(sorted(token.scopes)),
            "expires": None if token.expires is None else token.expires.date().isoformat(),
            "last used": None if token.last_used is None else token.last_used.isoformat(timespec="minutes"),
        }
        for token in open_admin(data_folder).accounts.list_tokens()
    ]
    print_rows(rows, as_json=as_json, nothing="There are no tokens.")


@tokens.command("revoke")
def revoke_token(
    token: Annotated[int, typer.Argument(help="The id of the token.", metavar="TOKEN")],
    *,
    data_folder: DataFolder = None,
) -> None:
    """Revoke a token. It stops working within seconds."""
    found = open_admin(data_folder).revoke_token(token)
    typer.echo(f"The token {found.name} of {found.owner.name} is revoked.")
