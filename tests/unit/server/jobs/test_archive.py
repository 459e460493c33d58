import struct
import zipfile

import pytest

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DecodeLimits
from hangtag.server.jobs.archive import list_archive
from hangtag.server.jobs.folder import JobFolders, StoredPhoto
from hangtag.server.problems import InvalidRequestError, TooManyFilesError

LIMITS = DecodeLimits(max_bytes=10_000)


@pytest.fixture
def write(tmp_path):
    def write(files, method=zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / "000000", "w", method) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return tmp_path / "000000"

    return write


def read(path, index):
    job = path.parent.name
    return JobFolders(path.parent.parent).read(job, StoredPhoto(0, index), LIMITS)


def test_photos_and_tables_are_found_and_the_rest_is_named(write):
    path = write(
        {
            "shop/": b"",
            "shop/a.JPG": b"a",
            "shop/more/b.webp": b"b",
            "shop/list.CSV": b"c",
            "read me.txt": b"d",
            "__MACOSX/shop/._a.JPG": b"e",
            "shop/.hidden.jpg": b"f",
            "shop/Thumbs.db": b"g",
        }
    )
    content = list_archive(path, 100)
    assert [entry.name for entry in content.photos] == ["shop/a.JPG", "shop/more/b.webp"]
    assert [entry.name for entry in content.tables] == ["shop/list.CSV"]
    assert content.others == ["read me.txt", "shop/Thumbs.db"]
    assert [read(path, entry.index) for entry in content.photos] == [b"a", b"b"]


def test_a_name_is_only_a_name(write):
    content = list_archive(write({"../../etc/a.jpg": b"a", "/b.jpg": b"b", "c\x1b[2J.jpg": b"c"}), 100)
    assert [entry.name for entry in content.photos] == ["../../etc/a.jpg", "/b.jpg", "c\\x1b[2J.jpg"]


def test_utf8_that_is_not_declared_is_read_all_the_same(tmp_path):
    name = "grün.jpg".encode()
    data = zip_of_one(name, b"x")
    (tmp_path / "old.zip").write_bytes(data)
    assert list_archive(tmp_path / "old.zip", 9).photos[0].name == "grün.jpg"


def zip_of_one(name, data, flags=0, method=0, size=None):
    """Return a zip written by hand, so that it can say what no library would."""
    sizes = struct.pack("<III", 0, len(data), len(data) if size is None else size)
    local = b"PK\x03\x04" + struct.pack("<HHHHH", 20, flags, method, 0, 0) + sizes
    local += struct.pack("<HH", len(name), 0) + name + data
    index = b"PK\x01\x02" + struct.pack("<HHHHHH", 20, 20, flags, method, 0, 0) + sizes
    index += struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(index), len(local), 0)
    return local + index + end


@pytest.mark.parametrize(
    ("flags", "method", "reason"),
    [
        (1, 0, Reason.UNREADABLE),
        (0, 12, Reason.UNREADABLE),
        (0, 14, Reason.UNREADABLE),
        (0, 0, Reason.CORRUPT),
    ],
)
def test_an_entry_that_cannot_be_read_has_a_reason(tmp_path, flags, method, reason):
    path = tmp_path / "000000"
    path.write_bytes(zip_of_one(b"a.jpg", b"photo", flags, method))
    with pytest.raises(PhotoError) as failed:
        read(path, 0)  # the last one has a wrong checksum
    assert failed.value.reason is reason


def test_a_bomb_is_only_read_as_far_as_a_photo_may_go(write):
    path = write({"bomb.jpg": bytes(50_000_000)})
    with pytest.raises(PhotoError) as failed:
        read(path, 0)
    assert failed.value.reason is Reason.TOO_MANY_BYTES


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 cut off", b"PK\x05\x06" + bytes(7)])
def test_a_broken_zip_is_refused(tmp_path, data):
    (tmp_path / "broken.zip").write_bytes(data)
    with pytest.raises(InvalidRequestError, match="the zip cannot be read"):
        list_archive(tmp_path / "broken.zip", 10)


def test_too_many_entries_are_refused(write):
    path = write({f"{number}.jpg": b"" for number in range(11)})
    assert len(list_archive(path, 11).photos) == 11
    with pytest.raises(TooManyFilesError, match="more than 10 entries"):
        list_archive(path, 10)


def test_an_enormous_index_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("hangtag.server.jobs.archive.iter_entries", None)  # nobody may get as far as that
    index = b"PK\x01\x02" * 10_000
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(index), 0, 0)
    (tmp_path / "huge.zip").write_bytes(index + end)
    with pytest.raises(TooManyFilesError):
        list_archive(tmp_path / "huge.zip", 10)
