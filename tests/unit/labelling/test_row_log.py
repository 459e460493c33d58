import pytest

from hangtag.labelling.outputs import Layout
from hangtag.labelling.part_folder import RowLog, iter_log
from hangtag.tables.parquet import ArrowRows

ARROW = ArrowRows(Layout(("articleType",), top_k=2).kinds)


def batch_of(*paths):
    count = len(paths)
    rows = dict.fromkeys(ARROW.schema.names, [None] * count)
    return ARROW.pack(rows | {"path": list(paths)})


def paths_in(path):
    return [name for batch in iter_log(path, ARROW.schema) for name in batch["path"].to_pylist()]


@pytest.fixture
def log(tmp_path):
    """The bytes of a log with three entries, and where each of them ends."""
    log = RowLog(tmp_path / "whole", ARROW.schema)
    ends = [0]
    for names in (["a", "b"], ["c"], ["d", "e", "f"]):
        log.append(batch_of(*names))
        ends.append((tmp_path / "whole").stat().st_size)
    log.close()
    return (tmp_path / "whole").read_bytes(), ends


def test_rows_come_back_in_their_order(tmp_path):
    log = RowLog(tmp_path / "log", ARROW.schema)
    log.append(batch_of("a", "b"))
    log.append(batch_of("ü.jpg"))
    assert paths_in(tmp_path / "log") == ["a", "b", "ü.jpg"]
    assert log.rows == 3
    log.make_durable()
    log.close()


@pytest.mark.costly
def test_a_log_cut_at_any_byte_holds_its_whole_entries_and_goes_on(tmp_path, log):
    content, ends = log
    lengths = {0: 0, 1: 2, 2: 3, 3: 6}
    for size in range(0, len(content) + 1, 7):
        (tmp_path / "log").write_bytes(content[:size])
        whole = sum(end <= size for end in ends) - 1
        found = RowLog(tmp_path / "log", ARROW.schema)
        assert found.rows == lengths[whole]
        found.append(batch_of("new"))
        found.close()
        assert paths_in(tmp_path / "log") == [*"abcdef"[: lengths[whole]], "new"]


@pytest.mark.parametrize("tail", [bytes(4096), b"\xff" * 4096, b"\x01\0\0\0" * 9])
def test_what_follows_the_last_entry_is_cut_off(tmp_path, log, tail):
    (tmp_path / "log").write_bytes(log[0] + tail)
    found = RowLog(tmp_path / "log", ARROW.schema)
    assert found.rows == 6
    found.close()
    assert (tmp_path / "log").read_bytes() == log[0]


def test_an_entry_that_is_damaged_ends_the_log(tmp_path, log):
    content, ends = log
    damaged = bytearray(content)
    damaged[ends[2] - 5] ^= 1
    (tmp_path / "log").write_bytes(damaged)
    assert paths_in(tmp_path / "log") == ["a", "b"]
