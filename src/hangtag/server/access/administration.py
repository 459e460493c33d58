"""Accounts and tokens, managed from the command line: the commands `users` and `tokens`."""

from collections.abc import Collection
from datetime import timedelta
from typing import Final

from hangtag.domain.errors import AccountError
from hangtag.domain.roles import Action, Role
from hangtag.domain.text import did_you_mean
from hangtag.server.access.control import INVITATION_LASTS
from hangtag.server.settings import Settings
from hangtag.store.accounts import Account, Accounts, Source, Token
from hangtag.store.audit import AuditEvent, AuditLog
from hangtag.store.database import find_url, open_database

WELCOME: Final = "/welcome#"
"""The page's view for one-time links. Browsers do not send what follows `#`, so the secret is in no log."""


class AccountAdmin:
    """The accounts of a service, whether it is running or not. Every change is recorded in the audit log.

    Access to the database is enough; no account is needed. A running service notices changes within seconds.
    """

    def __init__(self, settings: Settings) -> None:
        settings.data_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        engine = open_database(find_url(settings.database_url, settings.data_folder))
        self.accounts = Accounts(engine)
        self.link_hours = int(INVITATION_LASTS.total_seconds() // 3600)
        self._audit = AuditLog(engine)
        hosts = [name.strip() for name in settings.allowed_hosts.split(",") if name.strip(" *")]
        self._address = f"https://{hosts[0]}" if hosts else f"http://{settings.host}:{settings.port}"
        self._address += settings.base_path

    def add_person(self, name: str, role: Role, source: Source = "password") -> Account:
        """Add a person. Raises `AccountError` for a name that is taken or invalid."""
        account = self.accounts.add(name, role, source)
        self._record("add_person", f"{account.name}: {account.role}")
        return account

    def find_person(self, name: str) -> Account:
        """Return a person. Raises `AccountError` if there is none with this name."""
        account = self.accounts.find(name)
        if account is None:
            names = [known.name for known in self.accounts.list_people()]
            fix = f"{did_you_mean(name, names)}`hangtag users list` lists everyone."
            raise AccountError(f"there is nobody named {name!r}", fix=fix)
        return account

    def make_link(self, account: Account) -> str:
        """Return a new one-time link for a person. Raises `AccountError` for one who signs in elsewhere."""
        secret = self.accounts.invite(account.number, INVITATION_LASTS)
        self._record("invite_person", account.name)
        return f"{self._address}{WELCOME}{secret}"

    def change_role(self, name: str, role: Role) -> Account:
        """Give a person another role. Raises `AccountError` if nobody could administer the service afterwards."""
        account = self.accounts.change(self.find_person(name).number, role=role)
        self._record("change_person", f"{account.name}: {account.role}")
        return account

    def remove_person(self, name: str) -> Account:
        """Remove a person. Raises as `change_role`."""
        account = self.find_person(name)
        self.accounts.remove(account.number)
        self._record("remove_person", account.name)
        return account

    def add_token(self, owner: str, name: str, scopes: Collection[Action], days: int | None) -> str:
        """Return the secret of a new token. Raises `AccountError` for scopes that its owner does not have."""
        lasts = None if days is None else timedelta(days=days)
        token, secret = self.accounts.add_token(self.find_person(owner), name, scopes, lasts)
        self._record("add_token", f"{token.name} of {token.owner.name}")
        return secret

    def revoke_token(self, number: int) -> Token:
        """Revoke a token and return its description. Raises `AccountError` if there is none with that number."""
        found = next((token for token in self.accounts.list_tokens() if token.number == number), None)
        if found is None:
            raise AccountError(f"there is no token {number}", fix="`hangtag tokens list` lists them.")
        self.accounts.revoke_token(number)
        self._record("revoke_token", f"{found.name} of {found.owner.name}")
        return found

    def _record(self, what: str, target: str) -> None:
        self._audit.record(AuditEvent(what=what, via="command", target=target))
