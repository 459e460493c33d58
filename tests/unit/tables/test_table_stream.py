import csv
import io

import pytest

from hangtag.domain.errors import CatalogueError
from hangtag.tables import tables
from hangtag.tables.tables import stream_table


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_the_bytes_are_the_rows_as_csv_however_they_are_read(monkeypatch, size):
    monkeypatch.setattr(tables, "CHUNK_CHARACTERS", 50)
    rows = [[str(number), 'a "quoted", é', "two\nlines"] for number in range(100)]
    with stream_table(["id", "name", "text"], rows) as stream:
        data = b"".join(iter(lambda: stream.read(size), b""))
    assert list(csv.reader(io.StringIO(data.decode(), newline=""))) == [["id", "name", "text"], *rows]


def test_rows_are_made_only_as_they_are_read(monkeypatch):
    monkeypatch.setattr(tables, "CHUNK_CHARACTERS", 50)
    made = []

    def rows():
        for number in range(100_000):
            made.append(number)
            yield [str(number)]

    with stream_table(["id"], rows()) as stream:
        assert stream.read(20).startswith(b"id\n0\n1\n")
    assert len(made) < 10_000


def test_what_the_rows_raise_reading_raises():
    def rows():
        yield ["1"]
        raise CatalogueError("broken off")

    with stream_table(["id"], rows()) as stream, pytest.raises(CatalogueError, match="broken off"):
        stream.read()
