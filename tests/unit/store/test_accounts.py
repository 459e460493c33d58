"""People, links, sessions, tokens and the audit log, on SQLite and on PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from hangtag.domain.errors import AccountError
from hangtag.domain.roles import Action, Role
from hangtag.store.accounts import Accounts, hash_subject
from hangtag.store.audit import AuditEvent, AuditLog
from hangtag.store.backup import read_backup, write_backup
from hangtag.store.database import open_database, sqlite_url
from hangtag.store.folder import PhotoFolder
from postgres import get_server

HOUR = timedelta(hours=1)


class Clock:
    def __init__(self):
        self.now = datetime(2026, 5, 1, 9, tzinfo=UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def engine(url, tmp_path):
    engine = open_database(url or sqlite_url(tmp_path / "hangtag.db"))
    yield engine
    engine.dispose()


@pytest.fixture
def accounts(engine, clock):
    return Accounts(engine, clock)


def test_people_of_a_team(accounts):
    ada = accounts.add("Ada", Role.ADMINISTRATOR)
    rui = accounts.add("Ruí", Role.REVIEWER)
    with pytest.raises(AccountError, match="already"):
        accounts.add(" ADA ", Role.VIEWER)
    assert [person.name for person in accounts.list_people()] == ["Ada", "Ruí"]
    assert accounts.find("rUÍ") == rui
    with pytest.raises(AccountError, match="only administrator"):
        accounts.change(ada.number, role=Role.VIEWER)
    assert accounts.find_number(ada.number).role is Role.ADMINISTRATOR, "nothing was changed"
    assert accounts.change(rui.number, role=Role.ADMINISTRATOR).role is Role.ADMINISTRATOR
    accounts.remove(ada.number)
    assert accounts.find("Ada") is None


def test_links_work_once_and_not_for_ever(accounts, clock):
    first = accounts.invite(None, HOUR)
    assert accounts.find_invited(first) == (True, None)
    ada = accounts.accept(first, "Ada", "hash")
    assert (ada.role, ada.password) == (Role.ADMINISTRATOR, "hash")
    assert accounts.accept(first, "Eve", "hash") is None
    rui = accounts.add("Rui", Role.VIEWER)
    older, newer = (accounts.invite(rui.number, HOUR) for _ in range(2))
    assert accounts.find_invited(older) == (False, None)
    clock.now += HOUR + timedelta(seconds=1)
    assert accounts.accept(newer, "", "hash") is None


def test_the_first_link_makes_one_administrator_however_many_open_it(accounts):
    secret = accounts.invite(None, HOUR)
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda name: accounts.accept(secret, name, "hash"), "ABCD"))
    assert sum(account is not None for account in made) == 1
    assert len(accounts.list_people()) == 1


def test_sessions_go_on_while_they_are_used(accounts, clock):
    ada = accounts.add("Ada", Role.ADMINISTRATOR)
    secret, other = (accounts.start_session(ada.number, "10.0.0.1", HOUR) for _ in range(2))
    for _ in range(3):
        clock.now += timedelta(minutes=50)
        assert accounts.find_session(secret, HOUR).name == "Ada"
    assert accounts.find_session(other, HOUR) is None
    assert accounts.find_session(secret, HOUR, HOUR).name == "Ada", (
        "the limit is for those who sign in elsewhere"
    )
    accounts.set_password(ada.number, "new", keep_session=secret)
    assert accounts.find_session(secret, HOUR).last_seen == clock.now
    accounts.end_session(secret)
    assert accounts.find_session(secret, HOUR) is None


def test_a_session_from_elsewhere_ends_though_it_is_used(accounts, clock):
    ada = accounts.add("Ada", Role.ADMINISTRATOR, "oidc", hash_subject("https://a", "1"))
    secret = accounts.start_session(ada.number, "", 9 * HOUR)
    clock.now += HOUR
    assert accounts.find_session(secret, 9 * HOUR, 2 * HOUR) is not None
    clock.now += HOUR + timedelta(seconds=1)
    assert accounts.find_session(secret, 9 * HOUR, 2 * HOUR) is None


def test_a_subject_is_one_person(accounts):
    one, two = hash_subject("https://a", "1"), hash_subject("https://a", "2")
    ada = accounts.add("Ada", Role.VIEWER, "oidc")
    assert accounts.recognise(ada.number, one).subject == one
    assert accounts.recognise(ada.number, two) is None
    assert accounts.find_subject(one).name == "Ada"
    assert accounts.find_subject(two) is None
    with pytest.raises(AccountError):
        accounts.add("Eve", Role.VIEWER, "oidc", one)


def test_tokens_have_scopes_and_an_end(accounts, clock):
    rui = accounts.add("Rui", Role.REVIEWER)
    token, secret = accounts.add_token(rui, "nightly", [Action.LABEL, Action.READ], HOUR)
    assert accounts.find_token(secret).actions == {Action.LABEL, Action.READ}
    assert accounts.list_tokens(rui.number)[0].last_used == clock.now
    accounts.add("Ada", Role.ADMINISTRATOR)
    accounts.change(rui.number, role=Role.VIEWER)
    assert accounts.find_token(secret).actions == {Action.READ}, "never more than its owner"
    with pytest.raises(AccountError, match="scopes"):
        accounts.add_token(accounts.find("Rui"), "x", [Action.ADMINISTER])
    clock.now += HOUR + timedelta(seconds=1)
    assert accounts.find_token(secret) is None
    accounts.forget_expired()
    assert accounts.list_tokens() == []
    assert token.hint == secret[: len(token.hint)]


def test_disabling_and_removing_end_everything(accounts):
    accounts.add("Ada", Role.ADMINISTRATOR)
    rui = accounts.add("Rui", Role.REVIEWER)
    session = accounts.start_session(rui.number, "", HOUR)
    link = accounts.invite(rui.number, HOUR)
    _, token = accounts.add_token(rui, "x", [Action.READ])
    accounts.change(rui.number, disabled=True)
    assert accounts.find_session(session, HOUR) is None
    assert accounts.find_invited(link) == (False, None)
    assert accounts.find_token(token) is None
    accounts.change(rui.number, disabled=False)
    assert accounts.find_token(token) is not None
    accounts.remove(rui.number)
    assert accounts.list_tokens() == []


def test_the_audit_log_is_read_in_pages_and_purged(engine):
    log = AuditLog(engine)
    for number in range(5):
        log.record(AuditEvent(what="sign_in", who="AB"[number % 2], target=str(number), address="::1"))
    entries, total = log.entries(limit=2)
    assert ([entry.event.target for entry in entries], total) == (["4", "3"], 5)
    entries, _ = log.entries(before=entries[-1].number, who="A")
    assert [entry.event.target for entry in entries] == ["2", "0"]
    assert log.entries(what="sign_out") == ([], 0)
    log.purge(HOUR)
    assert log.entries()[1] == 5
    log.purge(-HOUR)
    assert log.entries()[1] == 0


@pytest.mark.parametrize("to", ["sqlite", "postgresql"])
def test_a_backup_brings_people_and_the_log_to_either_database(engine, accounts, tmp_path, to, clock):
    accounts.add("Ada", Role.ADMINISTRATOR, "oidc", hash_subject("https://a", "1"))
    rui = accounts.add("Rui", Role.REVIEWER)
    accounts.set_password(rui.number, "hash")
    _, secret = accounts.add_token(rui, "nightly", [Action.LABEL], HOUR)
    AuditLog(engine).record(AuditEvent(what="add_person", who="Ada", target="Rui", allowed=False))
    write_backup(engine, PhotoFolder(tmp_path), tmp_path / "all.tar")
    assert oct((tmp_path / "all.tar").stat().st_mode)[-3:] == "600"
    url = get_server().make_database() if to == "postgresql" else sqlite_url(tmp_path / "other.db")
    other = open_database(url)
    read_backup(tmp_path / "all.tar", other, PhotoFolder(tmp_path / "other"))
    restored = Accounts(other, clock)
    assert restored.list_people() == accounts.list_people()
    assert restored.find_token(secret).owner.password == "hash"  # noqa: S105 - no password
    assert restored.add("Vic", Role.VIEWER).number > rui.number
    assert AuditLog(other).entries() == AuditLog(engine).entries()
    other.dispose()
