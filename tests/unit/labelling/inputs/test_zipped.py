import contextlib
import io
import os
import random
import stat
import struct
import tracemalloc
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from hangtag.archives.zips import iter_entries
from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DecodeLimits
from hangtag.labelling.inputs.archived import ZipWalk

SMALL = DecodeLimits(max_bytes=1000)


def write_zip(path, members, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return ZipWalk(str(path))


def reason(photo, limits=SMALL):
    with pytest.raises(PhotoError) as caught:
        photo.read(limits)
    return caught.value.reason


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_photos_are_read_where_they_lie_in_the_order_of_the_zip(tmp_path, method):
    members = {"b/1.jpg": b"one", "a.PNG": b"two" * 100, "b/": b"", "notes.txt": b"x", "café.jpg": b""}
    hidden = {".x.jpg": b"x", "__MACOSX/b/._1.jpg": b"x", "b/.thumbs/1.jpg": b"x"}
    walk = write_zip(tmp_path / "photos.zip", members | hidden, compression=method)
    photos = list(walk)
    assert [photo.name for photo in photos] == [
        f"{tmp_path}/photos.zip/{n}" for n in ("b/1.jpg", "a.PNG", "café.jpg")
    ]
    assert [photo.read() for photo in photos] == [b"one", b"two" * 100, b""]
    assert walk.other_files == 1


def test_several_threads_read_one_zip(tmp_path):
    members = {f"{number}.jpg": random.Random(number).randbytes(3000) for number in range(60)}
    photos = list(write_zip(tmp_path / "photos.zip", members, compression=zipfile.ZIP_DEFLATED))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda photo: photo.read(), photos)) == list(members.values())


def test_a_zip_behind_something_else_is_found(tmp_path):
    write_zip(tmp_path / "plain.zip", {"1.jpg": b"one"})
    (tmp_path / "photos.zip").write_bytes(b"#!/bin/sh\n" + (tmp_path / "plain.zip").read_bytes())
    (photo,) = ZipWalk(str(tmp_path / "photos.zip"))
    assert photo.read() == b"one"


def test_a_zip64_is_read(tmp_path):
    with (
        zipfile.ZipFile(tmp_path / "big.zip", "w") as archive,
        archive.open("1.jpg", "w", force_zip64=True) as file,
    ):
        file.write(b"one")
    data = bytearray((tmp_path / "big.zip").read_bytes())
    start = data.index(b"PK\x01\x02")  # rewrite the index as one that could not say it in 32 bits
    extra = struct.pack("<HHQQQ", 1, 24, 3, 3, 0)
    head = bytearray(data[start : start + 46])
    head[20:28] = b"\xff" * 8
    head[42:46] = b"\xff" * 4
    head[30:32] = struct.pack("<H", len(extra))
    index = bytes(head) + b"1.jpg" + extra
    end = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, len(index), start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, start + len(index), 1)
    last = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    (tmp_path / "big.zip").write_bytes(bytes(data[:start]) + index + end + locator + last)
    (photo,) = ZipWalk(str(tmp_path / "big.zip"))
    assert photo.read() == b"one"


def test_names_of_all_kinds_are_only_text(tmp_path):
    names = ["/etc/passwd.jpg", "../../up.jpg", "C:\\photos\\1.jpg"]
    photos = list(write_zip(tmp_path / "photos.zip", dict.fromkeys(names, b"x")))
    assert [photo.read() for photo in photos] == [b"x"] * 3
    assert photos[2].name.endswith("photos.zip/C:/photos/1.jpg")


def test_a_name_in_utf8_that_is_not_marked_so_is_read_as_such(tmp_path):
    write_zip(tmp_path / "photos.zip", {"caf__.jpg": b"x"})
    data = (tmp_path / "photos.zip").read_bytes().replace(b"caf__", "café".encode())
    (tmp_path / "photos.zip").write_bytes(data)
    (photo,) = ZipWalk(str(tmp_path / "photos.zip"))
    assert photo.name.endswith("/café.jpg")


def test_what_cannot_be_had_is_a_reason(tmp_path):
    link = zipfile.ZipInfo("link.jpg")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "photos.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("bomb.jpg", bytes(10_000_000))
        archive.writestr("bzip2.jpg", b"x", compress_type=zipfile.ZIP_BZIP2)
        archive.writestr("fine.jpg", b"fine")
    reasons = [reason(photo) for photo in list(ZipWalk(str(tmp_path / "photos.zip")))[:3]]
    assert reasons == [Reason.UNREADABLE, Reason.TOO_MANY_BYTES, Reason.UNREADABLE]


