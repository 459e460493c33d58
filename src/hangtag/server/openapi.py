"""The API's description: the OpenAPI document, and a plain HTML page made from it that works offline.

`python -m hangtag.server.openapi > web/openapi.json` writes the committed copy.
"""

import base64
import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from html import escape
from typing import Any, Final

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from hangtag.server.problems import problem_responses
from hangtag.server.schemas import Problem

Json = Mapping[str, Any]

_STYLE: Final = """
:root { color-scheme: light dark; --line: light-dark(#ddd, #444); --soft: light-dark(#f5f5f3, #242424); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1.5rem; }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); } h3 { margin: 2rem 0 0.5rem; }
code, pre { font: 0.875em/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
pre { background: var(--soft); padding: 0.75rem; overflow-x: auto; border-radius: 4px; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 600; }
.table { overflow-x: auto; } table { border-collapse: collapse; width: 100%; margin: 0.5rem 0 1rem; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 1rem 0.25rem 0; border-bottom: 1px solid var(--line); }
a { color: inherit; }
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'; base-uri 'none'"
)


_LEAD: Final = (
    '<p>For programs: <a href="v1/openapi.json">openapi.json</a>. Errors are problem details (RFC 9457) '
    'with a stable <code>code</code>: <a href="#Problem">Problem</a>.</p>'
)


def render_api_page(document: Json) -> HTMLResponse:
    """Return the page."""
    info = document["info"]
    operations = list(_iter_operations(document))
    body = [
        f"<h1>{escape(info['title'])} {escape(info['version'])}: the HTTP API</h1>",
        f"<p>{escape(info['summary'])}</p>",
        _LEAD,
        *_list_contents(operations),
        "<h2>Operations</h2>",
        *(
            line
            for address, method, operation in operations
            for line in _describe(address, method, operation)
        ),
        "<h2>Schemas</h2>",
        *(
            line
            for name, schema in document["components"]["schemas"].items()
            for line in _describe_value(name, schema)
        ),
    ]
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>hangtag: the HTTP API</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main>{''.join(body)}</main></body></html>"
    )
    return HTMLResponse(html, headers={"Content-Security-Policy": _POLICY})


def _iter_operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for address, operations in document["paths"].items():
        for method, operation in operations.items():
            yield address, method.upper(), operation


def _list_contents(operations: list[tuple[str, str, Json]]) -> Iterator[str]:
    yield "<h2>Contents</h2><ul>"
    for address, method, operation in operations:
        anchor, heading = escape(operation["operationId"]), _heading(method, address)
        yield f'<li><a href="#{anchor}">{heading}</a></li>'
    yield "</ul>"


def _heading(method: str, address: str) -> str:
    return f'<code><span class="method">{method}</span> {escape(address)}</code>'


def _describe(address: str, method: str, operation: Json) -> Iterator[str]:
    yield f'<h3 id="{escape(operation["operationId"])}">{_heading(method, address)}</h3>'
    yield f"<p>{escape(operation.get('description', ''))}</p>"
    given = [
        (parameter["name"], parameter["in"], _type_of(parameter["schema"]), parameter.get("description", ""))
        for parameter in operation.get("parameters", [])
    ]
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        schema = content["schema"]
        if "$ref" in schema:
            given.append(("", kind, _type_of(schema), ""))
        given += [
            (name, kind, _type_of(field), field.get("description", ""))
            for name, field in schema.get("properties", {}).items()
        ]
    if given:
        yield from _table(f"What {method} {address} takes", ("name", "in", "type", "meaning"), given)
    answers = [
        (status, ", ".join(answer.get("content", {})), _type_of(_schema_of(answer)), answer["description"])
        for status, answer in operation["responses"].items()
    ]
    yield from _table(f"What {method} {address} answers", ("status", "content", "value", "meaning"), answers)
    if method == "POST" and "requestBody" in operation:
        yield f'<pre tabindex="0">{escape(_example(address, operation))}</pre>'


def _describe_value(name: str, schema: Json) -> Iterator[str]:
    yield f'<h3 id="{escape(name)}"><code>{escape(name)}</code></h3><p>{escape(schema.get("description", ""))}</p>'
    if "enum" in schema:
        yield f"<p>{_type_of(schema)}</p>"
    rows = [
        (field, _type_of(schema_of), schema_of.get("description", ""))
        for field, schema_of in schema.get("properties", {}).items()
    ]
    if rows:
        yield from _table(f"The fields of {name}", ("field", "type", "meaning"), rows)


def _table(caption: str, headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield a table, which can be scrolled with the keyboard. The column of types is HTML already."""
    yield f'<div class="table" role="region" tabindex="0" aria-label="{escape(caption)}"><table><tr>'
    yield from (f'<th scope="col">{heading}</th>' for heading in headings)
    yield "</tr>"
    types = {position for position, heading in enumerate(headings) if heading in {"type", "value"}}
    for row in rows:
        cells = (cell if position in types else escape(cell) for position, cell in enumerate(row))
        yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    yield "</table></div>"


