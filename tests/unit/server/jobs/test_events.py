import asyncio
import json
from contextlib import aclosing
from datetime import UTC, datetime

import pytest

from hangtag.server.jobs import events
from hangtag.server.jobs.events import JobEvents, iter_events
from hangtag.server.jobs.schemas import Job
from hangtag.server.schemas import ModelName


def build_job(done=0, state="running"):
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return Job(
        id="one",
        title="",
        state=state,
        model=ModelName(id="m", version="1", name="m"),
        created=moment,
        started=moment,
        finished=None,
        total=9,
        done=done,
        failed=0,
        images_per_s=None,
        seconds_left=None,
        message=None,
    )


class OneJob:
    """A store of one job, which counts how often it is asked."""

    def __init__(self, job):
        self.job = job
        self.asked = 0

    def get(self, _id):
        self.asked += 1
        return self.job


def read(event):
    kind, data = event.decode().strip().split("\n")
    assert kind == "event: progress"
    return json.loads(data.removeprefix("data: "))


async def next_event(stream):
    async with asyncio.timeout(10):
        return await anext(stream)


def test_a_stream_begins_with_what_is_and_ends_with_the_end():
    async def watch():
        published, store = JobEvents(), OneJob(build_job(1))
        async with aclosing(iter_events(store, published, "one")) as stream:
            assert await next_event(stream) == b"retry: 1000\n\n"
            assert read(await next_event(stream))["done"] == 1
            published.publish(build_job(2))
            assert read(await next_event(stream))["done"] == 2
            published.publish(build_job(9, "done"))
            assert read(await next_event(stream))["state"] == "done"
            with pytest.raises(StopAsyncIteration):
                await next_event(stream)
        assert (store.asked, published.count_subscriptions()) == (1, 0)

    asyncio.run(watch())


def test_a_job_that_has_ended_is_told_once():
    async def watch():
        return [event async for event in iter_events(OneJob(build_job(9, "failed")), JobEvents(), "one")]

    assert [read(event)["state"] for event in asyncio.run(watch())[1:]] == ["failed"]


def test_much_news_becomes_few_events_and_the_newest_is_told(monkeypatch):
    monkeypatch.setattr(events, "EVENT_INTERVAL_S", 0.02)

    async def watch():
        published = JobEvents()
        stream = iter_events(OneJob(build_job()), published, "one")
        async with aclosing(stream):
            seen = [await next_event(stream), await next_event(stream)]

            def tell_all():
                for done in range(1000):
                    published.publish(build_job(done))
                published.publish(build_job(1000, "done"))

            telling = asyncio.create_task(asyncio.to_thread(tell_all))
            seen += [event async for event in stream]
            await telling
        return [read(event) for event in seen[1:]]

    seen = asyncio.run(watch())
    assert len(seen) < 500
    assert [one["done"] for one in seen] == sorted(one["done"] for one in seen)
    assert seen[-1]["state"] == "done"


def test_silence_is_broken_by_a_heartbeat(monkeypatch):
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.01)

    async def watch():
        async with aclosing(iter_events(OneJob(build_job()), JobEvents(), "one")) as stream:
            return [await next_event(stream) for _ in range(4)]

    assert asyncio.run(watch())[2:] == [b": heartbeat\n\n"] * 2


def test_many_watch_and_all_are_told():
    async def watch():
        published, store = JobEvents(), OneJob(build_job())

        async def follow():
            return [event async for event in iter_events(store, published, "one")]

        watching = [asyncio.create_task(follow()) for _ in range(50)]
        while published.count_subscriptions() < 50 or store.asked < 50:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
        store.job = build_job(9, "done")
        await asyncio.to_thread(published.publish, store.job)
        async with asyncio.timeout(20):
            found = await asyncio.gather(*watching)
        assert all(read(one[-1])["state"] == "done" for one in found)
        assert published.count_subscriptions() == 0

    asyncio.run(watch())


def test_a_stop_of_the_service_ends_every_stream():
    async def watch():
        published = JobEvents()
        stream = iter_events(OneJob(build_job()), published, "one")
        assert await next_event(stream)
        assert await next_event(stream)
        asyncio.get_running_loop().call_later(0.01, published.close)
        with pytest.raises(StopAsyncIteration):
            await next_event(stream)
        late = [event async for event in iter_events(OneJob(build_job()), published, "one")]
        assert len(late) == 2

    asyncio.run(watch())


def test_news_for_a_loop_that_has_ended_harm_nobody():
    published = JobEvents()

    async def begin():
        stream = iter_events(OneJob(build_job()), published, "one")
        await next_event(stream)
        await next_event(stream)
        return stream

    stream = asyncio.run(begin())
    published.publish(build_job(5))
    published.close()
    del stream
