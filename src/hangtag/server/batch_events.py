"""Changes of a batch as server-sent events. A client that reconnects gets everything it missed.

The id of an event is the revision of the batch. The database has the changes since a revision, so nothing has to be
buffered for clients that are away.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock
from typing import Any, Final

from pydantic_core import to_json
from sqlalchemy import select

from hangtag.domain.errors import NotStoredError
from hangtag.store.batches import Batches
from hangtag.store.shop_models import read_learnt
from hangtag.store.store import Store
from hangtag.store.tables import BatchRow, ProductRow

INTERVAL_S: Final = 0.25
"""Events come at most four times a second."""

LOOK_S: Final = 1.0
"""How often the database is polled without a notification: another service may use it, too."""

PRESENCE_S: Final = 45.0
"""After this time without a presence update, a person has left."""

HEARTBEAT_S: Final = 15.0
MOST_PRODUCTS: Final = 500
_RETRY_MS: Final = 1000


class Bell:
    """Wakes one reader. Can be rung from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()
        self.has_ended = False

    async def wait(self, timeout_s: float) -> None:
        """Wait until the bell rings, for at most `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._rung.wait()
        except TimeoutError:
            return
        self._rung.clear()

    def ring(self, *, is_end: bool = False) -> None:
        """Wake the reader."""
        self.has_ended = self.has_ended or is_end
        try:
            self._loop.call_soon_threadsafe(self._rung.set)
        except RuntimeError:  # its event loop has just ended
            return


class BatchEvents:
    """Notifies the readers of batches of changes, and tracks which product each person has open. Thread-safe."""

    def __init__(self) -> None:
        self._bells: dict[int, set[Bell]] = defaultdict(set)
        self._present: dict[int, dict[str, tuple[str, float]]] = defaultdict(dict)
        self._lock = RLock()  # a signal handler may call close() in a thread that holds the lock
        self._is_closed = False

    def ring(self, batch: int) -> None:
        """Notify the readers of a batch of a change."""
        with self._lock:
            bells = list(self._bells.get(batch, ()))
        for bell in bells:
            bell.ring()

    def set_presence(self, batch: int, who: str, product: str | None) -> None:
        """Set which product a person has open; None for none."""
        with self._lock:
            if product is None:
                self._present[batch].pop(who, None)
            else:
                self._present[batch][who] = (product, time.monotonic())
        self.ring(batch)

    def presence(self, batch: int) -> dict[str, str]:
        """Return which product each person has open."""
        since = time.monotonic() - PRESENCE_S
        with self._lock:
            return {who: product for who, (product, at) in self._present[batch].items() if at > since}

    @contextmanager
    def listening(self, batch: int) -> Iterator[Bell]:
        """Yield a bell that rings for a batch. Must be called in an event loop."""
        bell = Bell()
        with self._lock:
            bell.has_ended = self._is_closed
            self._bells[batch].add(bell)
        try:
            yield bell
        finally:
            with self._lock:
                self._bells[batch].discard(bell)

    def count(self) -> int:
        """Return the number of readers."""
        with self._lock:
            return sum(map(len, self._bells.values()))

    def close(self) -> None:
        """End all streams, present and future. Called when the service stops."""
        with self._lock:
            self._is_closed = True
            bells = [bell for of_batch in self._bells.values() for bell in of_batch]
        for bell in bells:
            bell.ring(is_end=True)


@dataclass(frozen=True, slots=True)
class BatchStream:
    """The events of one batch."""

    store: Store
    batches: Batches
    events: BatchEvents
    batch_id: str

    async def iter_events(self, since: int | None) -> AsyncIterator[bytes]:
        """Yield events since a revision; without one, since the current one. The first event has the batch's state."""
        number, revision = await asyncio.to_thread(self._find)
        yield f"retry: {_RETRY_MS}\n\n".encode()
        known = revision if since is None else min(since, revision)
        present: dict[str, str] = {}
        learnt = await asyncio.to_thread(self._read_learnt, number)
        is_first, silent_since = True, time.monotonic()
        with self.events.listening(number) as bell:
            while not bell.has_ended:
                pieces: list[bytes] = []
                try:
                    revision, changes = await asyncio.to_thread(self._read, number, known)
                except NotStoredError:
                    yield _render({"type": "deleted", "batch": self.batch_id})
                    return
                if revision != known or is_first:
                    pieces += [_render(change, revision) for change in changes]
                    now_learnt = await asyncio.to_thread(self._read_learnt, number)
                    if now_learnt is not None and now_learnt["model"] != (learnt or {}).get("model"):
                        pieces.append(_render({"type": "learnt", "learnt": now_learnt}, revision))
                    learnt = now_learnt
                known, is_first = revision, False
                now_present = self.events.presence(number)
                pieces += [
                    _render({"type": "presence", "who": who, "product": now_present.get(who)})
                    for who in present.keys() | now_present.keys()
                    if present.get(who) != now_present.get(who)
                ]
                present = now_present
                if not pieces and time.monotonic() - silent_since > HEARTBEAT_S:
                    pieces = [b": heartbeat\n\n"]
                for piece in pieces:
                    silent_since = time.monotonic()
                    yield piece
                if pieces:
                    await asyncio.sleep(INTERVAL_S)
                await bell.wait(LOOK_S)

    def _find(self) -> tuple[int, int]:
        with self.store.engine.connect() as connection:
            batch = self.store.find_batch(connection, self.batch_id)
            return batch.number, batch.revision

    def _read_learnt(self, number: int) -> dict[str, Any] | None:
        """Return what was last learned for the batch's model, once the batch has its labels."""
        with self.store.engine.connect() as connection:
            model = connection.execute(
                select(BatchRow.model).where(BatchRow.number == number)
            ).scalar_one_or_none()
            found = None if model is None else read_learnt(connection, self.store.base_of(connection, model))
        return found if found is not None and self.batch_id in found["batches"] else None

    def _read(self, number: int, known: int) -> tuple[int, list[dict[str, Any]]]:
        """Return the current revision, and the changes since another one."""
        with self.store.engine.connect() as connection:
            found = connection.execute(
                select(BatchRow.revision, BatchRow.rebuilt).where(BatchRow.number == number)
            ).first()
            if found is None:
                raise NotStoredError("the batch was deleted")
            revision, is_rebuilt = found.revision, found.rebuilt > known
            statement = (
                select(ProductRow.number, ProductRow.version, ProductRow.removed)
                .where(ProductRow.batch == number, ProductRow.revision > known)
                .limit(MOST_PRODUCTS + 1)
            )
            rows = connection.execute(statement).all() if revision != known else []
        if revision == known:
            return revision, [{"type": "batch", "batch": self.batches.get(self.batch_id)}]
        is_many = is_rebuilt or len(rows) > MOST_PRODUCTS
        products = {
            "type": "products",
            "ids": [] if is_many else [str(row.number) for row in rows],
            "versions": {} if is_many else {str(row.number): row.version for row in rows},
            "removed": [str(row.number) for row in rows if row.removed],
            "all": is_many,
        }
        changes = [products] if rows or is_rebuilt else []
        return revision, [*changes, {"type": "batch", "batch": self.batches.get(self.batch_id)}]


def _render(event: dict[str, Any], revision: int | None = None) -> bytes:
    head = b"" if revision is None else f"id: {revision}\n".encode()
    return head + b"data: " + to_json(event) + b"\n\n"
