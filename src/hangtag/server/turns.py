"""Turns that are shared out by what work costs, so that many requests and large ones hold up nobody."""

import asyncio
import heapq
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

_PIECE_S: Final = 0.001
"""How long a request may work on the event loop before the others get their turn."""

_LONG_SHARE: Final = 0.4
"""How much of the event loop's time long work gets while it goes on."""

_BURST_S: Final = 0.1
"""For how long it may get all of it: a large request now and then is not held up."""


@dataclass(slots=True)
class Flow:
    """The work of one request: how far it has come in the time in which costs are counted."""

    finish: float = 0.0


class FairTurns:
    """So many places, given to the work that would be done first if all requests were served at once, a bit each.

    This is start-time fair queueing (Goyal, Vin and Cheng, 1996). A small request that comes goes before what a large
    one has left. It lives in one event loop.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._now = 0.0
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    @asynccontextmanager
    async def turn(self, flow: Flow, cost: float) -> AsyncIterator[None]:
        """Wait for a place, and hold it in the block. Who is cancelled while it waits is passed over."""
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
    """Long work on the event loop, done in pieces: one of a single request between any two turns of short work.

    Without it each of many large requests would do a piece before a small one got its turn. A small request has several
    steps, and each would still wait for a piece, so that long work gets only its share of the time. The share is kept
    as in the generic cell rate algorithm (ITU-T I.371): work is due when all before it had its time.
    """

    def __init__(self) -> None:
        self._gate = asyncio.Lock()
        self._due = 0.0

    def begin(self) -> "Pieces":
        """Return the pieces of one request's work."""
        return Pieces(self)

    async def wait(self, worked_s: float) -> None:
        """Wait for the next piece after one that took so long."""
        now = time.perf_counter()
        self._due = max(self._due, now - _BURST_S) + worked_s / _LONG_SHARE
        due = self._due
        async with self._gate:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))


@dataclass(slots=True)
class Pieces:
    """The work of one request, which pauses now and then. What is done within a millisecond waits for nobody."""

    _work: LongWork
    _since: float = field(default_factory=time.perf_counter)

    async def pause(self) -> None:
        """Give others their turn, if this work has had the event loop for long."""
        worked = time.perf_counter() - self._since
        if worked < _PIECE_S:
            return
        await self._work.wait(worked)
        self._since = time.perf_counter()

    def resume(self) -> None:
        """Begin to count anew after waiting for something."""
        self._since = time.perf_counter()
