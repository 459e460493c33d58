"""Writing a file so that it is either whole or not there."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hangtag.domain.durable import replacing
from hangtag.domain.errors import CatalogueError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path to write a file under, as `replacing` does; the folder is made.

    Raises `CatalogueError` when the folder cannot be made or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            yield temporary
    except OSError as error:
        problem = f"the file cannot be written ({error.strerror or error})"
        raise CatalogueError(problem, where=path, fix="Choose another --output.") from error


def write_json(value: Any, path: Path) -> None:  # noqa: ANN401 - whatever JSON can say
    """Write a value as indented JSON, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
