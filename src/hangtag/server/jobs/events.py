"""The progress of a job as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from hangtag.server.jobs.news import JobNews
from hangtag.server.jobs.schemas import Job
from hangtag.server.jobs.store import UNFINISHED, JobStore

EVENT_INTERVAL_S: Final = 0.25
HEARTBEAT_S: Final = 15.0
_RETRY_MS: Final = 1000
_HEARTBEAT: Final = b": heartbeat\n\n"


async def iter_events(store: JobStore, news: JobNews, job_id: str) -> AsyncIterator[bytes]:
    """Yield the state of a job now, and then its news, at most four a second; the last one has the final state.

    When the service stops the stream ends early: a client comes back by itself, after a second.
    """
    yield f"retry: {_RETRY_MS}\n\n".encode()
    with news.watch(job_id) as watch:
        job = await asyncio.to_thread(store.get, job_id)  # what was told before the watch is in it
        yield _render(job)
        while job.state in UNFINISHED and not watch.has_ended:
            newer = await watch.wait(HEARTBEAT_S)
            if newer is not None:
                job = newer
                yield _render(job)
                if job.state in UNFINISHED:
                    await asyncio.sleep(EVENT_INTERVAL_S)
            elif not watch.has_ended:
                yield _HEARTBEAT


def _render(job: Job) -> bytes:
    return f"event: progress\ndata: {job.model_dump_json()}\n\n".encode()
