"""Turns that are shared out by what work costs, so that many requests and large ones hold up nobody."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


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
