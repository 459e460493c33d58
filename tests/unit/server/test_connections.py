import asyncio
import contextlib
import resource
import time

import pytest
import uvicorn

from hangtag.server import connections
from hangtag.server.connections import GuardedProtocol, OpenConnections, most_connections

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


async def app(scope, receive, send):
    assert scope["type"] == "http"
    await receive()
    await asyncio.sleep(0.3)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@contextlib.asynccontextmanager
async def serve(most, app=app):
    """Give the port of a server that has at most so many connections, and the connections that it counts."""
    opened = OpenConnections(most)
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        http=lambda **options: GuardedProtocol(**options, connections=opened),
    )
    config.load()
    state = uvicorn.server.ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: GuardedProtocol(config=config, server_state=state, app_state={}, connections=opened),
        "127.0.0.1",
        0,
    )
    try:
        yield server.sockets[0].getsockname()[1], opened
    finally:
        server.close()
        await asyncio.sleep(0.05)


async def refuse(_scope, _receive, send):
    await send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"no"})


async def answer_of(reader, writer):
    try:
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def test_a_connection_that_says_nothing_is_ended_and_one_that_works_is_not(monkeypatch):
    monkeypatch.setattr(connections, "SILENT_S", 0.1)

    async def run():
        async with serve(10) as (port, opened):
            silent = await asyncio.open_connection("127.0.0.1", port)
            half = await asyncio.open_connection("127.0.0.1", port)
            half[1].write(REQUEST[:20])
            working = await asyncio.open_connection("127.0.0.1", port)
            working[1].write(REQUEST)
            answers = await asyncio.gather(*(answer_of(*pair) for pair in (silent, half, working)))
            assert answers[:2] == [b"", b""]
            assert answers[2].endswith(b"ok")
            await asyncio.sleep(0.05)
            assert opened.count == 0

    asyncio.run(run())


def test_a_connection_that_is_idle_at_two_checks_but_not_between_them_stays_open():
    async def run():
        async with serve(10) as (port, opened):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(0.05)
            (connection,) = opened.silent
            for _ in range(2):
                writer.write(REQUEST.replace(b"Connection: close\r\n", b""))
                assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
                connection.look()
                assert not connection.transport.is_closing()
            connection.look()
            assert connection.transport.is_closing()
            assert await answer_of(reader, writer) == b""

    asyncio.run(run())


def test_room_is_not_made_by_ending_a_connection_with_a_request():
    async def run():
        async with serve(1) as (port, opened):
            working = await asyncio.open_connection("127.0.0.1", port)
            working[1].write(REQUEST)
            await asyncio.sleep(0.05)
            assert opened.silent  # nobody has looked since the request began
            assert await answer_of(*await asyncio.open_connection("127.0.0.1", port)) == b""
            assert (await answer_of(*working)).endswith(b"ok")

    asyncio.run(run())


def test_too_many_connections_end_the_one_that_was_silent_longest():
    async def run():
        async with serve(3) as (port, _):
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
            await asyncio.sleep(0.05)
            working = await asyncio.open_connection("127.0.0.1", port)
            working[1].write(REQUEST)
            assert await answer_of(*silent[0]) == b""
            assert (await answer_of(*working)).endswith(b"ok")
            for _, writer in silent[1:]:
                writer.close()
            await asyncio.sleep(0.05)

    asyncio.run(run())


def test_the_limit_on_descriptors_is_raised_as_far_as_it_may_be():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(300, before[1]), before[1]))
        assert 1 <= most_connections(100) <= 100
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= min(356, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("most", [1, 5])
def test_connections_are_counted(most):
    opened = OpenConnections(most)
    given = [object() for _ in range(most)]
    assert all(map(opened.add, given))
    for connection in given:
        opened.mark(connection, is_silent=False)
    assert not opened.add(object())


def test_a_request_that_is_on_its_way_when_the_service_stops_is_answered():
    async def run():
        async with serve(10) as (port, opened):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            idle = await asyncio.open_connection("127.0.0.1", port)
            writer.write(REQUEST.replace(b"Connection: close\r\n", b""))
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            for connection in list(opened.silent):
                connection.shutdown()
            writer.write(REQUEST.replace(b"Connection: close\r\n", b""))
            assert (await asyncio.wait_for(reader.read(), 5)).endswith(b"ok")
            assert await answer_of(*idle) == b""
            writer.close()

    asyncio.run(run())


def test_the_rest_of_refused_requests_is_read_slowly_and_the_connections_stay_open(monkeypatch):
    monkeypatch.setattr(connections, "DISCARDED_BYTES_A_SECOND", 20_000_000)
    monkeypatch.setattr(connections, "SILENT_S", 0.2)

    async def send(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n")
        assert (await reader.readuntil(b"no")).startswith(b"HTTP/1.1 503")
        writer.write(bytes(5_000_000) + REQUEST)
        assert (await answer_of(reader, writer)).endswith(b"no")

    async def run():
        async with serve(10, refuse) as (port, _):
            started = time.monotonic()
            await asyncio.gather(send(port), send(port))
            return time.monotonic() - started

    assert asyncio.run(run()) > 0.4
