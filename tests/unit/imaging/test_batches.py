import io
import threading
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.batches import BATCHES_AHEAD, PhotoDecoder
from hangtag.imaging.preprocess import Preprocessing, prepare_photo

SMALL = Preprocessing(width=12, height=16, detail_width=60, detail_height=80)
WIDE = Preprocessing(width=32, height=16, detail_width=60, detail_height=80)


def jpeg(shade, size=(24, 32)):
    buffer = io.BytesIO()
    Image.new("RGB", size, (shade, shade, shade)).save(buffer, "JPEG")
    return buffer.getvalue()


@dataclass(frozen=True)
class MemoryPhoto:
    name: str
    data: bytes | None

    def read(self, limits):
        del limits
        if self.data is None:
            raise PhotoError(Reason.NOT_FOUND)
        return self.data


def decoder(*preprocessings, batch_size=4, threads=2):
    return PhotoDecoder(frozenset(preprocessings), batch_size, threads)


def test_every_photo_comes_once_and_in_order():
    photos = [MemoryPhoto(str(number), jpeg(number)) for number in range(50)]
    batches = list(decoder(SMALL, batch_size=7, threads=4).iter_batches(photos))
    assert [name for batch in batches for name in batch.names] == [photo.name for photo in photos]
    pixels = np.concatenate([batch.pixels[SMALL] for batch in batches])
    assert np.abs(pixels.mean(axis=(1, 2, 3)) - np.arange(50)).max() < 2


def test_pixels_are_those_of_the_one_way_from_a_file_to_a_network():
    data = jpeg(90, (50, 31))
    (batch,) = decoder(SMALL, WIDE).iter_batches([MemoryPhoto("a", data)])
    for preprocessing in (SMALL, WIDE):
        assert np.array_equal(batch.pixels[preprocessing], prepare_photo(data, preprocessing)[None])


def test_a_photo_that_cannot_be_decoded_leaves_its_batch_whole():
    photos = [
        MemoryPhoto("good", jpeg(10)),
        MemoryPhoto("missing", None),
        MemoryPhoto("cut", jpeg(20)[:200]),
        MemoryPhoto("text", b"not a photo"),
        MemoryPhoto("last", jpeg(200)),
    ]
    (batch,) = decoder(SMALL, batch_size=8).iter_batches(photos)
    assert batch.names == ("good", "missing", "cut", "text", "last")
    assert batch.reasons == (None, Reason.NOT_FOUND, Reason.TRUNCATED, Reason.NOT_A_PHOTO, None)
    assert [round(float(pixels.mean()), -1) for pixels in batch.pixels[SMALL]] == [10, 200]


def test_a_batch_of_only_bad_photos_has_no_pixels():
    (batch,) = decoder(SMALL).iter_batches([MemoryPhoto("a", b""), MemoryPhoto("b", None)])
    assert batch.pixels[SMALL].shape == (0, 16, 12, 3)


def test_no_photos_make_no_batches():
    assert list(decoder(SMALL).iter_batches([])) == []


def test_reading_stays_only_a_little_ahead():
    taken, others = 0, set(threading.enumerate())

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield MemoryPhoto(str(taken), b"")

    batches = decoder(SMALL, batch_size=2, threads=3).iter_batches(endless())
    next(batches)
    assert taken == 2 * (3 * BATCHES_AHEAD + 1)
    batches.close()
    assert not {thread for thread in threading.enumerate() if thread.name.startswith("decode")} - others


def test_who_waits_for_a_batch_decodes_another_one_meanwhile():
    came, readers = threading.Event(), []

    class Late(MemoryPhoto):
        def read(self, limits):
            assert came.wait(30)
            return super().read(limits)

    class Next(MemoryPhoto):
        def read(self, limits):
            readers.append(threading.current_thread())
            came.set()
            return super().read(limits)

    photos = [Late("late", jpeg(10)), Next("next", jpeg(20))]
    batches = list(decoder(SMALL, batch_size=1, threads=2).iter_batches(photos))
    assert [batch.names for batch in batches] == [("late",), ("next",)]
    assert readers == [threading.current_thread()]


def test_on_a_single_thread_the_caller_only_waits():
    readers = set()

    class Watched(MemoryPhoto):
        def read(self, limits):
            readers.add(threading.current_thread())
            return super().read(limits)

    photos = [Watched(str(number), jpeg(number)) for number in range(20)]
    list(decoder(SMALL, batch_size=2, threads=1).iter_batches(photos))
    assert threading.current_thread() not in readers
    assert len(readers) == 1


def test_an_error_of_the_program_is_not_taken_for_a_bad_photo():
    class Broken:
        name = "broken"

        def read(self, limits):
            raise ZeroDivisionError(limits)

    with pytest.raises(ZeroDivisionError):
        list(decoder(SMALL).iter_batches([Broken()]))


def test_errors_of_a_batch_keep_no_bytes():
    (batch,) = decoder(SMALL).iter_batches([MemoryPhoto("cut", jpeg(20)[:200]), MemoryPhoto("none", None)])
    for error in batch.errors:
        assert (error.__traceback__, error.__context__) == (None, None)