def _schema_of(answer: Json) -> Json:
    contents: Mapping[str, Json] = answer.get("content", {})
    return next((content.get("schema", {}) for content in contents.values()), {})


def _type_of(schema: Json) -> str:
    """Return a short form of a schema as HTML: a link to a value, a type, or types."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}"><code>{name}</code></a>'
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(_type_of(choice) for choice in schema[several])
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return " or ".join(f"<code>{escape(json.dumps(value))}</code>" for value in values)
    kind = schema.get("type", "")
    if kind == "array":
        inside = schema.get("items") or {"anyOf": schema.get("prefixItems", [])}
        return f"list of {_type_of(inside)}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type_of(schema['additionalProperties'])}"
    return escape("file" if schema.get("format") == "binary" else kind)


def _example(address: str, operation: Json) -> str:
    """Return an example call with curl."""
    (kind, content), *_ = operation["requestBody"]["content"].items()
    required = content["schema"].get("required", [])
    if kind != "multipart/form-data":
        return f"curl -X POST http://127.0.0.1:8080{address}"
    files = " ".join(f"-F {name}=@shirt.jpg" for name in required)
    return f"curl {files or '-F files=@photos.zip'} http://127.0.0.1:8080{address}"


_TEMPLATE: Final = "#/components/schemas/{model}"
_INVALID: Final = "422"
_FASTAPI_SCHEMAS: Final = ("HTTPValidationError", "ValidationError")


def describe_api(app: FastAPI) -> dict[str, Any]:
    """Return the document of an app, built once. Every error in it is a `Problem`."""
    if app.openapi_schema is None:
        document = FastAPI.openapi(app)
        schemas: dict[str, Any] = document["components"]["schemas"]
        for name in _FASTAPI_SCHEMAS:
            schemas.pop(name, None)
        problem = Problem.model_json_schema(mode="serialization", ref_template=_TEMPLATE)
        schemas |= problem.pop("$defs", {})
        schemas["Problem"] = problem
        document["components"]["schemas"] = dict(sorted(schemas.items()))
        for operations in document["paths"].values():
            for operation in operations.values():
                _tidy(operation)
    return app.openapi_schema or {}


def render_document(app: FastAPI) -> str:
    """Return the document of an app as JSON text. It does not depend on the settings."""
    return json.dumps(describe_api(app), indent=2, ensure_ascii=False) + "\n"


def find_methods(document: dict[str, Any], path: str) -> frozenset[str]:
    """Return the methods that the document lists for a path; an empty set for an unknown path."""
    return frozenset(
        method.upper()
        for template, operations in document["paths"].items()
        if _pattern(template).fullmatch(path)
        for method in operations
    )


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)))


def _tidy(operation: dict[str, Any]) -> None:
    operation.pop("summary", None)  # FastAPI derives it from the function's name
    invalid = operation["responses"].get(_INVALID)
    if invalid is not None and "application/json" in invalid["content"]:
        operation["responses"][_INVALID] = problem_responses(422)[422]


if __name__ == "__main__":
    from hangtag.server.app import create_app
    from hangtag.server.settings import Settings

    sys.stdout.write(render_document(create_app(Settings())))
