"""Signing in at an OpenID provider: the authorization code flow with PKCE, a state and a nonce.

It follows OpenID Connect Core 1.0, section 3.1, RFC 7636 (PKCE) and RFC 9207 (the issuer in the response).
"""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from hangtag.domain.roles import ACTIONS_BY_ROLE, Role
from hangtag.server.problems import SignOnError
from hangtag.server.settings import Settings, is_loopback, parse_roles
from hangtag.store.accounts import hash_subject

ATTEMPT_LASTS_S: Final = 600
"""How long someone may take at the provider."""

_ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
)
"""The allowed algorithms: signatures with a private key of the provider. Never `none`, and no shared secrets."""

_DISCOVERY: Final = "/.well-known/openid-configuration"
_TIMEOUT_S: Final = 10.0
_LEEWAY_S: Final = 60
"""The allowed difference between the clocks of the provider and of this machine."""

_KNOWN_FOR_S: Final = 3600.0
_KEYS_AT_MOST_EVERY_S: Final = 30.0
_LARGEST_ANSWER: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Attempt:
    """The state that a browser keeps during sign-in, so that only it can finish what it began."""

    state: str
    nonce: str
    verifier: str
    to: str
    """The path of the page to return to."""

    def pack(self) -> str:
        """Return it as the value of a cookie."""
        return base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode().rstrip("=")

    @classmethod
    def unpack(cls, value: str) -> "Attempt | None":
        """Return the result of `pack` as an attempt; None for anything else."""
        try:
            found = json.loads(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)))
            return cls(*(str(found[name]) for name in ("state", "nonce", "verifier", "to")))
        except (ValueError, KeyError, TypeError):
            return None


@dataclass(frozen=True, slots=True)
class Visitor:
    """Someone's identity according to a proxy or a provider.

    With `assigned`, the provider assigns roles, and people without one have no access.
    """

    name: str
    subject: str | None = None
    role: Role | None = None
    assigned: bool = False


@dataclass(frozen=True, slots=True)
class _Provider:
    """The provider's metadata and signing keys, and when they were fetched."""

    about: Mapping[str, Any]
    keys: KeySet
    at: float


