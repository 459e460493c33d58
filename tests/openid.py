"""A small OpenID provider: real HTTP, real signatures. Everyone who signs in is `provider.claims`."""

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

CLIENT = "hangtag"
SECRET = "s3cret/with?signs"  # noqa: S105 - of a provider in tests


class Provider:
    """The provider, on its own port. Tests set its claims; `token_claims` corrupts its tokens."""

    def __init__(self):
        self.key = ECKey.generate_key("P-256", {"kid": "first", "alg": "ES256", "use": "sig"})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._make_handler())
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        self.reset()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reset(self):
        """Restore normal behaviour, and forget who signed in."""
        self.claims = {"sub": "1", "preferred_username": "Ada"}
        self.token_claims, self.user_info, self.refuses = {}, {}, None
        self.algorithm, self.signing_key, self.kid = "ES256", self.key, self.key.kid
        self.methods = ["client_secret_basic"]
        self.codes, self.requests = {}, []

    def close(self):
        """Stop."""
        self.server.shutdown()
        self.server.server_close()

    def rotate(self):
        """Sign with a new key from now on."""
        self.key = ECKey.generate_key("P-256", {"kid": "second", "alg": "ES256", "use": "sig"})
        self.signing_key, self.kid = self.key, "second"

    def authorise(self, query):
        """Return where a browser is redirected: back, with a code."""
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        if self.refuses:
            return f"{query['redirect_uri']}?{urlencode({'error': self.refuses, 'state': query['state']})}"
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def exchange(self, form, authorization):
        """Return the tokens for a code, once, to whoever began."""
        query = self.codes.pop(form.get("code"), None)
        basic = base64.b64encode(b"hangtag:s3cret%2Fwith%3Fsigns").decode()
        known = authorization == f"Basic {basic}" or form.get("client_secret") == SECRET
        challenge = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if (
            query is None
            or not known
            or form["redirect_uri"] != query["redirect_uri"]
            or base64.urlsafe_b64encode(challenge).decode().rstrip("=") != query["code_challenge"]
        ):
            return None
        return {"token_type": "Bearer", "access_token": "access", "id_token": self.sign(query)}

    def sign(self, query):
        """Return the ID token for whoever began."""
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": query["nonce"]}
        claims |= self.claims | self.token_claims
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.algorithm == "none":
            parts = [{"alg": "none"}, claims]
            packed = [
                base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts
            ]
            return ".".join([*packed, ""])
        return jwt.encode(
            {"alg": self.algorithm, "kid": self.kid}, claims, self.signing_key, [self.algorithm]
        )

    def _make_handler(provider):  # noqa: N805 - the handler has a self of its own
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                if parts.path == "/authorize":
                    self.send_response(302)
                    self.send_header("location", provider.authorise(query))
                    self.end_headers()
                elif parts.path == "/.well-known/openid-configuration":
                    paths = {"authorization": "authorize", "token": "token", "userinfo": "userinfo"}
                    about = {f"{name}_endpoint": f"{provider.issuer}/{path}" for name, path in paths.items()}
                    about |= {"issuer": provider.issuer, "jwks_uri": f"{provider.issuer}/keys"}
                    self._answer(about | {"token_endpoint_auth_methods_supported": provider.methods})
                elif parts.path == "/keys":
                    self._answer({"keys": [provider.key.as_dict(private=False)]})
                elif parts.path == "/userinfo":
                    assert self.headers["authorization"] == "Bearer access"
                    self._answer({"sub": provider.claims["sub"]} | provider.user_info)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                form = {name: values[0] for name, values in parse_qs(body).items()}
                provider.requests.append((form, self.headers.get("authorization")))
                found = provider.exchange(form, self.headers.get("authorization"))
                self._answer(found or {"error": "invalid_grant"}, 200 if found else 400)

            def _answer(self, value, status=200):
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(value).encode())

            def log_message(self, *_):
                pass

        return Handler


SHARED_SECRET = OctKey.generate_key(256)
"""A key that is not a private key of the provider."""
