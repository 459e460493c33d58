import asyncio
import time

import pytest

from hangtag.server.turns import FairTurns, Flow, LongWork
from hangtag.store.throttle import Throttle


def test_a_small_request_goes_before_what_a_large_one_has_left():
    async def run():
        turns, order, large = FairTurns(1), [], Flow()

        async def work(name, flow, cost):
            async with turns.turn(flow, cost):
                order.append(name)
                for _ in range(5):
                    await asyncio.sleep(0)

        bombs = [asyncio.create_task(work("large", large, 50)) for _ in range(10)]
        await asyncio.sleep(0)
        await asyncio.gather(*(work(f"small {number}", Flow(), 1) for number in range(3)), *bombs)
        return order

    assert asyncio.run(run())[:4] == ["large", "small 0", "small 1", "small 2"]


def test_two_large_requests_take_turns():
    async def run():
        turns, order = FairTurns(1), []

        async def work(name, flow):
            async with turns.turn(flow, 10):
                order.append(name)
                await asyncio.sleep(0)

        flows = Flow(), Flow()
        tasks = [asyncio.create_task(work(name, flows[name])) for name in (0, 1) for _ in range(5)]
        await asyncio.gather(*tasks)
        return order

    order = asyncio.run(run())
    assert all(set(order[start : start + 4]) == {0, 1} for start in range(1, 7))


def test_who_leaves_is_passed_over_and_no_place_is_lost():
    async def run():
        turns = FairTurns(2)
        gate = asyncio.Event()

        async def work():
            async with turns.turn(Flow(), 1):
                await gate.wait()

        tasks = [asyncio.create_task(work()) for _ in range(6)]
        await asyncio.sleep(0)
        for task in tasks[2:5]:
            task.cancel()
        await asyncio.sleep(0)
        gate.set()
        await asyncio.wait(tasks)
        tasks[5].result()
        late = [asyncio.create_task(work()) for _ in range(2)]
        done, waiting = await asyncio.wait(late, timeout=1)
        return len(done), len(waiting)

    assert asyncio.run(run()) == (2, 0)


def test_who_leaves_as_the_place_is_given_passes_it_on():
    async def run():
        turns = FairTurns(1)
        gate = asyncio.Event()

        async def work(is_waiting):
            async with turns.turn(Flow(), 1):
                if is_waiting:
                    await gate.wait()

        first, second, third = (asyncio.create_task(work(number == 0)) for number in range(3))
        await asyncio.sleep(0)
        gate.set()
        await first
        second.cancel()
        await asyncio.wait_for(third, 1)
        return second.cancelled() or second.done()

    assert asyncio.run(run())


def test_short_work_waits_for_one_piece_of_long_work_and_not_for_one_of_each():
    async def run():
        work, order = LongWork(), []

        async def be_long(number):
            pieces = work.begin()
            for _ in range(6):
                time.sleep(0.003)  # noqa: ASYNC251 - work that holds the event loop
                order.append(number)
                await pieces.pause()

        async def be_short():
            for _ in range(4):
                order.append("short")
                await asyncio.sleep(0)

        long = [asyncio.create_task(be_long(number)) for number in range(5)]
        await asyncio.sleep(0.01)
        del order[:]
        await asyncio.gather(be_short(), *long)
        return order

    order = asyncio.run(run())
    turns = [place for place, name in enumerate(order) if name == "short"]
    assert turns[-1] < 3 * 4


def test_work_that_is_short_pauses_for_nobody():
    async def run():
        others = []
        pieces = LongWork().begin()
        asyncio.get_running_loop().call_soon(others.append, 1)
        await pieces.pause()
        return list(others)

    assert asyncio.run(run()) == []


class Clock:
    """The time of a test: it passes while long work sleeps, and when the test says so."""

    def __init__(self, monkeypatch):
        self.now, self.rested = 100.0, 0.0
        monkeypatch.setattr("hangtag.server.turns.asyncio.sleep", self._sleep)
        for name in ("perf_counter", "thread_time"):
            monkeypatch.setattr(f"hangtag.server.turns.time.{name}", lambda: self.now)

    async def _sleep(self, seconds):
        self.now += seconds
        self.rested += seconds

    async def work(self, pieces, seconds, times, between=lambda: None):
        """Work `times` times, each after waiting for something."""
        for _ in range(times):
            between()
            pieces.resume()
            self.now += seconds
            await pieces.pause()


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


@pytest.mark.parametrize("piece_s", [0.002, 0.0001])
@pytest.mark.parametrize("share", [(), (0.25,)])
def test_while_requests_come_in_long_work_gets_only_its_share_of_the_time(clock, piece_s, share):
    work = LongWork()
    asyncio.run(clock.work(work.begin(*share), piece_s, round(4 / piece_s), between=work.begin))
    assert 4 / (4 + clock.rested) == pytest.approx(*share or (0.4,), rel=0.05)


def test_a_large_request_now_and_then_is_not_held_up(clock):
    work = LongWork()
    for _ in range(5):
        asyncio.run(clock.work(work.begin(), 0.002, 20, between=work.begin))
        assert clock.rested == 0
        clock.now += 1.0


def test_requests_with_little_work_are_not_held_up_by_long_ones(clock):
    work = LongWork()
    asyncio.run(clock.work(work.begin(), 0.002, 1000, between=work.begin))
    clock.rested = 0.0
    for _ in range(10):
        asyncio.run(clock.work(work.begin(), 0.001, 4))
    assert clock.rested == 0


def test_long_work_has_the_time_to_itself_while_no_requests_come_in(clock):
    pieces = LongWork().begin()
    asyncio.run(clock.work(pieces, 0.002, 100))
    clock.rested = 0.0
    asyncio.run(clock.work(pieces, 0.002, 1000))
    assert clock.rested == 0


def test_threads_rest_for_longer_than_they_computed_and_not_after_other_work(monkeypatch):
    clock, rested = [0.0], []
    monkeypatch.setattr("hangtag.store.throttle.time.thread_time", lambda: clock[0])
    monkeypatch.setattr("hangtag.store.throttle.time.sleep", rested.append)
    throttle = Throttle()
    for _ in range(10):
        clock[0] += 0.001
        throttle.pause()
    assert sum(rested) == pytest.approx(2 * 0.009)
    clock[0] += 5
    throttle.restart()
    throttle.pause()
    assert len(rested) == 3
