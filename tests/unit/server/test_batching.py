import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from fakes import FakeModel, encode, paint
from hangtag.domain.reasons import Reason
from hangtag.imaging.batches import PhotoDecoder
from hangtag.inference.photos import NamedPhoto
from hangtag.server.batching import REFUSAL_S, Batcher, BatchSettings
from hangtag.server.problems import QueueFullError, ShuttingDownError
from hangtag.server.upload_memory import UploadedPhoto, UploadMemory
from hostile_files import webp_of_one_colour

BLUE_TIFF = encode(paint("Blue"), "TIFF")
RED, GREEN, BLUE = (encode(paint(colour)) for colour in ("Red", "Green", "Blue"))


class GatedModel(FakeModel):
    """A fake model that answers only once its gate is open; `entered` says that a batch waits there."""

    def __init__(self):
        super().__init__()
        self.gate = threading.Event()
        self.entered = threading.Event()

    def run(self, pixels):
        self.entered.set()
        assert self.gate.wait(20)
        return super().run(pixels)


def photos(*data):
    return [NamedPhoto(f"{number}.png", one) for number, one in enumerate(data)]


def run_with(model, work, **settings):
    """Run `work(batcher)` in an event loop of its own."""

    async def run():
        with ThreadPoolExecutor(2) as decoding:
            decoder = PhotoDecoder(frozenset({model.card.preprocessing}), 8, 1)
            batcher = Batcher(model, BatchSettings(**settings), decoder, decoding)
            try:
                return await asyncio.wait_for(work(batcher), 30)
            finally:
                await batcher.close()

    return asyncio.run(run())


def colours(answered):
    return answered.labels("baseColour")


async def until(condition):
    while not condition():  # noqa: ASYNC110 - what is waited for knows no events
        await asyncio.sleep(0.001)


def test_every_request_gets_its_own_answers_in_order():
    model = FakeModel()
    requests = [[RED, GREEN], [BLUE], [GREEN] * 20, [b"no photo", BLUE, b""], [b"none"]]

    async def work(batcher):
        return await asyncio.gather(*(batcher.predict(photos(*one)) for one in requests))

    answers = run_with(model, work)
    assert [colours(answered) for answered in answers] == [
        ["Red", "Green"],
        ["Blue"],
        ["Green"] * 20,
        [None, "Blue", None],
        [None],
    ]
    assert answers[3].reasons == (Reason.NOT_A_PHOTO, None, Reason.EMPTY)
    assert answers[3].names == ("0.png", "1.png", "2.png")
    assert sum(model.batches) == 24


def test_what_arrives_while_the_engine_works_is_answered_together():
    model = GatedModel()

    async def work(batcher):
        first = []
        for count in (1, 2):  # as many as are with the engine at a time
            first.append(asyncio.create_task(batcher.predict(photos(RED))))
            await until(lambda count=count: len(batcher._running) == count)  # noqa: SLF001
        later = [asyncio.create_task(batcher.predict(photos(GREEN, BLUE))) for _ in range(5)]
        await until(lambda: len(batcher._queue) == 5)  # noqa: SLF001
        model.gate.set()
        return await asyncio.gather(*first, *later)

    answers = run_with(model, work, wait_ms=0.0, max_photos=64)
    assert sorted(model.batches) == [1, 1, 10]
    assert [colours(one) for one in answers[2:]] == [["Green", "Blue"]] * 5


def test_no_batch_is_larger_than_the_setting():
    model = FakeModel()

    async def work(batcher):
        await asyncio.gather(*(batcher.predict(photos(*[RED] * 5)) for _ in range(10)))

    run_with(model, work, max_photos=6)
    assert sum(model.batches) == 50
    assert max(model.batches) <= 6


def test_without_sharing_every_request_is_a_batch():
    model = GatedModel()
    model.gate.set()

    async def work(batcher):
        await asyncio.gather(*(batcher.predict(photos(RED, RED)) for _ in range(6)))

    run_with(model, work, is_shared=False)
    assert model.batches == [2] * 6


def test_a_full_queue_refuses():
    model = GatedModel()

    async def work(batcher):
        waiting = asyncio.create_task(batcher.predict(photos(RED, RED, RED)))
        await until(lambda: batcher.photos_waiting == 3)
        with pytest.raises(QueueFullError, match="3 photos are already waiting"):
            await batcher.predict(photos(RED, RED))
        model.gate.set()
        await waiting
        assert batcher.photos_waiting == 0
        return await batcher.predict(photos(*[BLUE] * 9))  # however many, when nothing else waits

    assert colours(run_with(model, work, queue_photos=4)) == ["Blue"] * 9


def test_an_error_reaches_all_who_wait_and_stops_nobody_else():
    class BrokenModel(FakeModel):
        def run(self, pixels):
            if len(self.batches) < 1:
                self.batches.append(0)
                raise RuntimeError("broken")
            return super().run(pixels)

    async def work(batcher):
        with pytest.raises(RuntimeError, match="broken"):
            await batcher.predict(photos(RED))
        return await batcher.predict(photos(GREEN))

    assert colours(run_with(BrokenModel(), work)) == ["Green"]


