import contextlib
import gc
import io
import os
import resource
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hostile_files
from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging import apart
from hangtag.imaging.apart import DecodeRequest, Decoders, Room, decode_apart, estimate_memory
from hangtag.imaging.budget import DecodeLimits
from hangtag.imaging.decode import convert_upright, decode_photo, open_photo
from hangtag.imaging.quality import inspect_photo
from hostile_files import encode

pytestmark = pytest.mark.costly

ORIENTATION = 0x0112
DESCRIPTORS = Path("/proc/self/fd")
BOMB = hostile_files.progressive_jpeg((4000, 4000), 3000)


@pytest.fixture
def decoders():
    with contextlib.closing(Decoders(2)) as opened:
        yield opened


def photo(size=(120, 160), mode="RGB"):
    pixels = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8)
    return Image.fromarray(pixels).convert(mode)


def decode_here(data):
    with open_photo(data) as stored:
        return convert_upright(stored)


def reason_of(data, **options):
    with pytest.raises(PhotoError) as caught:
        decode_photo(data, **options)
    return caught.value.reason


def transparent(size=(60, 40)):
    clear = photo(size, "RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(size))
    return clear


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encode(photo(), "TIFF"), id="tiff"),
        pytest.param(encode(photo(), "GIF"), id="gif"),
        pytest.param(encode(photo(), "AVIF"), id="avif"),
        pytest.param(encode(photo(), "BMP"), id="bmp"),
        pytest.param(encode(transparent(), "TIFF"), id="transparent"),
        pytest.param(encode(photo().convert("CMYK"), "TIFF"), id="cmyk"),
        pytest.param(encode(photo().convert("1"), "TIFF"), id="black and white"),
        pytest.param(encode(photo((2500, 1700)), "PNG", compress_level=1), id="in strips"),
        pytest.param(
            encode(Image.fromarray(np.arange(4_500_000, dtype=np.float32).reshape(1500, 3000)), "TIFF"),
            id="float",
        ),
    ],
)
def test_pixels_are_the_same_as_here(data):
    np.testing.assert_array_equal(np.asarray(decode_photo(data)), np.asarray(decode_here(data)))


@pytest.mark.parametrize("turn", range(1, 9))
def test_photos_come_upright(turn):
    exif = Image.Exif()
    exif[ORIENTATION] = turn
    data = encode(photo((30, 20)), "TIFF", exif=exif)
    np.testing.assert_array_equal(np.asarray(decode_photo(data)), np.asarray(decode_here(data)))


@pytest.mark.parametrize(
    ("mode", "format_"), [("RGB", "PNG"), ("RGBA", "PNG"), ("CMYK", "TIFF"), ("L", "TIFF")]
)
def test_large_photos_come_as_small_as_is_enough(mode, format_):
    smooth = Image.radial_gradient("L").resize((3000, 4000)).convert("RGB").convert(mode)
    data = (
        encode(smooth, format_, compression="tiff_lzw")
        if format_ == "TIFF"
        else encode(smooth, compress_level=1)
    )
    found = decode_photo(data, at_least=(120, 160))
    assert found.size == (375, 500)
    expected = decode_here(data).resize(found.size, Image.Resampling.BOX)
    assert np.abs(np.asarray(found, int) - np.asarray(expected, int)).max() <= 2


def test_reasons_come_back():
    assert reason_of(encode(photo(), "TIFF")[:3000]) is Reason.TRUNCATED
    assert reason_of(b"no photo") is Reason.NOT_A_PHOTO
    assert reason_of(encode(photo((6, 60)), "BMP")) is Reason.TOO_SMALL


def test_a_photo_that_takes_too_long_is_ended_and_the_next_is_decoded(decoders):
    limits = DecodeLimits(max_seconds=0.3)
    started = time.process_time()
    with pytest.raises(PhotoError, match="too long") as caught:
        decoders.decode(BOMB, DecodeRequest(limits))
    assert caught.value.reason is Reason.TOO_EXPENSIVE
    assert time.process_time() - started < 0.3  # nothing of it here
    before = decoders.idle_ids
    assert decoders.decode(encode(photo(), "BMP"), DecodeRequest(limits)).image.size == (120, 160)
    assert decoders.idle_ids == before  # a death is made good within milliseconds


def test_a_photo_that_takes_too_much_memory_is_too_expensive():
    limits = DecodeLimits(max_memory_bytes=20_000_000)
    assert reason_of(hostile_files.png((4000, 3000)), limits=limits) is Reason.TOO_EXPENSIVE