def test_a_bomb_that_lies_about_its_size_is_stopped_while_it_grows(tmp_path):
    write_zip(tmp_path / "photos.zip", {"1.jpg": bytes(50_000_000)}, compression=zipfile.ZIP_DEFLATED)
    data = (
        (tmp_path / "photos.zip").read_bytes().replace(struct.pack("<L", 50_000_000), struct.pack("<L", 10))
    )
    (tmp_path / "photos.zip").write_bytes(data)
    (photo,) = ZipWalk(str(tmp_path / "photos.zip"))
    tracemalloc.start()
    assert reason(photo, DecodeLimits(max_bytes=100_000)) is Reason.TOO_MANY_BYTES
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_an_encrypted_photo_is_a_reason(tmp_path):
    write_zip(tmp_path / "photos.zip", {"1.jpg": b"x"})
    data = bytearray((tmp_path / "photos.zip").read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "photos.zip").write_bytes(data)
    (photo,) = ZipWalk(str(tmp_path / "photos.zip"))
    assert reason(photo) is Reason.UNREADABLE


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_photo_is_a_reason_and_costs_the_others_nothing(tmp_path, method):
    noise = random.Random(1).randbytes(500)
    write_zip(tmp_path / "photos.zip", {"1.jpg": noise, "2.jpg": b"two"}, compression=method)
    data = bytearray((tmp_path / "photos.zip").read_bytes())
    data[100] ^= 0xFF
    (tmp_path / "photos.zip").write_bytes(data)
    broken, fine = ZipWalk(str(tmp_path / "photos.zip"))
    assert reason(broken) is Reason.CORRUPT
    assert fine.read() == b"two"


def test_a_zip_that_is_none_or_empty_or_cut_off_is_an_entry(tmp_path):
    (tmp_path / "none.zip").write_bytes(b"not a zip")
    (tmp_path / "empty.zip").touch()
    write_zip(tmp_path / "whole.zip", {"1.jpg": bytes(100)})
    (tmp_path / "cut.zip").write_bytes((tmp_path / "whole.zip").read_bytes()[:-30])
    expected = {"none.zip": Reason.CORRUPT, "empty.zip": Reason.EMPTY, "cut.zip": Reason.TRUNCATED}
    for name, wrong in expected.items():
        (entry,) = ZipWalk(str(tmp_path / name))
        assert (entry.name, reason(entry)) == (str(tmp_path / name), wrong)


def test_an_index_that_breaks_off_is_an_entry_behind_the_photos_before(tmp_path):
    write_zip(tmp_path / "photos.zip", {"1.jpg": b"one", "2.jpg": b"two"})
    data = bytearray((tmp_path / "photos.zip").read_bytes())
    data[data.rindex(b"PK\x01\x02")] = 0
    (tmp_path / "photos.zip").write_bytes(data)
    first, entry = ZipWalk(str(tmp_path / "photos.zip"))
    assert first.read() == b"one"
    assert reason(entry) is Reason.CORRUPT


def test_arbitrary_damage_never_raises_anything_but_a_photo_error(tmp_path):
    write_zip(
        tmp_path / "photos.zip", {f"{n}.jpg": bytes(300) for n in range(4)}, compression=zipfile.ZIP_DEFLATED
    )
    whole = (tmp_path / "photos.zip").read_bytes()
    dice = random.Random(7)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        (tmp_path / "photos.zip").write_bytes(data)
        for photo in ZipWalk(str(tmp_path / "photos.zip")):
            with contextlib.suppress(PhotoError):
                assert len(photo.read(SMALL)) <= SMALL.max_bytes


def build_index_of_many(count):
    """Return a zip of many entries, of which only the first has its few bytes."""
    body = struct.pack("<4s2B4H3L2H", b"PK\x03\x04", 20, 0, 0, 0, 0, 0, zlib.crc32(b"x"), 1, 1, 1, 0) + b"1x"
    index = io.BytesIO()
    for number in range(count):
        name = f"folder/{number:07}.jpg".encode()
        sizes = (zlib.crc32(b"x"), 1, 1, len(name), 0, 0, 0, 0, 0, 40 * number)
        index.write(struct.pack("<4s2B5H3L5H2L", b"PK\x01\x02", 20, 3, 20, 0, 0, 0, 0, *sizes) + name)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, index.tell(), len(body), 0)
    return body + index.getvalue() + end


def test_a_zip_of_many_photos_is_walked_in_flat_memory(tmp_path):
    (tmp_path / "photos.zip").write_bytes(build_index_of_many(100_000))
    tracemalloc.start()
    count = sum(1 for _ in ZipWalk(str(tmp_path / "photos.zip")))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 100_000
    assert peak < 1_000_000
    with (tmp_path / "photos.zip").open("rb") as file:
        assert next(iter_entries(file)).offset == 0


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_zip_that_may_not_be_read_is_an_entry(tmp_path):
    write_zip(tmp_path / "photos.zip", {"1.jpg": b"x"})
    (tmp_path / "photos.zip").chmod(0)
    (entry,) = ZipWalk(str(tmp_path / "photos.zip"))
    assert reason(entry) is Reason.UNREADABLE
