"""The page: the built files, kept in memory with their headers."""

import base64
import gzip
import hashlib
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from fastapi import Request
from fastapi.responses import Response

from hangtag.server.middleware import BASE_PATH_SCOPE, PREFIX_HEADER
from hangtag.server.problems import NotFoundError

_FALLBACKS: Final = ("200.html", "index.html")
_IMMUTABLE: Final = "_app/immutable/"
"""The folder whose file names contain a hash of the content."""

_ENCODINGS: Final = {"br": ".br", "gzip": ".gz"}
"""The encodings that a file may have, best first, with the suffixes that the build gives them."""

_RESERVED: Final = ("api/", "_app/")
"""Paths that are never views of the page. Unknown ones are errors."""

BASE_PATH_TOKEN: Final = b"/HANGTAG_BASE_PATH"
"""A placeholder in the HTML for the base path; see web/vite.config.ts."""

_KEPT_PAGES: Final = 16

_COMPRESSIBLE: Final = re.compile(r"text/|application/(javascript|json|manifest\+json)|image/svg")
_INLINE_SCRIPT: Final = re.compile(
    rb"<script(?![^>]*\bsrc\s*=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE
)

NOT_BUILT: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>hangtag</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><h1>hangtag</h1>
<p>The service is running, but the page has not been built. It is part of the package. In a checkout, run
<code>npm ci &amp;&amp; npm run build</code> in <code>web/</code> and restart the service.</p>
<p>The API is documented at <a href="/HANGTAG_BASE_PATH/api/docs">/api/docs</a>.</p></body></html>
"""


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file of the page: its bytes, plain and in each encoding."""

    plain: bytes
    encoded: Mapping[str, bytes]
    headers: Mapping[str, str]
    etag: str


class Page:
    """The files of a built page by path. Without a build, every view explains how to make one."""

    def __init__(self, folder: Path) -> None:
        found = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
        self._html = {name: path.read_bytes() for name, path in found.items() if path.suffix == ".html"}
        self._files = {name: _read(name, path) for name, path in found.items() if name not in self._html}
        self._fallback = next((name for name in _FALLBACKS if name in self._html), _FALLBACKS[-1])
        self._html.setdefault(self._fallback, NOT_BUILT.encode())
        self._render = lru_cache(_KEPT_PAGES)(self._render_html)

    def answer(self, request: Request) -> Response:
        """Return the file at a request's path, or the page itself, which shows the view at this path.

        Raises `NotFoundError` for a path that cannot be a view.
        """
        path = request.scope["path"].lstrip("/")
        file = self._find(path, request.scope.get(BASE_PATH_SCOPE, ""))
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

    def _find(self, path: str, base_path: str) -> PageFile:
        for name in (path, f"{path}.html", f"{path}/index.html".lstrip("/")):
            if name in self._files:
                return self._files[name]
            if name in self._html:
                return self._render(name, base_path)
        if path.startswith(_RESERVED):
            raise NotFoundError("nothing exists at this path")
        return self._render(self._fallback, base_path)

    def _render_html(self, name: str, base_path: str) -> PageFile:
        """Return an HTML file with the base path in front of every path in it."""
        html = self._html[name].replace(BASE_PATH_TOKEN, base_path.encode())
        return _build_file(name, html, {})


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
        headers["Vary"] += f", {PREFIX_HEADER}"
    if _COMPRESSIBLE.match(kind) and "gzip" not in encoded:
        encoded["gzip"] = gzip.compress(plain, mtime=0)
    return PageFile(plain, encoded, headers, f'"{hashlib.sha256(plain).hexdigest()[:20]}"')


def build_policy(html: bytes) -> str:
    """Return the Content-Security-Policy of a page: only its own files and its own inline scripts."""
    digests = (hashlib.sha256(script).digest() for script in _INLINE_SCRIPT.findall(html))
    hashes = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    return "; ".join(
        (
            "default-src 'none'",
            " ".join(("script-src 'self'", *hashes)),
            "style-src 'self'",
            "style-src-attr 'unsafe-inline'",  # components set sizes and positions, which cannot run code
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