class SingleSignOn:
    """Sends people to the provider, and identifies those who return. It lives in one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._roles = parse_roles(settings.oidc_roles)
        self._provider: _Provider | None = None
        self._asking = asyncio.Lock()

    async def begin(self, redirect_uri: str, to: str) -> tuple[str, Attempt]:
        """Return where to send a browser, and the state that it has to keep. Raises `SignOnError`."""
        provider = await self._ask()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        attempt = Attempt(state, nonce, verifier, to)
        query = {
            "response_type": "code",
            "client_id": self._settings.oidc_client_id,
            "redirect_uri": redirect_uri,
            "scope": self._settings.oidc_scopes,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": _challenge(attempt.verifier),
            "code_challenge_method": "S256",
        }
        address = str(provider.about["authorization_endpoint"])
        return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(query)}", attempt

    async def finish(self, attempt: Attempt | None, answer: Mapping[str, str], redirect_uri: str) -> Visitor:
        """Return who returns with a response of the provider. Raises `SignOnError`."""
        if attempt is None:
            raise SignOnError("this browser did not start to sign in here, or took too long")
        if not hmac.compare_digest(answer.get("state", "").encode(), attempt.state.encode()):
            raise SignOnError("the answer belongs to another attempt")
        if answer.get("iss", self._settings.oidc_issuer) != self._settings.oidc_issuer:
            raise SignOnError("the answer comes from another provider")
        if "code" not in answer:
            raise SignOnError(f"the provider refused ({answer.get('error', 'no code')[:100]!r})")
        provider = await self._ask()
        tokens = await self._exchange(provider, answer["code"], attempt.verifier, redirect_uri)
        claims = await self._verify(str(tokens.get("id_token", "")), attempt.nonce)
        wanted = {self._settings.oidc_name_claim} | (
            {self._settings.oidc_role_claim} if self._roles else set()
        )
        if any(_find_claim(claims, name) is None for name in wanted):
            claims = await self._ask_about(provider, tokens, claims)
        return self._describe(claims)

    def _describe(self, claims: Mapping[str, Any]) -> Visitor:
        claim = self._settings.oidc_name_claim
        name = _find_claim(claims, claim)
        if not isinstance(name, str) or not name.strip():
            raise SignOnError(
                f"the provider did not send the claim {claim!r}", fix="Set HANGTAG_OIDC_NAME_CLAIM."
            )
        if claim == "email" and claims.get("email_verified") in (False, "false"):
            raise SignOnError("the provider has not verified the e-mail address")
        given = _find_claim(claims, self._settings.oidc_role_claim)
        values = [given] if isinstance(given, str) else given if isinstance(given, list) else []
        roles = [self._roles[value] for value in values if isinstance(value, str) and value in self._roles]
        role = max(roles, key=lambda role: len(ACTIONS_BY_ROLE[role]), default=None)
        subject = hash_subject(self._settings.oidc_issuer, str(claims["sub"]))
        return Visitor(name.strip(), subject, role, assigned=bool(self._roles))

    async def _ask(self, *, unknown_key: bool = False) -> _Provider:
        """Return the provider's metadata, fetched again every hour, or if it signs with a new key."""
        async with self._asking:
            known, now = self._provider, time.monotonic()
            oldest = _KEYS_AT_MOST_EVERY_S if unknown_key else _KNOWN_FOR_S
            if known is not None and now - known.at < oldest:
                return known
            about = await _fetch("GET", self._settings.oidc_issuer.rstrip("/") + _DISCOVERY)
            if about.get("issuer") != self._settings.oidc_issuer:
                raise SignOnError(
                    f"the provider calls itself {str(about.get('issuer'))[:200]!r}",
                    fix="HANGTAG_OIDC_ISSUER has to be exactly that.",
                )
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                _check_address(str(about.get(name, "")))
            try:
                keys = KeySet.import_key_set(await _fetch("GET", str(about["jwks_uri"])))  # type: ignore[arg-type]
            except (JoseError, KeyError, TypeError, ValueError) as error:
                raise SignOnError(f"the keys of the provider cannot be read ({error})") from None
            self._provider = _Provider(about, keys, now)
            return self._provider

    async def _exchange(
        self, provider: _Provider, code: str, verifier: str, redirect_uri: str
    ) -> Mapping[str, Any]:
        """Exchange a code for the provider's tokens."""
        own, secret = self._settings.oidc_client_id, self._settings.oidc_client_secret.get_secret_value()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        form |= {"client_id": own, "code_verifier": verifier}
        headers = {}
        methods = provider.about.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if secret and "client_secret_basic" in methods:
            pair = f"{quote(own, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        elif secret:
            form["client_secret"] = secret
        return await _fetch("POST", str(provider.about["token_endpoint"]), data=form, headers=headers)

    async def _verify(self, token: str, nonce: str) -> dict[str, Any]:
        """Return the claims of an ID token after verifying that it is for this service and this attempt."""
        own = self._settings.oidc_client_id
        try:
            try:
                decoded = jwt.decode(token, (await self._ask()).keys, _ALGORITHMS)
            except InvalidKeyIdError:
                decoded = jwt.decode(token, (await self._ask(unknown_key=True)).keys, _ALGORITHMS)
            claims = decoded.claims
            jwt.JWTClaimsRegistry(
                leeway=_LEEWAY_S,
                iss={"essential": True, "value": self._settings.oidc_issuer},
                aud={"essential": True, "value": own},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(claims)
        except (JoseError, ValueError) as error:
            raise SignOnError(f"the ID token is not valid ({error})") from None
        party = claims.get("azp", own)
        if party != own or (
            isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and "azp" not in claims
        ):
            raise SignOnError("the ID token is for another service")
        return claims

    async def _ask_about(
        self, provider: _Provider, tokens: Mapping[str, Any], claims: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the claims, extended by the provider's UserInfo about the same person."""
        address = str(provider.about.get("userinfo_endpoint", ""))
        if not address or "access_token" not in tokens:
            return claims
        _check_address(address)
        more = await _fetch("GET", address, headers={"Authorization": f"Bearer {tokens['access_token']}"})
        if more.get("sub") != claims["sub"]:
            raise SignOnError("the provider describes someone else")
        return {**more, **claims}


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _find_claim(claims: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return a claim by its name, or by a dotted path to it."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _check_address(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise SignOnError(f"the provider names an address without TLS ({address[:200]!r})")


async def _fetch(method: str, address: str, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - httpx's
    """Return the JSON object at an address of the provider. Errors never contain secrets."""
    where = urlsplit(address)._replace(query="").geturl()
    try:
        async with (
            httpx.AsyncClient(timeout=_TIMEOUT_S) as client,
            client.stream(method, address, **request) as response,
        ):
            body = b""
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > _LARGEST_ANSWER:
                    raise SignOnError("the answer of the provider is too long", where=where)
        found = json.loads(body) if response.is_success else None
    except httpx.HTTPError as error:
        raise SignOnError(f"the provider does not answer ({type(error).__name__})", where=where) from None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise SignOnError(f"the provider answered {response.status_code}", where=where)
    return found
