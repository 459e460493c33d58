"""Faults of the database and the disk while the service runs, as errors that say what to do.

None of them loses anything that was acknowledged: responses are sent only after the commit.
"""

import errno
import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from hangtag.domain.errors import HangtagError, StoreError

RESERVE_BYTES: Final = 8 << 20
"""The disk space reserved for deleting: a database has to write before it can remove."""


class FaultError(StoreError):
    """The store cannot work right now. `retry_after_s` is when to try again, None if someone has to act first."""

    retry_after_s: ClassVar[int | None] = 5


class DiskFullError(FaultError):
    """The disk is full. Deleting still works."""

    code = "disk_full"
    retry_after_s = None


class DatabaseBusyError(FaultError):
    """Something else has locked the database for too long."""

    code = "database_busy"
    retry_after_s = 1


class DatabaseGoneError(FaultError):
    """The database cannot be reached, or its file is gone."""

    code = "database_unavailable"


class DatabaseDamagedError(FaultError):
    """The database file is damaged."""

    code = "database_damaged"
    retry_after_s = None


class FolderFaultError(FaultError):
    """The data folder cannot be written or read."""

    code = "data_folder"
    retry_after_s = None


_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_TOO_MANY_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE})
_SQLITE_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_SQLITE_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_SQLITE_FORBIDDEN: Final = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM})
_SQLITE_GONE: Final = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
_POSTGRES_FULL: Final = "53100"
_POSTGRES_BUSY: Final = frozenset({"40001", "40P01", "55P03", "57014"})
_POSTGRES_GONE: Final = ("08", "53", "57P", "58")
_POSTGRES_DAMAGED: Final = ("XX001", "XX002")
_PRIMARY: Final = 0xFF
"""SQLite's extended error codes have the primary code in their lowest byte."""


def find_fault(error: BaseException) -> FaultError | None:
    """Return the error to report for a fault of the database or the disk; None if it is a bug."""
    if isinstance(error, FaultError):
        return error
    if isinstance(error, PoolTimeoutError):
        return database_busy()
    if isinstance(error, DBAPIError):
        return _find_database_fault(error)
    return None if isinstance(error, HangtagError) else _find_disk_fault(error)


def database_gone(detail: str) -> DatabaseGoneError:
    """Return the error for a database that cannot be reached."""
    return DatabaseGoneError(
        f"the database cannot be reached ({detail})",
        fix="Start the database again. No confirmed change is lost, and the service reconnects by itself.",
    )


def file_replaced() -> DatabaseGoneError:
    """Return the error for a SQLite file that was removed or replaced while the service runs."""
    return DatabaseGoneError(
        "the file of the database was removed or replaced",
        fix="Put the file back, or restart the service to use another one.",
    )


def database_damaged() -> DatabaseDamagedError:
    """Return the error for a corrupt database."""
    return DatabaseDamagedError(
        "the database is damaged",
        fix="Stop the service and run `hangtag doctor`. `hangtag restore` restores a backup.",
    )


def disk_full() -> DiskFullError:
    """Return the error for a full disk."""
    return DiskFullError(
        "the disk of the service is full",
        fix="Delete batches, which works even on a full disk, or free some space.",
    )


def folder_fault(detail: str) -> FolderFaultError:
    """Return the error for a data folder that cannot be used."""
    return FolderFaultError(
        f"the data folder cannot be used ({detail})",
        fix="Mount it writable, and make the service's user its owner.",
    )


def database_busy() -> DatabaseBusyError:
    """Return the error for a database that something else has locked."""
    return DatabaseBusyError(
        "another program is locking the database",
        fix="Try again. If it persists, find the program that locks the database.",
    )


def _find_database_fault(error: DBAPIError) -> FaultError | None:
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return _find_sqlite_fault(code & _PRIMARY, str(error.orig))
    state = getattr(error.orig, "sqlstate", None)
    if state is None:  # the driver lost the connection, or could not open one
        is_lost = error.connection_invalidated or type(error.orig).__name__ == "OperationalError"
        return database_gone(_first_line(error)) if is_lost else None
    if state == _POSTGRES_FULL:
        return disk_full()
    if state in _POSTGRES_DAMAGED:
        return database_damaged()
    if state in _POSTGRES_BUSY:
        return database_busy()
    return database_gone(_first_line(error)) if state.startswith(_POSTGRES_GONE) else None


def _find_sqlite_fault(code: int, detail: str) -> FaultError | None:
    if code == sqlite3.SQLITE_FULL:
        return disk_full()
    if code in _SQLITE_DAMAGED:
        return database_damaged()
    if code in _SQLITE_BUSY:
        return database_busy()
    if code in _SQLITE_FORBIDDEN:
        return folder_fault(detail)
    return database_gone(detail) if code in _SQLITE_GONE else None


def _find_disk_fault(error: BaseException) -> FaultError | None:
    if not isinstance(error, OSError):
        return None
    if error.errno in _FULL:
        return disk_full()
    if error.errno in _FORBIDDEN:
        return folder_fault(error.strerror or str(error))
    if error.errno in _TOO_MANY_FILES:
        return DatabaseBusyError(
            "too many files and connections are open", fix="Try again, or raise the limit on open files."
        )
    return folder_fault(error.strerror or str(error)) if error.errno == errno.EIO else None


def _first_line(error: SQLAlchemyError) -> str:
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


class Reserve:
    """A file that reserves disk space. It is released when something has to be deleted on a full disk."""

    def __init__(self, path: Path, size: int = RESERVE_BYTES) -> None:
        self._path = path
        self._size = size

    def fill(self) -> None:
        """Reserve the space, as far as there is any. On a full disk this silently does nothing."""
        with suppress(OSError):
            if self._path.exists() and self._path.stat().st_size == self._size:
                return
            try:
                with self._path.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, self._size)
            except OSError:
                self.release()
                raise

    def release(self) -> None:
        """Release the space."""
        self._path.unlink(missing_ok=True)
