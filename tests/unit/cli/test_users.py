"""People and tokens from the command line."""

import json
import re

import pytest

from hangtag.domain.roles import Action
from hangtag.store.accounts import Accounts
from hangtag.store.audit import AuditLog
from hangtag.store.database import open_database, sqlite_url


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HANGTAG_DATA_FOLDER", str(tmp_path / "data"))
    monkeypatch.delenv("HANGTAG_DATABASE_URL", raising=False)
    return tmp_path / "data"


def test_people_come_change_and_go(call, folder):
    assert "Nobody has an account" in call("users", "list")[1]
    status, out, _ = call("users", "add", "Ada", "--role", "administrator")
    link = out.splitlines()[-1]
    assert status == 0
    assert re.fullmatch(r"http://127\.0\.0\.1:8080/welcome#[\w-]{43}", link)
    assert call("users", "add", "Rui")[0] == 0
    assert call("users", "role", "rui", "reviewer")[1] == "Rui is reviewer.\n"
    listed = json.loads(call("users", "list", "--json")[1])
    assert [(row["name"], row["role"], row["state"]) for row in listed] == [
        ("Ada", "administrator", "invited"),
        ("Rui", "reviewer", "invited"),
    ]
    assert call("users", "link", "Rui")[1].startswith("http://127.0.0.1:8080/welcome#")
    assert call("users", "remove", "Rui")[1] == "Rui is removed.\n"
    engine = open_database(sqlite_url(folder / "hangtag.db"))
    valid, invited = Accounts(engine).find_invited(link.partition("#")[2])
    assert (valid, invited.name) == (True, "Ada")
    entries, _ = AuditLog(engine).entries()
    assert [entry.event.what for entry in entries][::-1] == [
        "add_person",
        "invite_person",
        "add_person",
        "invite_person",
        "change_person",
        "invite_person",
        "remove_person",
    ]


@pytest.mark.usefixtures("folder")
def test_what_cannot_be_is_said_in_a_sentence(call):
    call("users", "add", "Ada", "--role", "administrator")
    for arguments, problem in (
        (("users", "add", "ada"), "already someone named 'ada'"),
        (("users", "role", "Adda", "viewer"), "Did you mean Ada?"),
        (("users", "role", "Ada", "viewer"), "only administrator"),
        (("users", "remove", "Ada"), "only administrator"),
        (("tokens", "revoke", "7"), "no token 7"),
    ):
        status, _, err = call(*arguments)
        assert status == 2, arguments
        assert problem in err


@pytest.mark.usefixtures("folder")
def test_tokens_are_shown_once(call):
    call("users", "add", "Rui", "--role", "reviewer")
    assert "no tokens" in call("tokens", "list")[1]
    status, secret, _ = call("tokens", "add", "Rui", "nightly", "--scope", "label", "--days", "30")
    assert (status, secret[:8]) == (0, "hangtag_")
    status, out, _ = call("tokens", "list")
    assert "nightly" in out
    assert secret.strip() not in out
    (row,) = json.loads(call("tokens", "list", "--json")[1])
    assert (row["owner"], row["scopes"], row["last used"]) == ("Rui", "label", None)
    assert call("tokens", "revoke", str(row["id"]))[0] == 0
    assert json.loads(call("tokens", "list", "--json")[1]) == []
    status, _, err = call("tokens", "add", "Rui", "too much", "--scope", "administer")
    assert status == 2
    assert "read, label, review" in err


def test_the_address_of_a_link_is_that_of_the_proxy(call, folder, monkeypatch):
    monkeypatch.setenv("HANGTAG_ALLOWED_HOSTS", "shop.example, other.example")
    monkeypatch.setenv("HANGTAG_BASE_PATH", "/tags")
    out = call("users", "add", "Ada", "--role", "administrator", "--data-folder", str(folder))[1]
    assert "https://shop.example/tags/welcome#" in out
    assert {Action.ACCOUNT, Action.ADMINISTER} <= Accounts(
        open_database(sqlite_url(folder / "hangtag.db"))
    ).find("ADA").actions
