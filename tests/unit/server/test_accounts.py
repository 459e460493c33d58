"""Who may do what: every operation, every role, every way in."""

import logging
import re

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from starlette.routing import Route

from hangtag.domain.roles import ACTIONS_BY_ROLE, TOKEN_SCOPES, Action, Role
from hangtag.server.access.authentication import TrustedProxies
from hangtag.server.access.control import INVITATION_LASTS
from hangtag.server.access.policy import RULES
from hangtag.server.app import create_app
from hangtag.server.middleware import HostCheck, find_allowed_hosts
from hangtag.server.settings import Settings
from hangtag.server.telemetry import FIELDS
from hangtag.store.accounts import TOKEN_PREFIX
from hangtag.store.audit import AuditEvent
from tiny_bundle import draw_png

API = "/api/v1"
PASSWORD = "correct horse battery"  # noqa: S105 - of people in tests
WITHOUT_RULE = {"openapi", "show_page"}
"""The document of the API and the page: they hold nothing private."""


def iter_routes(routes):
    """Yield all routes of an app, those of included routers, too."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from iter_routes(inner.routes)
        elif isinstance(route, Route):
            yield route


class Team:
    """A service with accounts and a browser for each person."""

    def __init__(self, client):
        self.client = client
        self.access = client.app.state.service.access
        self.browsers = {}

    def add(self, name, role):
        account = self.access.accounts.add(name, Role(role))
        secret = self.access.accounts.invite(account.number, INVITATION_LASTS)
        browser = self.browser()
        accepted = browser.post(f"{API}/invitations/accept", json={"secret": secret, "password": PASSWORD})
        assert accepted.status_code == 200, accepted.text
        browser.headers["X-CSRF-Token"] = accepted.json()["csrf"]
        self.browsers[name] = browser
        return browser

    def browser(self, **headers):
        return self.share(TestClient(self.client.app, headers=headers))

    def share(self, browser):
        """Let a browser speak with the service in the service's own event loop."""
        browser.portal = self.client.portal
        return browser

    def with_token(self, name, *scopes):
        account = self.access.accounts.find(name)
        _, secret = self.access.accounts.add_token(account, "script", [Action(scope) for scope in scopes])
        return self.browser(authorization=f"Bearer {secret}")

    def audited(self, what):
        return [entry.event for entry in self.access.audit.entries(what=what)[0]]


@pytest.fixture(scope="module")
def team(build_settings):
    """A service in which Ada administers, Rui reviews and Vic views."""
    with TestClient(create_app(build_settings(accounts="on", rate_limit_anonymous=100_000))) as client:
        team = Team(client)
        for name, role in (("Ada", "administrator"), ("Rui", "reviewer"), ("Vic", "viewer")):
            team.add(name, role)
        yield team


@pytest.fixture
def new_team(open_client):
    """A service with accounts and nobody in it, for tests that change who is there."""
    return Team(open_client(accounts="on"))


def test_every_route_has_a_rule_and_every_rule_a_route(client):
    names = {route.name for route in iter_routes(client.app.routes)}
    assert names - WITHOUT_RULE == set(RULES), names ^ set(RULES)
    assert all(isinstance(route, APIRoute) for route in iter_routes(client.app.routes) if route.name in RULES)


SESSIONS_AND_STREAMS = {"sign_in", "sign_out", "accept_invitation", "watch_batch"}
"""They open or close sessions, or never end."""


def operations(client):
    """Yield every operation of the API: its name, method and a path of it."""
    for path, methods in client.app.openapi()["paths"].items():
        for method, operation in methods.items():
            if path.startswith(("/api/", "/metrics")):
                yield operation["operationId"], method.upper(), re.sub(r"\{\w+\}", "999999", path)