def test_closing_finishes_what_is_under_way_and_takes_on_nothing_more():
    model = GatedModel()

    async def work(batcher):
        waiting = asyncio.create_task(batcher.predict(photos(RED)))
        await asyncio.to_thread(model.entered.wait)
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0)
        with pytest.raises(ShuttingDownError):
            await batcher.predict(photos(GREEN))
        model.gate.set()
        await closing
        assert waiting.done() or await waiting
        return await waiting

    assert colours(run_with(model, work)) == ["Red"]


def uploaded(name, data):
    photo = UploadedPhoto(name, 10_000_000, UploadMemory(100_000_000))
    photo.write(data)
    return photo


def test_photos_that_take_long_to_decode_hold_up_only_their_like():
    model = FakeModel()
    gate = threading.Event()
    decode = PhotoDecoder.decode

    def slow(decoder, chunk):
        if threading.current_thread().name.startswith("expensive"):
            assert gate.wait(20)
        return decode(decoder, chunk)

    async def work(batcher):
        given = [
            uploaded("a", RED),
            uploaded("b", BLUE_TIFF),
            uploaded("c", b"no photo"),
            uploaded("d", GREEN),
        ]
        first = asyncio.create_task(batcher.predict(given))
        others = await asyncio.gather(*(batcher.predict(photos(GREEN)) for _ in range(20)))
        assert [colours(answered) for answered in others] == [["Green"]] * 20
        assert not first.done()
        with pytest.raises(QueueFullError):
            await batcher.predict([uploaded("x", BLUE_TIFF)] * 20)
        gate.set()
        return await first

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PhotoDecoder, "decode", slow)
        answered = run_with(model, work, queue_photos=60)
    assert colours(answered) == ["Red", "Blue", None, "Green"]
    assert answered.names == ("a", "b", "c", "d")


def test_what_nobody_waits_for_any_more_is_let_go_of():
    model = FakeModel()

    async def work(batcher):
        task = asyncio.create_task(
            batcher.predict([uploaded(str(number), BLUE_TIFF) for number in range(200)])
        )
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert batcher.photos_waiting == 0
        assert colours(await batcher.predict(photos(GREEN))) == ["Green"]

    run_with(model, work)
    assert sum(model.batches) < 100


def hold_decoding(monkeypatch):
    """Let no photo be decoded until the event that this returns is set."""
    gate = threading.Event()
    decode = PhotoDecoder.decode

    def held(decoder, chunk):
        assert gate.wait(20)
        return decode(decoder, chunk)

    monkeypatch.setattr(PhotoDecoder, "decode", held)
    return gate


def test_large_photos_are_refused_that_would_wait_too_long_at_the_pace_of_the_last_ones(monkeypatch):
    monkeypatch.setattr("hangtag.server.batching.LONGEST_WAIT_S", 1.0)
    monkeypatch.setattr("hangtag.server.batching._FIRST_PACE", 1_000)
    gate = hold_decoding(monkeypatch)

    async def work(batcher):
        first = asyncio.create_task(batcher.predict([uploaded("a", BLUE_TIFF)] * 3))
        await until(lambda: batcher.photos_waiting)
        asked = time.monotonic()
        with pytest.raises(QueueFullError):
            await batcher.predict([uploaded("x", BLUE_TIFF)] * 3)
        assert time.monotonic() - asked >= REFUSAL_S  # so that asking again at once keeps nobody busy
        gate.set()
        await first
        assert colours(await batcher.predict([uploaded("x", BLUE_TIFF)] * 3)) == ["Blue"] * 3

    run_with(FakeModel(), work)


def test_photos_beyond_the_limits_are_refused_together_and_never_decoded(monkeypatch):
    decoded = []
    decode = PhotoDecoder.decode
    monkeypatch.setattr(
        PhotoDecoder, "decode", lambda decoder, chunk: decoded.extend(chunk) or decode(decoder, chunk)
    )
    huge = webp_of_one_colour((8000, 8000))
    given = [uploaded(str(number), huge) for number in range(30)]
    given[7], given[20] = uploaded("red", RED), uploaded("tiff", BLUE_TIFF)

    async def work(batcher):
        return await batcher.predict(given)

    answered = run_with(FakeModel(), work)
    assert [photo.name for photo in decoded] == ["red", "tiff"]
    assert answered.names == tuple(photo.name for photo in given)
    assert [answered.labels("baseColour")[place] for place in (7, 20)] == ["Red", "Blue"]
    assert answered.reasons.count(Reason.TOO_MANY_PIXELS) == 28


def test_a_large_photo_that_never_gets_its_turn_is_refused(monkeypatch):
    gate = hold_decoding(monkeypatch)

    async def work(batcher):
        first = asyncio.create_task(batcher.predict([uploaded("a", BLUE_TIFF)] * 2))
        await until(lambda: batcher._expensive_turns._free == 0)  # noqa: SLF001
        monkeypatch.setattr("hangtag.server.batching.LONGEST_WAIT_S", 0.1)
        monkeypatch.setattr(batcher, "_expensive_done", 1e12)  # the pace so far promises a turn
        with pytest.raises(QueueFullError, match="longer than usual"):
            await batcher.predict([uploaded("b", BLUE_TIFF), uploaded("c", RED)])
        gate.set()
        return await first

    assert colours(run_with(FakeModel(), work)) == ["Blue", "Blue"]
