from itertools import pairwise

import pyarrow.parquet as pq
import pytest

from hangtag.labelling.outputs import Layout
from hangtag.labelling.part_folder import PartFolder, holds_rows, remove_rows

LAYOUT = Layout(("articleType",))
TWO_MODELS = Layout(("articleType",), models=("one", "two"))


def rows_of(*paths, failed=()):
    return dict.fromkeys(LAYOUT.kinds, [None] * len(paths)) | {
        "path": list(paths),
        "status": ["failed" if path in failed else "labelled" for path in paths],
        "reason": ["empty" if path in failed else None for path in paths],
        "articleType": [None if path in failed else "Tshirts" for path in paths],
        "articleType_confidence": [None if path in failed else 0.25 for path in paths],
        "flags": [None if path in failed else ("blank", "too_dark") for path in paths],
    }


def paths_in(parts):
    return [path for rows in parts.iter_rows(["path"]) for path in rows["path"]]


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def parts(tmp_path):
    opened = PartFolder(tmp_path, LAYOUT, rows_a_part=3)
    yield opened
    opened.close()


def test_a_part_is_complete_when_it_is_full(parts, tmp_path):
    for path in "abcd":
        parts.write(rows_of(path))
    assert names_in(tmp_path) == ["_part-00001.rows", "part-00000.parquet"]
    assert pq.read_table(tmp_path / "part-00000.parquet")["path"].to_pylist() == ["a", "b", "c"]
    assert paths_in(parts) == ["a", "b", "c", "d"]
    assert parts.photos == 4
    parts.complete_part()
    parts.complete_part()
    assert names_in(tmp_path) == ["part-00000.parquet", "part-00001.parquet"]


def test_it_goes_on_where_it_was(parts, tmp_path):
    parts.write(rows_of("a", "b", "c", "d"))
    parts.write(rows_of("e"))
    parts.close()
    again = PartFolder(tmp_path, LAYOUT, rows_a_part=3)
    again.write(rows_of("f", "g"))
    assert [path.name for path in again.parts] == ["part-00000.parquet", "part-00001.parquet"]
    assert paths_in(again) == [*"abcdefg"]


def test_rows_come_back_as_they_were_written(tmp_path):
    rows = rows_of("a", "b", failed="b")
    rows |= {"articleType_top": [[("Tshirts", 0.25), ("Jeans", 0.125)], None]}
    parts = PartFolder(tmp_path, Layout(("articleType",), top_k=2))
    parts.write(rows)
    assert list(parts.iter_rows()) == [rows]
    parts.complete_part()
    assert list(parts.iter_rows()) == [rows]


def test_a_log_whose_part_is_complete_counts_no_more(parts, tmp_path):
    parts.write(rows_of("a", "b"))
    log = tmp_path / "_part-00000.rows"
    content = log.read_bytes()
    parts.complete_part()
    log.write_bytes(content)  # as if the end had come before it was removed
    (tmp_path / ".part-00001.parquet.77.part").write_bytes(b"half a part")
    again = PartFolder(tmp_path, LAYOUT, rows_a_part=3)
    assert paths_in(again) == ["a", "b"]
    assert names_in(tmp_path) == ["part-00000.parquet"]


def test_failed_photos_are_dropped_from_parts_and_log(parts):
    parts.write(rows_of("a", "b", "c", failed="b"))
    parts.write(rows_of("d", "e", failed="e"))
    parts.drop_failed()
    parts.write(rows_of("b"))
    assert paths_in(parts) == ["a", "c", "d", "b"]


def test_finished_photos_are_counted_once_whatever_the_number_of_models(tmp_path):
    parts = PartFolder(tmp_path, TWO_MODELS)
    parts.write(rows_of("a", "a", "b", "b") | {"model": ["one", "two"] * 2})
    finished = parts.read_finished()
    parts.close()
    assert parts.photos == finished.photos == 2


def test_removing_rows_touches_nothing_else(parts, tmp_path):
    parts.write(rows_of("a", "b", "c"))
    parts.write(rows_of("d"))
    parts.close()
    (tmp_path / "part-one.parquet").touch()
    assert holds_rows(tmp_path)
    remove_rows(tmp_path)
    assert names_in(tmp_path) == ["part-one.parquet"]
    assert not holds_rows(tmp_path)


def test_the_disk_is_waited_for_every_second_but_not_for_a_fiftieth_of_the_time(parts, monkeypatch):
    now, waits = [1000.0], []

    def make_durable(_log):
        waits.append(now[0])
        now[0] += 0.1  # a slow disk

    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("hangtag.labelling.part_folder.RowLog.make_durable", make_durable)
    opened = PartFolder(parts.folder, LAYOUT)
    for tick in range(100):
        now[0] = max(now[0], 1000 + tick / 4)
        opened.write(rows_of(f"{tick}"))
    opened.close()
    assert waits[0] == 1001
    assert all(5 <= after - before < 5.5 for before, after in pairwise(waits))
    assert len(waits) == 5


def test_a_part_that_cannot_be_completed_leaves_its_log(parts, tmp_path, monkeypatch):
    parts.write(rows_of("a", "b"))
    monkeypatch.setattr("hangtag.tables.parquet.ParquetWriter.finish", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        parts.complete_part()
    monkeypatch.undo()
    assert names_in(tmp_path) == ["_part-00000.rows"]
    parts.write(rows_of("c"))
    assert paths_in(parts) == ["a", "b", "c"]