def test_what_each_role_may_do(team):
    """Call every operation as everyone: it is refused exactly where the tables say so."""
    for operation, method, path in operations(team.client):
        if operation in SESSIONS_AND_STREAMS:
            continue
        action = RULES[operation].action
        stranger = team.browser().request(method, path)
        assert (stranger.status_code == 401) == (action is not None), (operation, stranger.text)
        for name, role in (("Ada", "administrator"), ("Rui", "reviewer"), ("Vic", "viewer")):
            status = team.browsers[name].request(method, path).status_code
            allowed = action is None or action in ACTIONS_BY_ROLE[Role(role)]
            assert (status != 403) == allowed, (operation, name, status)
            assert status != 401, (operation, name)


def test_what_each_scope_of_a_token_may_do(team):
    """Call every operation with an administrator's token of each scope: its owner's role adds nothing to it."""
    tokens = {scope: team.with_token("Ada", scope) for scope in TOKEN_SCOPES}
    for operation, method, path in operations(team.client):
        if operation in SESSIONS_AND_STREAMS:
            continue
        action = RULES[operation].action
        for scope, program in tokens.items():
            status = program.request(method, path).status_code
            assert (status != 403) == (action in {None, scope}), (operation, scope, status)
            assert status not in {401, 429}, (operation, scope, status)


def test_a_viewer_looks_and_a_reviewer_works(team):
    photo = [("photos", ("a.png", draw_png(1)))]
    assert team.browsers["Vic"].get(f"{API}/models").status_code == 200
    assert team.browsers["Vic"].post(f"{API}/predictions", files=photo).status_code == 403
    assert team.browsers["Rui"].post(f"{API}/predictions", files=photo).status_code == 200
    assert team.browsers["Rui"].get(f"{API}/people").status_code == 403
    assert [person["name"] for person in team.browsers["Ada"].get(f"{API}/people").json()["items"]] == [
        "Ada",
        "Rui",
        "Vic",
    ]
    refused = [event for event in team.audited("create_predictions") if event.who == "Vic"]
    assert refused[0].allowed is False


def test_a_token_may_do_what_its_scopes_say_and_no_more_than_its_owner(team):
    photo = [("photos", ("a.png", draw_png(1)))]
    labels = team.with_token("Rui", "label")
    assert labels.post(f"{API}/predictions", files=photo).status_code == 200
    assert labels.get(f"{API}/models").status_code == 403
    assert labels.get(f"{API}/tokens").status_code == 403, "no token can make tokens"
    assert team.with_token("Ada", "metrics").get("/metrics").status_code == 200
    assert team.browser(authorization="Bearer hangtag_wrong").get(f"{API}/models").status_code == 401
    refused = team.browsers["Rui"].post(f"{API}/tokens", json={"name": "x", "scopes": ["administer"]})
    assert (refused.status_code, refused.json()["code"]) == (409, "account")


def test_a_token_is_shown_once_and_can_be_revoked(team):
    made = team.browsers["Rui"].post(f"{API}/tokens", json={"name": "nightly", "scopes": ["read"], "days": 1})
    assert made.status_code == 201
    secret, number = made.json()["secret"], made.json()["token"]["id"]
    assert secret.startswith(TOKEN_PREFIX)
    assert secret not in team.browsers["Rui"].get(f"{API}/tokens").text
    program = team.browser(authorization=f"Bearer {secret}")
    assert program.get(f"{API}/models").status_code == 200
    revoked_before = len(team.audited("revoke_token"))
    shown = team.browsers["Ada"].get(f"{API}/team/tokens").json()["items"]
    assert next(token for token in shown if token["id"] == number)["last_used"]
    assert team.browsers["Ada"].delete(f"{API}/tokens/{number}").status_code == 404, "it is not her own"
    assert team.browsers["Rui"].delete(f"{API}/tokens/{number}").status_code == 204
    assert program.get(f"{API}/models").status_code == 401
    assert len(team.audited("revoke_token")) == revoked_before + 1


