"""Signing in at an OpenID provider that the tests start: who comes in, in which role, and who does not."""

import logging
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from joserfc.jwk import ECKey
from sqlalchemy import delete

from hangtag.domain.roles import Role
from hangtag.server.access.oidc import SingleSignOn
from hangtag.server.app import create_app
from hangtag.server.settings import Settings
from hangtag.store.account_tables import AccountRow, AuditRow
from hangtag.store.database import writing
from openid import CLIENT, SECRET, SHARED_SECRET, Provider

API = "/api/v1"
BEGIN = f"{API}/session/oidc"


@pytest.fixture(scope="module")
def running():
    """The provider that the tests of this file share."""
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture(autouse=True)
def provider(running):
    running.reset()
    return running


@pytest.fixture(scope="module")
def service(build_settings, running):
    """A service that the tests share; each begins with nobody in it."""
    values = {"accounts": "on", "oidc_issuer": running.issuer, "oidc_client_id": CLIENT}
    settings = build_settings(**values, oidc_client_secret=SECRET, new_user_role="reviewer")
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture(autouse=True)
def nobody(service):
    """Leave nobody in the service."""
    with writing(service.app.state.service.access.accounts.engine) as connection:
        for row in (AccountRow, AuditRow):
            connection.execute(delete(row))


@pytest.fixture
def open_service(service, monkeypatch):
    """Change the settings of the service for a test."""
    access = service.app.state.service.access

    def open_(**changes):
        settings = Settings(**(access.settings.model_dump() | changes))
        monkeypatch.setattr(access, "settings", settings)
        monkeypatch.setattr(access, "single_sign_on", SingleSignOn(settings))
        return service

    return open_


def browse(client):
    """Return a new browser in the service's event loop, which does not follow redirects."""
    browser = TestClient(client.app, follow_redirects=False)
    browser.portal = client.portal
    return browser


def visit_provider(browser, to="/batches"):
    """Begin to sign in, go to the provider, and return the path to come back with."""
    sent = browser.get(BEGIN, params={"to": to})
    assert sent.status_code == 303, sent.text
    back = httpx.get(sent.headers["location"]).headers["location"]
    assert back.startswith(f"http://testserver{BEGIN}/finish?")
    return back


def sign_in(client, **given):
    """Go the whole way with a new browser; return it and where it ends up."""
    browser = browse(client)
    landed = browser.get(visit_provider(browser, **given), headers={"sec-fetch-site": "cross-site"})
    assert landed.status_code == 303
    return browser, landed.headers["location"]


def test_somebody_new_comes_in_and_is_the_same_next_time(open_service, provider):
    client = open_service(oidc_name="Shop login")
    assert browse(client).get(f"{API}/session").json()["single_sign_on"] == "Shop login"
    browser, landed = sign_in(client)
    assert landed == "/batches"
    session = browser.get(f"{API}/session").json()
    assert (session["name"], session["role"], session["source"]) == ("Ada", "reviewer", "oidc")
    browser.headers["X-CSRF-Token"] = session["csrf"]
    assert browser.post(f"{API}/batches", json={"name": "Autumn"}).json()["created_by"] == "Ada"
    provider.claims = {"sub": "1", "preferred_username": "Ada Lovelace"}
    assert sign_in(client)[0].get(f"{API}/session").json()["name"] == "Ada", "the same subject"
    accounts = client.app.state.service.access
    assert len(accounts.accounts.list_people()) == 1
    assert [entry.event.via for entry in accounts.audit.entries(what="sign_in")[0]] == ["oidc", "oidc"]
    assert browser.delete(f"{API}/session").status_code == 204
    assert browser.get(f"{API}/models").status_code == 401


def test_the_session_is_strict_and_the_attempt_comes_back(open_service):
    browser = browse(open_service())
    sent = browser.get(BEGIN)
    attempt = sent.headers["set-cookie"].lower()
    assert "samesite=lax" in attempt
    assert "httponly" in attempt
    assert f"path={BEGIN}" in attempt
    landed = browser.get(httpx.get(sent.headers["location"]).headers["location"])
    cookies = [value.lower() for value in landed.headers.get_list("set-cookie")]
    assert any("hangtag_session=" in value and "samesite=strict" in value for value in cookies)
    assert any("hangtag_sign_on=" in value and "max-age=0" in value for value in cookies)


@pytest.mark.parametrize(
    ("claims", "changes", "role"),
    [
        ({"groups": ["staff", "shop"]}, {}, "reviewer"),
        ({"groups": ["shop", "it"]}, {}, "administrator"),
        ({"groups": "it"}, {}, "administrator"),
        ({"groups": ["staff"]}, {}, None),
        ({}, {}, None),
        ({"groups": ["staff"]}, {"new_user_role": "viewer"}, "viewer"),
        ({"realm_access": {"roles": ["shop"]}}, {"oidc_role_claim": "realm_access.roles"}, "reviewer"),
        ({"https://x.y/roles": ["it"]}, {"oidc_role_claim": "https://x.y/roles"}, "administrator"),
    ],
)
def test_claims_become_roles(open_service, provider, claims, changes, role):
    mapped = {"oidc_roles": "it=administrator, shop=reviewer", "new_user_role": "none"}
    provider.claims |= claims
    browser, landed = sign_in(open_service(**(mapped | changes)))
    assert browser.get(f"{API}/session").json()["role"] == role
    assert landed == ("/batches" if role else "/?sign_on=forbidden")


def test_a_role_follows_the_claims_at_each_sign_in(open_service, provider):
    client = open_service(oidc_roles="it=administrator,shop=reviewer", new_user_role="none")
    client.app.state.service.access.accounts.add("Root", Role.ADMINISTRATOR)
    provider.claims |= {"groups": ["it"]}
    first, _ = sign_in(client)
    provider.claims |= {"groups": ["shop"]}
    sign_in(client)
    assert first.get(f"{API}/session").json()["role"] == "reviewer", "in older sessions, too"
    provider.claims |= {"groups": []}
    assert sign_in(client)[1] == "/?sign_on=forbidden"


def test_the_only_administrator_stays_one(open_service, provider):
    client = open_service(oidc_roles="it=administrator,shop=reviewer")
    provider.claims |= {"groups": ["it"]}
    sign_in(client)
    provider.claims |= {"groups": ["shop"]}
    assert sign_in(client)[0].get(f"{API}/session").json()["role"] == "administrator"


def test_nobody_takes_over_another_account(open_service, provider):
    client = open_service()
    accounts = client.app.state.service.access.accounts
    accounts.add("Ada", Role.ADMINISTRATOR)
    assert sign_in(client)[1] == "/?sign_on=forbidden", "Ada has a password"
    accounts.add("Rui", Role.VIEWER, "oidc")
    provider.claims = {"sub": "2", "preferred_username": "rui"}
    assert sign_in(client)[0].get(f"{API}/session").json()["role"] == "viewer", "added before"
    provider.claims = {"sub": "3", "preferred_username": "Rui"}
    assert sign_in(client)[1] == "/?sign_on=forbidden", "another Rui"
    number = accounts.find("Rui").number
    accounts.change(number, disabled=True)
    provider.claims = {"sub": "2", "preferred_username": "Rui"}
    assert sign_in(client)[1] == "/?sign_on=forbidden"
    refused = [entry.event for entry in client.app.state.service.access.audit.entries(what="sign_in")[0]]
    assert [event.allowed for event in refused] == [False, False, True, False]


def test_people_who_sign_in_elsewhere_have_no_password_here(open_service):
    client = open_service()
    accounts = client.app.state.service.access.accounts
    added = accounts.add("Root", Role.ADMINISTRATOR)
    accounts.set_password(added.number, "")
    secret = accounts.start_session(added.number, "", client.app.state.service.access.session_lasts)
    root = browse(client)
    root.cookies.set("hangtag_session", secret)
    root.headers["X-CSRF-Token"] = root.get(f"{API}/session").json()["csrf"]
    made = root.post(f"{API}/people", json={"name": "Ada", "role": "viewer", "source": "oidc"}).json()
    assert made["path"] is None
    refused = root.post(f"{API}/people/{made['person']['id']}/link")
    assert (refused.status_code, refused.json()["code"]) == (409, "account")
    assert sign_in(client)[0].get(f"{API}/session").json()["role"] == "viewer"


SPOILED = {
    "another audience": {"aud": "elsewhere"},
    "another issuer": {"iss": "https://elsewhere.example"},
    "another attempt": {"nonce": "x"},
    "no nonce": {"nonce": None},
    "expired": {"exp": 1},
    "no expiry": {"exp": None},
    "for two services": {"aud": [CLIENT, "elsewhere"]},
    "given to another": {"aud": [CLIENT, "elsewhere"], "azp": "elsewhere"},
    "no subject": {"sub": None},
    "no name": {"preferred_username": None},
}


@pytest.mark.parametrize("claims", SPOILED.values(), ids=SPOILED)
def test_a_token_for_something_else_is_refused(service, provider, claims):
    provider.token_claims = claims
    assert sign_in(service)[1] == "/?sign_on=sign_on_failed"


@pytest.mark.parametrize("kind", ["none", "another key", "a shared secret", "an unknown key"])
def test_a_token_that_the_provider_did_not_sign_is_refused(service, provider, kind):
    if kind == "none":
        provider.algorithm = "none"
    elif kind == "another key":
        provider.signing_key = ECKey.generate_key("P-256")
    elif kind == "a shared secret":
        provider.algorithm, provider.signing_key = "HS256", SHARED_SECRET
    else:
        provider.kid = "nobody's"
    assert sign_in(service)[1] == "/?sign_on=sign_on_failed"


def test_only_the_browser_that_began_can_finish(service):
    one, other = browse(service), browse(service)
    back = visit_provider(one)
    assert other.get(back).headers["location"] == "/?sign_on=sign_on_failed", "no cookie"
    visit_provider(other)
    assert other.get(back).headers["location"] == "/?sign_on=sign_on_failed", "another state"
    assert one.get(back).headers["location"] == "/batches"
    assert one.get(back).headers["location"] == "/?sign_on=sign_on_failed", "the code was used"
    one.cookies.set("hangtag_sign_on", "no attempt", path=BEGIN)
    assert one.get(back).headers["location"] == "/?sign_on=sign_on_failed"


