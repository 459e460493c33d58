import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangtag.labelling.inputs.sorting import Entry, sort_entries

NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: not set(name) & {0, ord("/")}).map(os.fsdecode)


@given(st.sets(NAMES), st.integers(1, 7))
def test_names_come_sorted_whether_or_not_they_fit_in_memory(names, held):
    entries = [Entry(name, "pf"[len(name) % 2]) for name in names]
    assert list(sort_entries(iter(entries), held)) == sorted(entries)


@pytest.mark.parametrize("count", [2_000, 9_999])
def test_runs_longer_than_a_block_are_read_whole(count):
    entries = [Entry(f"{number * 7919 % count:05}-{'x' * (number % 50)}.jpg", "p") for number in range(count)]
    assert list(sort_entries(iter(entries), 1_000)) == sorted(entries)


def test_everything_is_taken_before_the_first_name_is_asked_for():
    def broken():
        yield Entry("a", "p")
        raise PermissionError

    with pytest.raises(PermissionError):
        sort_entries(broken())
