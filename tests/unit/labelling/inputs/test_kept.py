import errno
from pathlib import Path

import pytest

from hangtag.domain.errors import UsageError
from hangtag.labelling.inputs.prefetch import ByteStore


def test_what_does_not_fit_in_memory_waits_in_files():
    store = ByteStore(memory_bytes=100)
    kept = [store.keep(bytes([number]) * 60) for number in range(4)]
    assert [one.file is None for one in kept] == [True, False, False, False]
    folder = kept[1].file.parent
    assert [one.take() for one in kept] == [bytes([number]) * 60 for number in range(4)]
    assert list(folder.iterdir()) == []
    assert store.keep(b"x" * 100).file is None, "what was taken makes room"
    store.close()
    assert not folder.exists()


def test_closing_removes_what_nobody_took():
    store = ByteStore(memory_bytes=0)
    file = store.keep(b"x").file
    store.close()
    assert not file.exists()


def test_bytes_are_taken_once():
    kept = ByteStore().keep(b"x")
    kept.take()
    with pytest.raises(RuntimeError, match="before"):
        kept.take()


def test_bytes_of_photos_that_are_passed_over_make_room():
    store = ByteStore(memory_bytes=100)
    first, second = store.keep(b"x" * 100), store.keep(b"y")
    file = second.file
    del first, second
    assert not file.exists()
    assert store.keep(b"z" * 100).file is None
    store.close()


def test_where_there_is_no_room_the_run_ends(monkeypatch):
    def fail(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    store = ByteStore(memory_bytes=0)
    with pytest.raises(UsageError, match="TMPDIR"):
        store.keep(b"x")
    store.close()
