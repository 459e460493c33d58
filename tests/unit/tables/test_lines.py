import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangtag.domain.errors import TableError
from hangtag.tables import lines
from hangtag.tables.lines import iter_lines


def texts(data):
    return [line.text for line in iter_lines(io.BytesIO(data))]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_ends_a_line(end):
    assert texts(f"a{end}b{end}{end}c{end}".encode()) == ["a", "b", "", "c"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks_choose_the_encoding_and_vanish(encoding):
    assert texts("id,Größe\n1,₹ 5\n".encode(encoding)) == ["id,Größe", "1,₹ 5"]


def test_utf_16_of_the_other_byte_order_is_read_too():
    assert texts(b"\xfe\xff" + "id\r\n1".encode("utf-16-be")) == ["id", "1"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_recognised(encoding):
    assert texts("id,name\n1,Größe\n".encode(encoding)) == ["id,name", "1,Größe"]


def test_a_line_that_is_not_utf_8_is_read_as_windows_1252_and_says_so():
    data = "Größe\n".encode() + "café\n".encode("cp1252") + b"plain"
    assert [(line.text, line.recoded) for line in iter_lines(io.BytesIO(data))] == [
        ("Größe", False),
        ("café", True),
        ("plain", False),
    ]


def test_bytes_that_windows_1252_does_not_know_still_give_a_line():
    assert texts(b"a\x81b") == ["a\ufffdb"]


def test_lines_are_numbered_from_1():
    assert [line.number for line in iter_lines(io.BytesIO(b"a\n\nb"))] == [1, 2, 3]


@given(st.binary(max_size=200).filter(lambda data: b"\0" not in data), st.integers(1, 9))
def test_the_size_of_a_block_changes_nothing(data, size):
    whole = list(iter_lines(io.BytesIO(data)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK_BYTES", size + 4)  # a byte order mark has up to four bytes
        assert list(iter_lines(io.BytesIO(data))) == whole


@given(st.binary().filter(lambda data: b"\xff\xfe" != data[:2] != b"\xfe\xff" and b"\0" not in data))
def test_there_are_as_many_lines_as_python_counts(data):
    universal = io.TextIOWrapper(io.BytesIO(data), encoding="latin-1", newline=None).read()
    expected = universal.removeprefix("\xef\xbb\xbf").split("\n")
    if expected[-1] == "":
        expected.pop()
    assert len(texts(data)) == len(expected)


def test_a_file_without_line_ends_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE_LENGTH", 10)
    monkeypatch.setattr(lines, "BLOCK_BYTES", 8)
    (cut,) = texts(b"x" * 1000)
    assert 10 < len(cut) <= 18


def test_a_stream_that_breaks_off_says_after_which_line():
    class Broken(io.BytesIO):
        def read(self, size=-1):
            if self.tell():
                raise OSError(5, "Input/output error")
            return super().read(size)

    with pytest.raises(TableError, match=r"beyond line 2"):
        list(iter_lines(Broken(b"a\nb\nc"), "there"))
