import os
import sys

import pytest

from hangtag.domain.errors import TableError
from hangtag.tables.sandbox import TableSize, read_in_sandbox

SMALL = TableSize(10, 10, 100)


def test_a_table_is_read_in_a_process_with_its_columns_and_rows(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id;colour\n7;Blue\n8;\n", encoding="utf-8")
    table = read_in_sandbox(path, "t.csv", SMALL)
    assert [column.name for column in table.columns] == ["id", "colour"]
    assert [cells for _, cells in table.rows] == [["7", "Blue"], ["8", ""]]


@pytest.mark.skipif(not hasattr(os, "setpriority"), reason="no priorities here")
def test_the_process_has_a_low_priority_before_it_imports_anything(tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nsleep 0.2\nnice >&2\nexit 1\n", encoding="utf-8")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(TableError) as raised:
        read_in_sandbox(tmp_path / "t.csv", "t.csv", SMALL)
    assert int(raised.value.problem) > os.nice(0)


def test_a_table_that_is_too_large_says_by_what(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id\n" + "7\n" * 11, encoding="utf-8")
    with pytest.raises(TableError, match="it has more than 10 rows"):
        read_in_sandbox(path, "t.csv", SMALL)
