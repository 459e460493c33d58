import contextlib
import gzip
import io
import lzma
import random
import struct
import tarfile
import tracemalloc

import pyarrow as pa
import pytest

import hostile_files
from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DecodeLimits
from hangtag.labelling.inputs.archived import TAR_ENDINGS, TarWalk
from hangtag.labelling.inputs.prefetch import ByteStore

MODES = {
    ".tar": "w",
    ".gz": "w:gz",
    ".tgz": "w:gz",
    ".bz2": "w:bz2",
    ".tbz2": "w:bz2",
    ".xz": "w:xz",
    ".txz": "w:xz",
}
SMALL = DecodeLimits(max_bytes=1000)


def member(name, data=b"x", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def build_tar(members, mode="w", **options):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, **options) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def write_tar(path, members, **options):
    ending = path.suffix
    if ending in (".zst", ".tzst"):
        path.write_bytes(pa.compress(build_tar(members, **options), codec="zstd", asbytes=True))
    else:
        path.write_bytes(build_tar(members, MODES[ending], **options))
    return path


def reason(photo, limits=SMALL):
    with pytest.raises(PhotoError) as caught:
        photo.read(limits)
    return caught.value.reason


@pytest.mark.parametrize("ending", TAR_ENDINGS)
def test_photos_come_in_the_order_of_the_tar(tmp_path, ending):
    long = f"{'deep/' * 60}1.jpg"
    members = [
        member("b/1.jpg", b"one"),
        member("a.PNG", b"two" * 999),
        member("notes.txt"),
        member(long, b""),
    ]
    members += [member(".x.jpg"), member("./café.jpg", b"four")]
    path = write_tar(tmp_path / f"photos{ending}", members)
    walk = TarWalk(str(path))
    photos = list(walk)
    assert [photo.name for photo in photos] == [f"{path}/{n}" for n in ("b/1.jpg", "a.PNG", long, "café.jpg")]
    assert [photo.read() for photo in photos] == [b"one", b"two" * 999, b"", b"four"]
    assert walk.other_files == 1
    assert len(list(walk)) == 4
    assert walk.other_files == 1


@pytest.mark.parametrize("ending", [".tar", ".tar.gz"])
@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_kind_of_tar_is_read(tmp_path, ending, kind):
    members = [member(f"{'long-name-' * 9}{number}.jpg", b"%d" % number) for number in range(20)]
    path = write_tar(tmp_path / f"photos{ending}", members, format=kind)
    assert [photo.read() for photo in TarWalk(str(path))] == [b"%d" % number for number in range(20)]


