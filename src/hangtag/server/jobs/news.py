"""What is new of the jobs, told within the process: those who watch a job ask no database."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

from hangtag.server.jobs.schemas import Job


class Watch:
    """One who watches a job: the newest state of it, and a way to wait for a newer one."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._job: Job | None = None
        self.has_ended = False

    async def wait(self, timeout_s: float) -> Job | None:
        """Return the newest state when there is one that was not yet seen, None after `timeout_s` without any."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return None
        self._changed.clear()
        job, self._job = self._job, None
        return job

    def tell(self, job: Job | None) -> None:
        """Give a newer state, from any thread; None ends the watch."""
        self._loop.call_soon_threadsafe(self._take, job)

    def _take(self, job: Job | None) -> None:
        self.has_ended = self.has_ended or job is None
        self._job = job or self._job
        self._changed.set()


class JobNews:
    """Passes the states of jobs on to those who watch them. Safe to use from several threads."""

    def __init__(self) -> None:
        self._watches: dict[str, set[Watch]] = defaultdict(set)
        self._lock = RLock()  # a signal may close this in a thread that holds it
        self._is_closed = False

    def tell(self, job: Job) -> None:
        """Pass a job's new state on."""
        with self._lock:
            watches = list(self._watches.get(job.id, ()))
        _tell(watches, job)

    @contextmanager
    def watch(self, job_id: str) -> Iterator[Watch]:
        """Watch a job while the block runs, in an event loop."""
        watch = Watch()
        with self._lock:
            watch.has_ended = self._is_closed
            self._watches[job_id].add(watch)
        try:
            yield watch
        finally:
            with self._lock:
                self._watches[job_id].discard(watch)
                if not self._watches[job_id]:
                    del self._watches[job_id]

    def count_watches(self) -> int:
        """Return how many watch."""
        with self._lock:
            return sum(map(len, self._watches.values()))

    def close(self) -> None:
        """End all watches, and those that begin from now on: the service stops, and will have no more news."""
        with self._lock:
            self._is_closed = True
            watches = [watch for those in self._watches.values() for watch in those]
        _tell(watches, None)


def _tell(watches: list[Watch], job: Job | None) -> None:
    for watch in watches:
        try:
            watch.tell(job)
        except RuntimeError:  # its event loop has just ended
            continue
