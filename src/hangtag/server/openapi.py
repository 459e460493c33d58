"""The OpenAPI document. `python -m hangtag.server.openapi > web/openapi.json` writes the committed copy."""

import json
import re
import sys
from functools import cache
from typing import Any, Final

from fastapi import FastAPI

from hangtag.server.problems import problem_responses
from hangtag.server.schemas import Problem

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