def test_the_first_start(new_team):
    browser = new_team.browser()
    assert browser.get(f"{API}/session").json()["needs_setup"]
    secret = new_team.access.accounts.invite(None, INVITATION_LASTS)
    assert browser.post(f"{API}/invitations/look", json={"secret": secret}).json() == {
        "first": True,
        "name": None,
        "role": "administrator",
    }
    taken = {"secret": secret, "name": "Ada", "password": PASSWORD}
    session = browser.post(f"{API}/invitations/accept", json=taken)
    assert session.json()["role"] == "administrator"
    again = new_team.browser().post(f"{API}/invitations/accept", json=taken | {"name": "Eve"})
    assert (again.status_code, again.json()["code"]) == (404, "not_found")
    assert not browser.get(f"{API}/session").json()["needs_setup"]
    late = new_team.access.accounts.invite(None, INVITATION_LASTS)
    assert new_team.browser().post(f"{API}/invitations/look", json={"secret": late}).status_code == 404
    late_use = {"secret": late, "name": "Eve", "password": PASSWORD}
    assert new_team.browser().post(f"{API}/invitations/accept", json=late_use).status_code == 404


def test_the_cookie_is_out_of_reach(new_team):
    new_team.add("Ada", "administrator")
    signed = new_team.browser().post(f"{API}/session", json={"name": "ADA", "password": PASSWORD})
    cookie = signed.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie
    https = new_team.share(TestClient(new_team.client.app, base_url="https://testserver"))
    assert (
        "secure"
        in https.post(f"{API}/session", json={"name": "Ada", "password": PASSWORD})
        .headers["set-cookie"]
        .lower()
    )


def test_a_change_needs_the_csrf_token_and_sign_out_ends_the_session(new_team):
    browser = new_team.add("Ada", "administrator")
    csrf = browser.headers.pop("X-CSRF-Token")
    person = {"name": "Rui", "role": "reviewer"}
    assert browser.post(f"{API}/people", json=person).status_code == 403
    assert browser.post(f"{API}/people", json=person, headers={"X-CSRF-Token": "x"}).status_code == 403
    elsewhere = {"X-CSRF-Token": csrf, "Origin": "https://elsewhere.example"}
    assert browser.post(f"{API}/people", json=person, headers=elsewhere).status_code == 403
    assert browser.post(f"{API}/people", json=person, headers={"X-CSRF-Token": csrf}).status_code == 201
    kept = dict(browser.cookies)
    assert browser.delete(f"{API}/session", headers={"X-CSRF-Token": csrf}).status_code == 204
    assert not browser.cookies
    stolen = new_team.browser()
    stolen.cookies.update(kept)
    assert stolen.get(f"{API}/people").status_code == 401


def test_guessing_a_password_takes_longer_and_longer(new_team):
    new_team.add("Ada", "administrator")
    browser = new_team.browser()
    wrong = {"name": "Ada", "password": "wrong"}
    statuses = [browser.post(f"{API}/session", json=wrong).status_code for _ in range(5)]
    assert statuses == [403] * 5
    locked = browser.post(f"{API}/session", json={"name": "Ada", "password": PASSWORD})
    assert (locked.status_code, locked.json()["code"]) == (429, "too_many_requests")
    assert int(locked.headers["retry-after"]) >= 1
    unknown = new_team.browser().post(f"{API}/session", json={"name": "Nobody", "password": "wrong"})
    assert unknown.json() == browser.post(f"{API}/session", json={"name": "Zoe", "password": "x"}).json()
    assert [event.allowed for event in new_team.audited("sign_in")][:5] == [False] * 5


def test_a_changed_role_a_new_password_and_a_removal_take_effect_at_once(new_team):
    ada, rui = new_team.add("Ada", "administrator"), new_team.add("Rui", "reviewer")
    number = new_team.access.accounts.find("Rui").number
    assert rui.get(f"{API}/people").status_code == 403
    assert (
        ada.patch(f"{API}/people/{number}", json={"role": "administrator"}).json()["role"] == "administrator"
    )
    assert rui.get(f"{API}/people").status_code == 200
    change = {"current": "wrong", "new": "another good password"}
    assert rui.put(f"{API}/session/password", json=change).status_code == 403
    assert rui.put(f"{API}/session/password", json=change | {"current": PASSWORD}).status_code == 204
    assert rui.get(f"{API}/people").status_code == 200, "the session that changed it goes on"
    assert ada.patch(f"{API}/people/{number}", json={"disabled": True}).status_code == 200
    assert rui.get(f"{API}/people").status_code == 401
    assert ada.delete(f"{API}/people/{number}").status_code == 204
    assert ada.delete(f"{API}/people/{number}").status_code == 404


