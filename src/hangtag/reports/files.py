"""Writing a report so that it is either whole or not there."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from hangtag.domain.errors import UsageError


def write_whole(data: bytes, path: Path) -> None:
    """Write a file under another name in the same folder and then rename it.

    Raises `UsageError` when the folder cannot be made or written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        os.replace(temporary, path)  # noqa: PTH105 - the name says what happens
    except OSError as error:
        problem = f"the file cannot be written ({error.strerror or error})"
        raise UsageError(problem, where=path, fix="Choose another --output.") from error
    finally:
        with suppress(OSError):  # it is not there, or its folder is not
            temporary.unlink()
