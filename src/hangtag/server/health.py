"""Whether the service can work now: the database, the disk, the data folder and the default model."""

import asyncio
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, text

from hangtag.domain.errors import BundleError, HangtagError
from hangtag.server.settings import MIB
from hangtag.store.database import writing
from hangtag.store.faults import (
    DatabaseDamagedError,
    FaultError,
    database_damaged,
    database_gone,
    disk_full,
    find_fault,
)

LITTLE_DISK_BYTES: Final = 32 * MIB
"""With less free space than this, an upload is about to fail."""

FRESH_S: Final = 1.0
_PATIENCE_S: Final = 4.0
"""How long the database may take to answer: longer than the service's usual transactions."""

_LOCK_MS: Final = 3000
_SQLITE_START: Final = b"SQLite format 3\0"


class Health:
    """Checks what the service needs, at most once a second, on a thread that nothing else can block."""

    def __init__(
        self, engine: Engine, data_folder: Path, check_model: Callable[[], BundleError | None]
    ) -> None:
        self._engine = engine
        self._folder = data_folder
        self._check_model = check_model
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="health")
        self._looking: asyncio.Future[list[HangtagError]] | None = None
        self._found: list[HangtagError] = []
        self._at = float("-inf")
        self._damage: DatabaseDamagedError | None = None

    def note(self, fault: FaultError) -> None:
        """Record damage that a request found. Checking the file alone does not find all of it."""
        if isinstance(fault, DatabaseDamagedError):
            self._damage = fault

    async def find_faults(self) -> list[HangtagError]:
        """Return the current faults; empty if all is well."""
        if time.monotonic() - self._at < FRESH_S:
            return self._found
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().run_in_executor(self._threads, self._look)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                self._found = await asyncio.shield(self._looking)
        except TimeoutError:
            self._found = [database_gone(f"no answer in {_PATIENCE_S:g} seconds")]
        self._at = time.monotonic()
        return self._found

    def close(self) -> None:
        """End the thread after its current check."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _look(self) -> list[HangtagError]:
        looks = (self._look_at_folder, self._look_at_database, self._check_model)
        found: list[HangtagError] = []
        for look in looks:
            try:
                fault = look()
            except Exception as error:
                fault = find_fault(error)
                if fault is None:
                    raise
            if fault is not None:
                found.append(fault)
        return found

    def _look_at_folder(self) -> FaultError | None:
        probe = self._folder / f".probe-{os.getpid()}"
        try:
            probe.write_bytes(bytes(4096))
        finally:
            probe.unlink(missing_ok=True)
        return disk_full() if shutil.disk_usage(self._folder).free < LITTLE_DISK_BYTES else None

    def _look_at_database(self) -> FaultError | None:
        if self._damage is not None:
            return self._damage
        with self._engine.connect() as connection:  # like a read request: without a lock
            connection.execute(text("SELECT count(*) FROM batches"))
        is_sqlite = self._engine.dialect.name == "sqlite"
        if is_sqlite and not _has_start(Path(self._engine.url.database or "")):
            return database_damaged()
        with writing(self._engine, _LOCK_MS) as connection:
            connection.execute(text("UPDATE batches SET revision = revision WHERE number < 0"))
        return None


def _has_start(path: Path) -> bool:
    """Return whether a file begins like a SQLite file. Its previous content may still be cached in memory."""
    with path.open("rb") as file:
        return file.read(len(_SQLITE_START)) == _SQLITE_START