def test_decisions_and_comments_bear_the_name_of_the_account(new_team):
    rui = new_team.add("Rui", "reviewer")
    made = rui.post(f"{API}/batches", json={"name": "Autumn"}, headers={"X-Hangtag-User": "Somebody"})
    assert (made.status_code, made.json()["created_by"]) == (201, "Rui")
    assert [event.who for event in new_team.audited("create_batch")] == ["Rui"]
    vic = new_team.add("Vic", "viewer")
    assert vic.get(f"{API}/batches/{made.json()['id']}").status_code == 200
    assert vic.delete(f"{API}/batches/{made.json()['id']}").status_code == 403
    assert rui.delete(f"{API}/batches/{made.json()['id']}").status_code == 204


def test_there_is_always_an_administrator(new_team):
    ada = new_team.add("Ada", "administrator")
    number = new_team.access.accounts.find("Ada").number
    for method, body in (("PATCH", {"role": "viewer"}), ("PATCH", {"disabled": True}), ("DELETE", None)):
        refused = ada.request(method, f"{API}/people/{number}", json=body)
        assert refused.status_code == 409, method
        assert "only administrator" in refused.json()["detail"]
    taken = ada.post(f"{API}/people", json={"name": " ada ", "role": "viewer"})
    assert taken.status_code == 409


def test_a_forgotten_password_gets_a_new_link(new_team):
    ada, rui = new_team.add("Ada", "administrator"), new_team.add("Rui", "reviewer")
    number = new_team.access.accounts.find("Rui").number
    link = ada.post(f"{API}/people/{number}/link").json()
    secret = link["path"].removeprefix("/welcome#")
    body = {"secret": secret, "password": "short"}
    assert rui.post(f"{API}/invitations/accept", json=body).status_code == 422
    fresh = new_team.browser()
    assert (
        fresh.post(f"{API}/invitations/accept", json=body | {"password": "long enough now"}).status_code
        == 200
    )
    assert rui.get(f"{API}/models").status_code == 401, "older sessions end"


def test_no_secret_is_logged_but_user_and_address_are(new_team, caplog):
    caplog.set_level(logging.DEBUG)
    browser = new_team.add("Ada", "administrator")
    made = browser.post(f"{API}/tokens", json={"name": "nightly", "scopes": ["read"]})
    new_team.browser(authorization=f"Bearer {made.json()['secret']}").get(f"{API}/models")
    logged = "".join(str(vars(record)) for record in caplog.records if record.name.startswith("hangtag"))
    for secret in (
        PASSWORD,
        made.json()["secret"],
        browser.headers["X-CSRF-Token"],
        *browser.cookies.values(),
    ):
        assert secret not in logged
    fields = [vars(record)[FIELDS] for record in caplog.records if record.message == "list_models"]
    assert (fields[-1]["user"], fields[-1]["address"]) == ("Ada", "testclient")


