"""Prints the OpenAPI document: `python -m hangtag.server.openapi > web/openapi.json`."""

import json
import sys

from hangtag.server.app import create_app
from hangtag.server.settings import Settings


def render_document() -> str:
    """Return the document as JSON text. It depends on no setting."""
    return json.dumps(create_app(Settings()).openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render_document())
