import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangtag.datasets import cleaned as seen_module
from hangtag.datasets.cleaned import SeenIds

batches_of_ids = st.lists(
    st.lists(st.sampled_from(["1", "2", "3", "10", "é", "a b"]), max_size=5), max_size=5
)


@given(batches_of_ids, st.sampled_from([0, 3, 1000]))
def test_the_first_line_of_each_id_is_known_whether_in_memory_or_spilled(batches, in_memory):
    expected, first_lines, line = {}, {}, 0
    found = {}
    with pytest.MonkeyPatch.context() as patch, SeenIds() as seen:
        patch.setattr(seen_module, "MAX_IDS_IN_MEMORY", in_memory)
        for batch in batches:
            numbered = []
            for id_ in batch:
                line += 1
                numbered.append((id_, line))
                if first_lines.setdefault(id_, line) != line:
                    expected[line] = first_lines[id_]
            found |= seen.add(numbered)
    assert found == expected


def test_a_small_table_never_touches_the_disk(monkeypatch):
    monkeypatch.delattr(seen_module, "_open_database")
    with SeenIds() as seen:
        assert seen.add([("7", 2), ("7", 3)]) == {3: 2}
