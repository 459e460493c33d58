"""Writing a file so that it is either whole or not there."""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hangtag.domain.errors import CatalogueError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder that takes the place of `path` once the block has ended well.

    On any exception, Ctrl-C included, the temporary file is removed and an older `path` stays as it was.

    Raises `CatalogueError` when the folder cannot be made or written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)  # noqa: PTH105 - the name says what happens
    except OSError as error:
        problem = f"the file cannot be written ({error.strerror or error})"
        raise CatalogueError(problem, where=path, fix="Choose another --output.") from error
    finally:
        with suppress(OSError):  # it is not there, or its folder is not
            temporary.unlink()


def write_json(value: Any, path: Path) -> None:  # noqa: ANN401 - whatever JSON can say
    """Write a value as indented JSON, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
