import os
import stat

import pytest

from hangtag.domain.durable import close_to_others, replacing


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "figures.json"
    path.write_text("old")
    return path


def test_first_the_bytes_reach_the_disk_and_then_the_name(path, monkeypatch):
    seen, fsync = [], os.fsync

    def record(number):
        seen.append((stat.S_ISDIR(os.fstat(number).st_mode), path.read_text()))
        fsync(number)

    monkeypatch.setattr(os, "fsync", record)
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert seen == []
    assert seen == [(False, "old"), (True, "new")]
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_block_that_fails_changes_nothing(path, error):
    def write():
        with replacing(path) as temporary:
            temporary.write_text("ne")
            raise error

    with pytest.raises(error):
        write()
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_until_it_is_whole_it_lies_in_the_workplace(path, tmp_path):
    (tmp_path / "work").mkdir()
    with replacing(path, tmp_path / "work") as temporary:
        temporary.write_text("new")
        assert list((tmp_path / "work").iterdir()) == [temporary]
    assert path.read_text() == "new"
    assert list((tmp_path / "work").iterdir()) == []


def test_a_missing_folder_is_what_the_error_speaks_of(tmp_path):
    path = tmp_path / "missing" / "figures.json"
    with pytest.raises(FileNotFoundError, match="missing"), replacing(path) as temporary:
        temporary.write_text("new")


def test_two_may_write_at_once(path):
    with replacing(path) as one, replacing(path) as other:
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"


def test_it_may_be_read_by_all_who_may_read_other_files(path):
    usual = path.stat().st_mode
    with replacing(path) as temporary:
        temporary.write_text("new")
    assert path.stat().st_mode == usual


def test_a_folder_is_closed_to_others_with_its_files(tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("")
    folder = tmp_path / "data"
    (folder / "below").mkdir(parents=True)
    (folder / "file").write_text("")
    (folder / "link").symlink_to(outside)
    for path in (folder, folder / "below", folder / "file", outside):
        path.chmod(0o755)
    close_to_others(folder)
    modes = [
        stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "below", folder / "file", outside)
    ]
    assert modes == [0o700, 0o700, 0o600, 0o755]
    folder.chmod(0o1777)
    close_to_others(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