def test_too_many_requests_of_a_person_and_of_an_address(open_client):
    team = Team(open_client(accounts="on", rate_limit=3, rate_limit_anonymous=4))
    browser = team.add("Ada", "administrator")  # one anonymous request
    statuses = [browser.get(f"{API}/models").status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    strangers = [team.browser().get(f"{API}/models").status_code for _ in range(5)]
    assert strangers == [401, 401, 401, 429, 429]
    assert team.browser().get("/healthz").status_code == 200


def test_without_accounts_everyone_may_do_everything_but_manage_people(client):
    session = client.get(f"{API}/session", headers={"X-Hangtag-User": "Ada"}).json()
    assert (session["accounts"], session["name"]) == (False, "Ada")
    assert set(session["actions"]) == set(Action)
    refused = client.get(f"{API}/people")
    assert (refused.status_code, refused.json()["code"]) == (409, "no_accounts")


def test_a_trusted_proxy_says_who_it_is(open_client):
    client = open_client(
        accounts="on",
        trusted_proxies="10.0.0.0/8",
        proxy_user_header="X-Forwarded-User",
        new_user_role="reviewer",
    )
    team = Team(client)
    team.add("Ada", "administrator")
    proxied = TrustedProxies(client.app, "10.0.0.0/8")
    said = {"X-Forwarded-User": "rui@shop.example", "X-Forwarded-For": "203.0.113.9, 10.1.1.1"}
    inside = team.share(TestClient(proxied, headers=said, client=("10.0.0.7", 1)))
    session = inside.get(f"{API}/session").json()
    assert (session["name"], session["role"], session["via"]) == ("rui@shop.example", "reviewer", "proxy")
    outside = team.share(TestClient(proxied, headers=said, client=("192.0.2.1", 1)))
    assert outside.get(f"{API}/session").json()["name"] is None
    stolen = team.share(TestClient(proxied, headers={"X-Forwarded-User": "Ada"}, client=("10.0.0.7", 1)))
    assert stolen.get(f"{API}/models").status_code == 403, "Ada signs in by password"


def test_the_address_is_that_of_the_last_proxy_s_client(open_client, caplog):
    caplog.set_level(logging.INFO)
    client = open_client()
    proxied = TrustedProxies(client.app, "10.0.0.0/8")
    forged = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9, 10.1.1.1"}
    TestClient(proxied, headers=forged, client=("10.0.0.7", 1)).get(f"{API}/models")
    TestClient(proxied, headers=forged, client=("192.0.2.1", 1)).get(f"{API}/models")
    seen = [vars(record)[FIELDS]["address"] for record in caplog.records if record.message == "list_models"]
    assert seen == ["203.0.113.9", "192.0.2.1"]


def test_another_site_cannot_rebind_its_name_to_a_service_on_all_addresses(build_settings):
    settings = build_settings(host="::", allowed_hosts="tags.shop.example")
    assert settings.uses_accounts
    with TestClient(create_app(settings)) as client:
        checked = HostCheck(client.app, find_allowed_hosts(settings), addresses=True)
        statuses = {
            host: TestClient(checked, base_url=f"http://{host}").get("/healthz").status_code
            for host in (
                "evil.example",
                "192.0.2.7:8080",
                "[2001:db8::1]:8080",
                "localhost",
                "tags.shop.example",
            )
        }
    assert statuses.pop("evil.example") == 421
    assert set(statuses.values()) == {200}


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"host": "::", "accounts": "off"}, "accounts can be off only"),
        ({"proxy_user_header": "X-User"}, "HANGTAG_TRUSTED_PROXIES"),
        ({"trusted_proxies": "nonsense"}, "nonsense"),
    ],
)
def test_settings_that_would_let_anyone_in(values, problem):
    with pytest.raises(ValueError, match=problem):
        Settings(**values)


def test_the_audit_log_can_be_read_by_person_and_operation(team):
    for number in range(3):
        team.access.audit.record(
            AuditEvent(what="export_batch", who="Rui", target=str(number), address="192.0.2.1")
        )
    page = team.browsers["Ada"].get(f"{API}/audit", params={"what": "export_batch", "limit": 2}).json()
    assert [item["target"] for item in page["items"]] == ["2", "1"]
    assert page["total"] == 3
    rest = {"what": "export_batch", "before": page["items"][-1]["id"], "who": "Rui"}
    assert [
        item["target"] for item in team.browsers["Ada"].get(f"{API}/audit", params=rest).json()["items"]
    ] == ["0"]
