"""Writing a report so that it is either whole or not there."""

from pathlib import Path

from hangtag.domain.durable import replacing
from hangtag.domain.errors import UsageError


def write_whole(data: bytes, path: Path) -> None:
    """Write a file, whole or not at all; its folder is made.

    Raises `UsageError` when the folder cannot be made or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        problem = f"the file cannot be written ({error.strerror or error})"
        raise UsageError(problem, where=path, fix="Choose another --output.") from error
