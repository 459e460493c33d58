"""Fair scheduling of requests by the cost of their work, so that neither many nor large requests block others."""

import asyncio
import heapq
import itertools
import os
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

_PIECE_S: Final = 0.0004
"""How long a request may use the event loop before others get their turn."""

_SHORT_S: Final = 0.005
"""How long a request may use the event loop, in turns, before its work is long."""

_LONG_SHARE: Final = 0.4
"""The share of the event loop's time for long work."""

READING_SHARE: Final = 0.1
"""The share for reading large forms: some 50 MB a second, which is more than can be decoded."""

_BURST_S: Final = 0.1
"""How long long work may exceed its share, so that an occasional large request is not delayed."""

_ALONE_S: Final = 0.05
"""How long after the last new request long work has the whole event loop again."""


_NICENESS: Final = 10
"""The priority of work that nobody waits for."""


def lower_priority() -> None:
    """Lower the priority of this thread, and of the threads that it starts, below that of requests.

    Only Linux has a priority for each thread; elsewhere this does nothing.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


@dataclass(slots=True)
class Flow:
    """The work of one request: the virtual time at which its work so far is finished."""

    finish: float = 0.0


class FairTurns:
    """A number of places, given to the work that would finish first if all requests were served in parallel.

    This is start-time fair queueing (Goyal, Vin and Cheng, 1996). A small new request goes before the rest of a large
    one. It lives in one event loop.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._now = 0.0
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    @asynccontextmanager
    async def turn(self, flow: Flow, cost: float) -> AsyncIterator[None]:
        """Wait for a place, and hold it during the block. Waiters that are cancelled are skipped."""
        start = max(self._now, flow.finish)
        flow.finish = start + cost
        if self._free:
            self._free -= 1
        else:
            await self._wait(flow.finish)
        self._now = max(self._now, start)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, finish: float) -> None:
        place = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (finish, next(self._numbers), place))
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # it had just been given the place
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            _, _, place = heapq.heappop(self._waiting)
            if not place.done():
                place.set_result(None)
                return
        self._free += 1


class LongWork:
    """Long work on the event loop, done in pieces: at most one request's piece between two turns of short work.

    Otherwise each of many large requests would do a piece before a small one got its turn. A small request has several
    steps that would each wait for a piece, so while requests come in, long work also gets only a share of the time,
    enforced with the generic cell rate algorithm (ITU-T I.371): a piece is due when all earlier ones have used their
    time.
    """

    def __init__(self) -> None:
        self._gate = asyncio.Lock()
        self._due = 0.0
        self._last_request = 0.0

    def begin(self, share: float = _LONG_SHARE) -> "Pieces":
        """Return the pieces of one request's work, which may use a share of the event loop's time once it is long."""
        self._last_request = time.perf_counter()
        return Pieces(self, share)

    async def wait(self, worked_s: float, share: float) -> None:
        """Wait for the next piece, after one that took `worked_s` seconds."""
        now = time.perf_counter()
        if now - self._last_request > _ALONE_S:
            self._due = now
        else:
            self._due = max(self._due, now - _BURST_S) + worked_s / share
        due = self._due
        async with self._gate:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))


@dataclass(slots=True)
class Pieces:
    """The work of one request, which pauses regularly. Its first milliseconds never wait for others.

    Time is the processor time of the event loop's thread. Between two pauses there must be no `await`, or `resume`
    after it.
    """

    _work: LongWork
    _share: float
    _since: float = field(default_factory=time.thread_time)
    _worked: float = 0.0
    _all_worked: float = 0.0

    async def pause(self) -> None:
        """Give others their turn if this work has used the event loop for long."""
        now = time.thread_time()
        self._worked += now - self._since
        self._since = now
        if self._worked < _PIECE_S:
            return
        worked, self._worked = self._worked, 0.0
        self._all_worked += worked
        if self._all_worked < _SHORT_S:
            await asyncio.sleep(0)
        else:
            await self._work.wait(worked, self._share)
        self._since = time.thread_time()

    def resume(self) -> None:
        """Restart the clock after waiting for something."""
        self._since = time.thread_time()
