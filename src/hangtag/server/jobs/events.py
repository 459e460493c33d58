"""The progress of jobs: published by the worker, read as server-sent events."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Final

from hangtag.server.jobs.schemas import Job
from hangtag.server.jobs.store import UNFINISHED, JobStore

EVENT_INTERVAL_S: Final = 0.25
HEARTBEAT_S: Final = 15.0
_RETRY_MS: Final = 1000
_HEARTBEAT: Final = b": heartbeat\n\n"


class Subscription:
    """One reader's view of a job: the latest state, and a way to wait for the next one."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._job: Job | None = None
        self.has_ended = False

    async def wait(self, timeout_s: float) -> Job | None:
        """Return the latest state that was not yet returned, or None after `timeout_s` without one."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return None
        self._changed.clear()
        job, self._job = self._job, None
        return job

    def publish(self, job: Job | None) -> None:
        """Deliver a state, from any thread. None ends the subscription."""
        self._loop.call_soon_threadsafe(self._receive, job)

    def _receive(self, job: Job | None) -> None:
        self.has_ended = self.has_ended or job is None
        self._job = job or self._job
        self._changed.set()


class JobEvents:
    """Passes job states to subscribers within the process, so that no one polls the database. Thread-safe."""

    def __init__(self) -> None:
        self._subscriptions: dict[str, set[Subscription]] = defaultdict(set)
        self._lock = RLock()  # a signal handler may call close() in a thread that holds the lock
        self._is_closed = False

    def publish(self, job: Job) -> None:
        """Send a job's new state to its subscribers."""
        with self._lock:
            subscriptions = list(self._subscriptions.get(job.id, ()))
        _publish(subscriptions, job)

    @contextmanager
    def subscribe(self, job_id: str) -> Iterator[Subscription]:
        """Subscribe to a job while the block runs. Must be called in an event loop."""
        subscription = Subscription()
        with self._lock:
            subscription.has_ended = self._is_closed
            self._subscriptions[job_id].add(subscription)
        try:
            yield subscription
        finally:
            with self._lock:
                self._subscriptions[job_id].discard(subscription)
                if not self._subscriptions[job_id]:
                    del self._subscriptions[job_id]

    def count_subscriptions(self) -> int:
        """Return the number of open subscriptions."""
        with self._lock:
            return sum(map(len, self._subscriptions.values()))

    def close(self) -> None:
        """End all subscriptions, present and future. Called when the service stops."""
        with self._lock:
            self._is_closed = True
            subscriptions = [one for of_job in self._subscriptions.values() for one in of_job]
        _publish(subscriptions, None)


async def iter_events(store: JobStore, events: JobEvents, job_id: str) -> AsyncIterator[bytes]:
    """Yield a job's current state and then its changes as server-sent events, at most four a second.

    The last event has the final state. If the service stops, the stream ends early and the client reconnects after a
    second.
    """
    yield f"retry: {_RETRY_MS}\n\n".encode()
    with events.subscribe(job_id) as subscription:
        job = await asyncio.to_thread(store.get, job_id)  # includes all that was published before
        yield _render(job)
        while job.state in UNFINISHED and not subscription.has_ended:
            newer = await subscription.wait(HEARTBEAT_S)
            if newer is not None:
                job = newer
                yield _render(job)
                if job.state in UNFINISHED:
                    await asyncio.sleep(EVENT_INTERVAL_S)
            elif not subscription.has_ended:
                yield _HEARTBEAT


def _render(job: Job) -> bytes:
    return f"event: progress\ndata: {job.model_dump_json()}\n\n".encode()


def _publish(subscriptions: list[Subscription], job: Job | None) -> None:
    for subscription in subscriptions:
        try:
            subscription.publish(job)
        except RuntimeError:  # the subscriber's event loop has just ended
            continue
