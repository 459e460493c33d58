import struct
import unicodedata
import zipfile
import zlib

import pytest

from hangtag.archives.members import Membership, sort_member
from hangtag.archives.zips import iter_entries, open_entry, read_entry
from hangtag.domain.errors import PhotoError


def write_raw(path, entries, flags=0, extra=b""):
    """Write a zip by hand: entries as (name in bytes, content, offset or None for where it lies)."""
    body, index = b"", b""
    for name, data, offset in entries:
        place = len(body) if offset is None else offset
        sizes = struct.pack("<III", zlib.crc32(data), len(data), len(data))
        if offset is None:
            body += b"PK\x03\x04" + struct.pack("<HHHHH", 20, flags, 0, 0, 0) + sizes
            body += struct.pack("<HH", len(name), 0) + name + data
        index += b"PK\x01\x02" + struct.pack("<HHHHHH", 20, 20, flags, 0, 0, 0) + sizes
        index += struct.pack("<HHHHHII", len(name), len(extra), 0, 0, 0, 0, place) + name + extra
    end = struct.pack("<HHHHIIH", 0, 0, len(entries), len(entries), len(index), len(body), 0)
    path.write_bytes(body + index + b"PK\x05\x06" + end)
    return path


def names_of(path):
    with path.open("rb") as file:
        return [entry.name for entry in iter_entries(file)]


def name_of(tmp_path, raw, **options):
    return names_of(write_raw(tmp_path / "a.zip", [(raw, b"x", None)], **options))[0]


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("Blüse.jpg", "utf-8"),
        ("Blüse.jpg", "cp437"),
        ("Blüse.jpg", "cp850"),
        ("Blüse.jpg", "cp1252"),
        ("ação/São Tomé.jpg", "cp850"),
        ("Größe 1.jpg", "cp437"),
        ("рубашка 1.jpg", "cp866"),
        (unicodedata.normalize("NFD", "Blüse.jpg"), "utf-8"),
    ],
)
def test_names_of_macos_and_of_the_code_pages_of_windows_are_read(tmp_path, name, encoding):
    assert name_of(tmp_path, name.encode(encoding)) == name


def test_a_name_that_says_what_it_is_is_believed(tmp_path):
    assert name_of(tmp_path, "é.jpg".encode(), flags=0x800) == "é.jpg"
    raw = "Ω.jpg".encode("cp1253")
    field = b"\x01" + zlib.crc32(raw).to_bytes(4, "little") + "Ω.jpg".encode()
    extra = struct.pack("<HH", 0x7075, len(field)) + field
    assert name_of(tmp_path, raw, extra=extra) == "Ω.jpg"


def test_the_slashes_of_windows_are_slashes(tmp_path):
    assert name_of(tmp_path, b"images\\1.jpg") == "images/1.jpg"
    assert name_of(tmp_path, b"images\\") == "images/"
    assert name_of(tmp_path, b"a/b\\c.jpg") == "a/b\\c.jpg"  # made where a backslash is a letter


def test_entries_that_share_bytes_are_refused(tmp_path):
    first, second = (b"1.jpg", b"one" * 50, None), (b"2.jpg", b"two" * 50, None)
    bomb = write_raw(tmp_path / "bomb.zip", [first, *[(b"%d.jpg" % n, b"one" * 50, 0) for n in range(3)]])
    with pytest.raises(zipfile.BadZipFile, match="overlap"):
        names_of(bomb)
    nested = write_raw(tmp_path / "nested.zip", [first, second, (b"3.jpg", b"x", 40)])
    with pytest.raises(zipfile.BadZipFile, match="overlap"):
        names_of(nested)


def test_entries_in_another_order_are_no_overlap(tmp_path):
    entries = [(b"1.jpg", b"one", None), (b"2.jpg", b"two", None), (b"3.jpg", b"three", None)]
    path = write_raw(tmp_path / "a.zip", entries)
    data = path.read_bytes()
    start, size = data.index(b"PK\x01\x02"), 46 + 5
    index = data[start : start + 3 * size]
    turned = index[2 * size :] + index[:size] + index[size : 2 * size]
    path.write_bytes(data.replace(index, turned))
    with path.open("rb") as file:
        assert [read_entry(path, entry) for entry in iter_entries(file)] == [b"three", b"one", b"two"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_entry_is_streamed(tmp_path, method):
    content = bytes(range(256)) * 4000
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("empty.csv", b"")
        archive.writestr("styles.csv", content)
    with (tmp_path / "a.zip").open("rb") as file:
        entries = list(iter_entries(file))
    for entry, expected in zip(entries, (b"", content), strict=True):
        with open_entry(tmp_path / "a.zip", entry) as stream:
            assert stream.read() == expected


def test_a_damaged_entry_says_so_while_it_is_streamed(tmp_path):
    path = write_raw(tmp_path / "a.zip", [(b"styles.csv", b"id,articleType\n1,Shirts\n", None)])
    path.write_bytes(path.read_bytes().replace(b"Shirts", b"Shorts"))
    with path.open("rb") as file:
        (entry,) = iter_entries(file)
    with open_entry(path, entry) as stream, pytest.raises(zipfile.BadZipFile, match="checksum"):
        stream.read()


def test_what_is_encrypted_is_not_opened(tmp_path):
    path = write_raw(tmp_path / "a.zip", [(b"styles.csv", b"x", None)], flags=1)
    with path.open("rb") as file:
        (entry,) = iter_entries(file)
    with pytest.raises(PhotoError, match="encrypted"):
        open_entry(path, entry)


@pytest.mark.parametrize("name", ["a/", ".x.jpg", "__MACOSX/a/._1.jpg", "a/.thumbs/1.jpg", "a/.DS_Store"])
def test_what_nobody_put_there_on_purpose_is_ignored(name):
    assert sort_member(name) is Membership.IGNORED
    assert sort_member("../a/1.JPG") is Membership.PHOTO
    assert sort_member("a/1.txt") is Membership.OTHER
