"""Background tasks of the service: removing data after its retention time, and measuring the storage."""

import asyncio
import logging
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from hangtag.domain.errors import HangtagError
from hangtag.server.access.control import AccessControl
from hangtag.server.settings import Settings
from hangtag.server.telemetry import Metrics, log_event
from hangtag.store.audit import AuditEvent
from hangtag.store.batches import Batches
from hangtag.store.keeping import Usage, find_unchanged, measure_usage

_log = logging.getLogger(__name__)

_EVERY_S: Final = 60.0
_FORGETS_EVERY_S: Final = 3600.0
RETENTION: Final = "retention"
"""The author of removals in the audit log."""


class Housekeeper:
    """Measures the store every minute, and every hour removes what is older than the settings allow.

    Several services on one database may do so at the same time.
    """

    def __init__(self, settings: Settings, access: AccessControl, batches: Batches, metrics: Metrics) -> None:
        self.usage = Usage()
        self._settings = settings
        self._access = access
        self._batches = batches
        self._forgot_at = -_FORGETS_EVERY_S
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        for name, meaning, limit in (
            ("photo_bytes", "Bytes of the photos of all batches.", settings.quota_bytes),
            ("products", "Products of all batches.", settings.quota_products),
        ):
            metrics.watch(f"hangtag_stored_{name}", meaning, partial(self._stored, name))
            if limit is not None:
                most = f"The quota: {meaning[0].lower()}{meaning[1:]}"
                metrics.watch(f"hangtag_quota_{name}", most, partial(float, limit))

    def _stored(self, name: str) -> float:
        return float(getattr(self.usage, name))

    def start(self) -> None:
        """Start, in the background."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop, after the removal in progress."""
        self._ending.set()
        if self._task is not None:
            await self._task

    def tidy(self) -> None:
        """Do everything once, now."""
        self._forget()
        self._measure()

    async def _run(self) -> None:
        while not self._ending.is_set():
            try:
                if time.monotonic() - self._forgot_at >= _FORGETS_EVERY_S:
                    await asyncio.to_thread(self._forget)
                await asyncio.to_thread(self._measure)
            except (SQLAlchemyError, HangtagError, OSError) as error:  # the next try may succeed
                log_event(_log, logging.WARNING, f"housekeeping failed: {error}")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _EVERY_S)

    def _measure(self) -> None:
        with self._access.accounts.engine.connect() as connection:
            self.usage = measure_usage(connection)

    def _forget(self) -> None:
        self._forgot_at = time.monotonic()
        self._access.audit.purge(timedelta(days=self._settings.audit_days))
        self._access.accounts.forget_expired()
        if self._settings.batch_days is None:
            return
        before = datetime.now(UTC) - timedelta(days=self._settings.batch_days)
        with self._access.accounts.engine.connect() as connection:
            unchanged = find_unchanged(connection, before)
        for batch_id in unchanged:
            with suppress(HangtagError):  # somebody deleted it meanwhile
                self._batches.delete(batch_id)
                self._access.audit.record(AuditEvent(what="delete_batch", via=RETENTION, target=batch_id))
        if unchanged:
            log_event(_log, logging.INFO, "removed batches that nobody changed", batches=len(unchanged))