def test_the_code_is_worthless_without_the_verifier(service, provider):
    browser = browse(service)
    stolen = visit_provider(browser)
    thief = browse(service)
    own = visit_provider(thief)
    codes = [parse_qs(urlsplit(address).query)["code"][0] for address in (own, stolen)]
    assert thief.get(own.replace(*codes)).headers["location"] == "/?sign_on=sign_on_failed"
    assert provider.requests[-1][0]["code"] == codes[1]


@pytest.mark.parametrize(
    "to", ["//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example", "x"]
)
def test_nobody_is_sent_elsewhere(service, to):
    assert sign_in(service, to=to)[1] == "/"


def test_a_new_key_of_the_provider_is_fetched(service, provider, monkeypatch):
    sign_in(service)
    provider.rotate()
    monkeypatch.setattr("hangtag.server.access.oidc._KEYS_AT_MOST_EVERY_S", 0.0)
    assert sign_in(service)[1] == "/batches"


def test_what_the_token_lacks_is_asked_for(service, provider):
    provider.claims = {"sub": "7"}
    provider.user_info = {"sub": "7", "preferred_username": "Grace"}
    assert sign_in(service)[0].get(f"{API}/session").json()["name"] == "Grace"
    provider.user_info = {"sub": "8", "preferred_username": "Eve"}
    assert sign_in(service)[1] == "/?sign_on=sign_on_failed"


def test_a_provider_that_takes_the_secret_in_the_form(open_service, provider):
    provider.methods = ["client_secret_post"]
    assert sign_in(open_service())[1] == "/batches"
    assert provider.requests[-1][1] is None


def test_an_address_that_was_not_verified_is_no_name(open_service, provider):
    client = open_service(oidc_name_claim="email")
    provider.claims = {"sub": "1", "email": "ada@shop.example", "email_verified": False}
    assert sign_in(client)[1] == "/?sign_on=sign_on_failed"
    provider.claims["email_verified"] = True
    assert sign_in(client)[0].get(f"{API}/session").json()["name"] == "ada@shop.example"


def test_refusals_and_silence_of_the_provider_come_to_the_page(open_service, provider):
    provider.refuses = "access_denied"
    assert sign_in(open_service())[1] == "/?sign_on=sign_on_failed"
    silent = open_service(oidc_issuer="http://127.0.0.1:9")
    assert browse(silent).get(BEGIN).headers["location"] == "/?sign_on=sign_on_failed"
    misnamed = open_service(oidc_issuer=f"{provider.issuer}/")
    assert browse(misnamed).get(BEGIN).headers["location"] == "/?sign_on=sign_on_failed"


def test_it_works_below_a_path(open_client, provider):
    client = open_client(
        accounts="on",
        base_path="/tags",
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT,
        oidc_client_secret=SECRET,
        new_user_role="viewer",
    )
    browser = browse(client)
    sent = browser.get(f"/tags{BEGIN}")
    asked = parse_qs(urlsplit(sent.headers["location"]).query)
    assert asked["redirect_uri"] == [f"http://testserver/tags{BEGIN}/finish"]
    landed = browser.get(httpx.get(sent.headers["location"]).headers["location"])
    assert landed.headers["location"] == "/tags/"
    assert "path=/tags;" in landed.headers["set-cookie"].lower()


def test_a_session_ends_after_the_hours_of_the_provider(open_service):
    client = open_service(oidc_hours=0.0000001)
    browser, landed = sign_in(client)
    assert landed == "/batches"
    assert browser.get(f"{API}/models").status_code == 401


def test_a_service_without_a_provider_says_so(client):
    assert browse(client).get(BEGIN).status_code == 409


def test_no_secret_of_the_provider_is_logged(open_service, provider, caplog):
    caplog.set_level(logging.DEBUG)
    client = open_service()
    browser = browse(client)
    back = visit_provider(browser)
    browser.get(back)
    browser.get(back)
    provider.token_claims = {"nonce": "x"}
    sign_in(client)
    logged = "".join(str(vars(record)) for record in caplog.records if record.name.startswith("hangtag"))
    assert "single sign-on failed" in logged
    code = parse_qs(urlsplit(back).query)["code"][0]
    for secret in (SECRET, code, "access_token", *browser.cookies.values()):
        assert secret not in logged


@pytest.mark.parametrize(
    "wrong",
    [
        {"oidc_issuer": "https://login.example"},
        {"oidc_issuer": "http://login.example", "oidc_client_id": "x"},
        {"oidc_roles": "it=boss"},
        {"oidc_roles": "administrator"},
    ],
)
def test_settings_that_cannot_be_right_are_refused(wrong):
    with pytest.raises(ValueError, match="oidc"):
        Settings(**wrong)


def test_the_secret_is_not_shown():
    assert SECRET not in repr(Settings(oidc_client_secret=SECRET))