@pytest.mark.parametrize("ending", [".tar", ".tar.zst"])
def test_what_is_no_plain_file_is_a_reason(tmp_path, ending):
    odd = [
        member("link.jpg", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        member("hard.jpg", b"", type=tarfile.LNKTYPE, linkname="fine.jpg"),
        member("device.jpg", b"", type=tarfile.CHRTYPE),
        member("pipe.jpg", b"", type=tarfile.FIFOTYPE),
    ]
    large = member("large.jpg", bytes(2000))
    path = write_tar(tmp_path / f"photos{ending}", [*odd, large, member("/abs/../fine.jpg", b"fine")])
    *faulty, big, fine = TarWalk(str(path), limits=SMALL)
    assert [reason(photo) for photo in faulty] == [Reason.UNREADABLE] * 4
    assert reason(big) is Reason.TOO_MANY_BYTES
    assert fine.read() == b"fine"


def test_a_header_that_claims_gigabytes_is_refused(tmp_path):
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 4_000_000_000
    claim = info.tobuf(tarfile.GNU_FORMAT)
    (tmp_path / "photos.tar.gz").write_bytes(gzip.compress(claim + bytes(100_000_000), 1))
    tracemalloc.start()
    (entry,) = TarWalk(str(tmp_path / "photos.tar.gz"))
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
    assert reason(entry) is Reason.CORRUPT


@pytest.mark.parametrize("ending", [".tar", ".tar.gz", ".tar.xz", ".tar.zst"])
def test_a_tar_that_is_cut_off_is_an_entry_behind_its_photos(tmp_path, ending):
    noise = random.Random(1)
    members = [member(f"{number}.jpg", noise.randbytes(20_000)) for number in range(30)]
    path = write_tar(tmp_path / f"photos{ending}", members)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    *photos, last = TarWalk(str(path))
    whole = [photo.read() for photo in photos[:15]]
    assert whole == [data for _, data in members[:15]]
    assert reason(last) is Reason.TRUNCATED
    assert last.name == str(path)


@pytest.mark.parametrize("ending", TAR_ENDINGS)
def test_a_tar_is_cut_off_wherever_it_is_cut(tmp_path, ending):
    noise = random.Random(2)
    path = write_tar(
        tmp_path / f"photos{ending}", [member(f"{n}.jpg", noise.randbytes(700)) for n in range(5)]
    )
    whole = path.read_bytes()
    needed = 5 * (512 + 1024) if ending == ".tar" else len(whole) - 200  # behind it there may be but zeros
    for cut in range(20, needed, 97):
        path.write_bytes(whole[:cut])
        *_, last = TarWalk(str(path))
        assert (last.name, reason(last)) == (str(path), Reason.TRUNCATED)


@pytest.mark.parametrize("ending", TAR_ENDINGS)
def test_a_tar_without_a_byte_is_empty(tmp_path, ending):
    (tmp_path / f"photos{ending}").touch()
    (entry,) = TarWalk(str(tmp_path / f"photos{ending}"))
    assert reason(entry) is Reason.EMPTY


def test_a_tar_cut_off_between_two_photos_is_noticed(tmp_path):
    data = build_tar([member("1.jpg"), member("2.jpg")])
    (tmp_path / "photos.tar").write_bytes(data[:1024])
    photo, last = TarWalk(str(tmp_path / "photos.tar"))
    assert photo.read() == b"x"
    assert reason(last) is Reason.TRUNCATED


def test_a_damaged_header_in_the_middle_is_noticed(tmp_path):
    data = bytearray(build_tar([member("1.jpg"), member("2.jpg"), member("3.jpg")]))
    data[1024 + 5] ^= 0xFF
    (tmp_path / "photos.tar").write_bytes(data)
    photo, last = TarWalk(str(tmp_path / "photos.tar"))
    assert photo.read() == b"x"
    assert reason(last) is Reason.TRUNCATED


@pytest.mark.parametrize("ending", TAR_ENDINGS)
def test_what_is_no_tar_is_an_entry(tmp_path, ending):
    (tmp_path / f"photos{ending}").write_bytes(b"not a tar at all" * 100)
    (entry,) = TarWalk(str(tmp_path / f"photos{ending}"))
    assert reason(entry) is Reason.CORRUPT


@pytest.mark.parametrize("ending", [".tar", ".tar.gz"])
def test_arbitrary_damage_never_raises_anything_but_a_photo_error(tmp_path, ending):
    path = write_tar(tmp_path / f"photos{ending}", [member(f"{n}.jpg", bytes(300)) for n in range(4)])
    whole = path.read_bytes()
    dice = random.Random(7)
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        path.write_bytes(data)
        for photo in TarWalk(str(path), limits=SMALL):
            with contextlib.suppress(PhotoError):
                photo.read(SMALL)


def test_photos_that_no_one_takes_do_not_fill_the_memory(tmp_path):
    noise = random.Random(1)
    path = write_tar(
        tmp_path / "photos.tar.gz", [member(f"{n}.jpg", noise.randbytes(50_000)) for n in range(60)]
    )
    store = ByteStore(memory_bytes=200_000)
    tracemalloc.start()
    photos = list(TarWalk(str(path), store))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
    assert {len(photo.read()) for photo in photos} == {50_000}
    store.close()


def test_a_tar_of_many_photos_is_walked_in_flat_memory(tmp_path):
    head, data = (build_tar([member("folder/0000000.jpg")])[part] for part in (slice(512), slice(512, 1024)))
    with gzip.open(tmp_path / "photos.tar.gz", "wb", 1) as file:
        for number in range(15_000):
            block = bytearray(head)
            block[7:14] = b"%07d" % number
            block[148:156] = b" " * 8
            block[148:156] = b"%06o\0 " % sum(struct.unpack("512B", block))
            file.write(block + data)
        file.write(bytes(1024))
    tracemalloc.start()
    count = sum(len(photo.read()) for photo in TarWalk(str(tmp_path / "photos.tar.gz")))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 15_000
    assert peak < 1_000_000


def test_a_dictionary_of_gigabytes_is_refused(tmp_path):
    path = tmp_path / "a.tar.xz"
    path.write_bytes(hostile_files.xz_of_large_dictionary(build_tar([member("a.jpg")])))
    tracemalloc.start()
    try:
        (broken,) = TarWalk(str(path))
        assert reason(broken) is Reason.TOO_EXPENSIVE
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_several_streams_of_an_xz_are_read_as_one(tmp_path):
    path = tmp_path / "a.tar.xz"
    whole = build_tar([member("a.jpg", b"x" * 500), member("b.jpg", b"y" * 500)])
    path.write_bytes(lzma.compress(whole[:700]) + bytes(8) + lzma.compress(whole[700:]))
    assert [photo.read(SMALL) for photo in TarWalk(str(path))] == [b"x" * 500, b"y" * 500]
