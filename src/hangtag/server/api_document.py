"""The OpenAPI document of an app."""

import re
from functools import cache
from typing import Any, Final

from fastapi import FastAPI

from hangtag.server.problems import problem_responses
from hangtag.server.schemas import Problem

_TEMPLATE: Final = "#/components/schemas/{model}"
_INVALID: Final = "422"
_FASTAPIS_OWN: Final = ("HTTPValidationError", "ValidationError")


def describe_api(app: FastAPI) -> dict[str, Any]:
    """Return the document, made once. Every error in it is a problem, as every error of the app is."""
    if app.openapi_schema is None:
        document = FastAPI.openapi(app)
        schemas: dict[str, Any] = document["components"]["schemas"]
        for name in _FASTAPIS_OWN:
            schemas.pop(name, None)
        problem = Problem.model_json_schema(mode="serialization", ref_template=_TEMPLATE)
        schemas |= problem.pop("$defs", {})
        schemas["Problem"] = problem
        document["components"]["schemas"] = dict(sorted(schemas.items()))
        for operations in document["paths"].values():
            for operation in operations.values():
                _tidy(operation)
    return app.openapi_schema or {}


def find_methods(document: dict[str, Any], address: str) -> frozenset[str]:
    """Return the methods that the document knows for an address; none for an address that it does not know."""
    return frozenset(
        method.upper()
        for template, operations in document["paths"].items()
        if _pattern(template).fullmatch(address)
        for method in operations
    )


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)))


def _tidy(operation: dict[str, Any]) -> None:
    operation.pop("summary", None)  # made of the function's name, it says nothing more
    invalid = operation["responses"].get(_INVALID)
    if invalid is not None and "application/json" in invalid["content"]:
        operation["responses"][_INVALID] = problem_responses(422)[422]