def test_a_decoder_that_dies_costs_only_its_photo(decoders):
    data = encode(photo(), "BMP")
    decoders.decode(data, DecodeRequest())
    os.killpg(decoders.idle_ids[0], signal.SIGKILL)
    with pytest.raises(PhotoError) as caught:
        decoders.decode(data, DecodeRequest())
    assert caught.value.reason is Reason.CORRUPT
    assert decoders.decode(data, DecodeRequest()).image.size == (120, 160)


def test_threads_share_few_processes(decoders):
    data = encode(photo(), "BMP")
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(decoders.decode(data, DecodeRequest()).image.size))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(120, 160)] * 6
    assert 1 <= len(decoders.idle_ids) <= 2


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="this system does not list a process's open files")
def test_nothing_is_left_open():
    def use():
        with contextlib.closing(Decoders(1)) as opened:
            opened.decode(encode(photo(), "BMP"), DecodeRequest())
            return opened.idle_ids

    (id_,) = use()
    with pytest.raises(ProcessLookupError):
        os.kill(id_, 0)
    gc.collect()  # what other tests left closes its files now, not while they are counted
    before = len(list(DESCRIPTORS.iterdir()))
    use()
    gc.collect()
    assert len(list(DESCRIPTORS.iterdir())) == before


def test_a_forked_process_has_decoders_of_its_own():
    data = encode(photo(), "BMP")
    decode_apart(data, DecodeRequest())
    child = os.fork()
    if not child:
        size = decode_apart(data, DecodeRequest()).image.size
        apart.close_decoders()
        os._exit(0 if size == (120, 160) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert decode_apart(data, DecodeRequest()).image.size == (120, 160)


def test_a_file_is_described_by_what_it_holds():
    quality, image = inspect_photo(hostile_files.animated("GIF", 3))
    assert (quality.format, quality.frames, image.size) == ("GIF", 3, (16, 16))
    assert inspect_photo(encode(transparent(), "TIFF"))[0].is_transparent


def test_the_largest_photo_takes_little_memory_here():
    data = encode(Image.new("RGB", (7000, 7000), "red"), compress_level=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    image = decode_photo(data, at_least=(120, 160))
    assert (max(image.size) < 800, image.getpixel((5, 5))) == (True, (255, 0, 0))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB


def test_errors_that_are_kept_keep_no_bytes():
    def read():
        data = bytes(1000)
        raise PhotoError(Reason.CORRUPT, io.BytesIO(data).getvalue().hex()[:3])

    with pytest.raises(PhotoError) as caught:
        read()
    kept = caught.value.without_frames()
    assert kept.__traceback__ is None
    assert kept.reason is Reason.CORRUPT


def read_memory(id_):
    """Return how many bytes the processes of a decoder have for themselves."""
    children = Path(f"/proc/{id_}/task/{id_}/children").read_text().split()
    rolled = [Path(f"/proc/{process}/smaps_rollup").read_text() for process in [id_, *children]]
    return sum(1024 * int(text.partition("Pss_Anon:")[2].split()[0]) for text in rolled)


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="this system does not say so")
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(hostile_files.png((4000, 4000), colour=6, depth=16), id="png"),
        pytest.param(encode(Image.new("RGB", (3000, 3000)), "WEBP"), id="webp"),
    ],
)
def test_an_idle_decoder_keeps_no_memory_of_a_large_photo(decoders, data):
    decoders.decode(encode(photo(), "BMP"), DecodeRequest())
    before = read_memory(decoders.idle_ids[0])
    decoders.decode(data, DecodeRequest(at_least=(120, 160)))
    assert read_memory(decoders.idle_ids[0]) - before < 20_000_000


def test_a_webp_of_24_megapixels_needs_no_more_than_a_photo_may():
    data = hostile_files.webp_of_one_colour((4900, 4900))
    assert min(decode_photo(data, at_least=(120, 160)).size) > 120


def test_photos_that_need_much_memory_wait_for_room():
    room, order = Room(100), []

    def take(name, wanted, until):
        with room.hold(wanted):
            order.append(name)
            until.wait(5)

    first, second = threading.Event(), threading.Event()
    threads = [threading.Thread(target=take, args=given) for given in (("a", 70, first), ("b", 500, second))]
    threads[0].start()
    while not order:
        time.sleep(0.001)
    threads[1].start()
    time.sleep(0.05)
    assert order == ["a"]
    first.set()
    second.set()
    for thread in threads:
        thread.join()
    take("c", 100, second)
    assert order == ["a", "b", "c"]
    with room.hold(100):
        take("small", 6, second)  # waits for no room
    assert order[-1] == "small"


def test_a_webp_needs_more_memory_than_a_jpeg():
    jpeg, webp, unknown = (estimate_memory(encode(photo(), kind)) for kind in ("JPEG", "WEBP", "TIFF"))
    assert jpeg < webp < unknown
    assert estimate_memory(encode(photo(), "JPEG", progressive=True)) == 3 * jpeg
