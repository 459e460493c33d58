"""The command `hangtag tokens`: API tokens for programs that use the service."""

from typing import Annotated

import typer

from hangtag.cli.users import DataFolder, open_admin, print_rows
from hangtag.domain.roles import Action

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
