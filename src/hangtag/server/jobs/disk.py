"""A disk that is full, which the client is told of."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import ClassVar

from sqlalchemy.exc import DBAPIError

from hangtag.server.problems import RequestError


class DiskFullError(RequestError):
    """What was sent does not fit on the disk."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INSUFFICIENT_STORAGE
    code = "disk_full"


@contextmanager
def telling_of_a_full_disk() -> Iterator[None]:
    """Raise `DiskFullError` where the block fails for want of disk space."""
    try:
        yield
    except (OSError, DBAPIError) as error:
        if is_disk_full(error):
            raise DiskFullError("what was sent does not fit on the service's disk") from error
        raise


def is_disk_full(error: OSError | DBAPIError) -> bool:
    """Tell whether an error means that there is no space left."""
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT}
    return getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
