"""The page: the files that the build made, held in memory with what a browser needs to know about each."""

import base64
import gzip
import hashlib
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import Request
from fastapi.responses import Response

from hangtag.server.problems import NotFoundError

_FALLBACKS: Final = ("200.html", "index.html")
_IMMUTABLE: Final = "_app/immutable/"
"""Under this, a file's name holds the hash of its content."""

_ENCODINGS: Final = {"br": ".br", "gzip": ".gz"}
"""How a file may be compressed, the best first, and the ending that the build gives it."""

_RESERVED: Final = ("api/", "_app/")
"""Where there are no views of the page: an unknown address is an error and not the page."""

_COMPRESSIBLE: Final = re.compile(r"text/|application/(javascript|json|manifest\+json)|image/svg")
_INLINE_SCRIPT: Final = re.compile(
    rb"<script(?![^>]*\bsrc\s*=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE
)

NOT_BUILT: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>hangtag</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><h1>hangtag</h1>
<p>The service runs, but its page has not been built. It comes with the package; in a checkout, build it in
<code>web/</code> with <code>npm ci &amp;&amp; npm run build</code> and start the service again.</p>
<p>The API is described at <a href="/api/docs">/api/docs</a>.</p></body></html>
"""


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file of the page: its bytes as they are and in each encoding."""

    plain: bytes
    encoded: Mapping[str, bytes]
    headers: Mapping[str, str]
    etag: str


class Page:
    """All files of a built page by address. A folder without a page is a page that says so."""

    def __init__(self, folder: Path) -> None:
        found = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
        self._files = {name: _read(name, path) for name, path in found.items()}
        fallback = next((name for name in _FALLBACKS if name in self._files), None)
        self._fallback = (
            _build_file("index.html", NOT_BUILT.encode(), {}) if fallback is None else self._files[fallback]
        )

    def answer(self, request: Request) -> Response:
        """Return the file at a request's address; where there is none, the page itself, which knows its views.

        Raises `NotFoundError` for an address that no view can have.
        """
        address = request.url.path.lstrip("/")
        file = self._find(address)
        headers = dict(file.headers) | {"ETag": file.etag}
        if file.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        body = file.plain
        accepted = {
            part.partition(";")[0].strip() for part in request.headers.get("accept-encoding", "").split(",")
        }
        for encoding, encoded in file.encoded.items():
            if encoding in accepted:
                body = encoded
                headers["Content-Encoding"] = encoding
                break
        return Response(body, headers=headers)

    def _find(self, address: str) -> PageFile:
        for name in (address, f"{address}.html", f"{address}/index.html".lstrip("/")):
            if name in self._files:
                return self._files[name]
        if address.startswith(_RESERVED):
            raise NotFoundError("there is nothing at this address")
        return self._fallback


def _files(folder: Path) -> list[Path]:
    endings = tuple(_ENCODINGS.values())
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix not in endings]


def _read(name: str, path: Path) -> PageFile:
    encoded = {}
    for encoding, ending in _ENCODINGS.items():
        beside = path.with_name(path.name + ending)
        if beside.is_file():
            encoded[encoding] = beside.read_bytes()
    return _build_file(name, path.read_bytes(), encoded)


def _build_file(name: str, plain: bytes, encoded: dict[str, bytes]) -> PageFile:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    headers = {
        "Content-Type": f"{kind}; charset=utf-8" if kind.startswith("text/") else kind,
        "Cache-Control": "public, max-age=31536000, immutable" if name.startswith(_IMMUTABLE) else "no-cache",
        "Vary": "Accept-Encoding",
    }
    if kind == "text/html":
        headers["Content-Security-Policy"] = build_policy(plain)
    if _COMPRESSIBLE.match(kind) and "gzip" not in encoded:
        encoded["gzip"] = gzip.compress(plain, mtime=0)
    return PageFile(plain, encoded, headers, f'"{hashlib.sha256(plain).hexdigest()[:20]}"')


def build_policy(html: bytes) -> str:
    """Return the Content-Security-Policy of a page: its own files, and the inline scripts that it was built with."""
    digests = (hashlib.sha256(script).digest() for script in _INLINE_SCRIPT.findall(html))
    hashes = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    return "; ".join(
        (
            "default-src 'none'",
            " ".join(("script-src 'self'", *hashes)),
            "style-src 'self'",
            "style-src-attr 'unsafe-inline'",  # a component sets sizes and places, which cannot run anything
            "img-src 'self' blob: data:",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "worker-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )
