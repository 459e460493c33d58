import os
import sys
import tracemalloc
from pathlib import Path

import pytest

from hangtag.domain.errors import PhotoError, UsageError
from hangtag.domain.reasons import Reason
from hangtag.labelling.inputs import PhotoFile, PhotoWalk


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def names(walk, folder):
    return [os.path.relpath(photo.path, folder) for photo in walk]


def test_a_folder_is_walked_in_the_order_of_its_names(tmp_path):
    for name in ["b.jpg", "a/z.png", "a/y/1.webp", "c.JPEG", "a.jpg"]:
        touch(tmp_path / name)
    assert names(PhotoWalk([tmp_path]), tmp_path) == ["a/y/1.webp", "a/z.png", "a.jpg", "b.jpg", "c.JPEG"]


def test_inputs_keep_the_order_in_which_they_were_given(tmp_path):
    touch(tmp_path / "folder" / "1.jpg")
    single = touch(tmp_path / "single.jpg")
    walk = PhotoWalk([single, tmp_path / "folder", single])
    assert names(walk, tmp_path) == ["single.jpg", "folder/1.jpg", "single.jpg"]


def test_hidden_names_are_passed_over_and_other_files_are_counted(tmp_path):
    for name in ["1.jpg", "notes.txt", "sub/styles.csv", ".hidden.jpg", ".folder/2.jpg"]:
        touch(tmp_path / name)
    walk = PhotoWalk([tmp_path])
    assert names(walk, tmp_path) == ["1.jpg"]
    assert walk.other_files == 2
    assert names(walk, tmp_path) == ["1.jpg"]
    assert walk.other_files == 2


def test_a_named_file_is_a_photo_whatever_its_name(tmp_path):
    named = [touch(tmp_path / "photo"), touch(tmp_path / ".hidden"), tmp_path / "missing.jpg"]
    assert [photo.path for photo in PhotoWalk(named)] == [str(path) for path in named]


def test_a_missing_photo_is_an_entry_that_cannot_be_read(tmp_path):
    (photo,) = PhotoWalk([tmp_path / "missing.jpg"])
    with pytest.raises(PhotoError) as caught:
        photo.read()
    assert caught.value.reason is Reason.NOT_FOUND


def test_links_to_photos_are_followed_and_broken_ones_are_entries(tmp_path):
    target = touch(tmp_path / "elsewhere" / "photo.jpg")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "good.jpg").symlink_to(target)
    (folder / "broken.jpg").symlink_to(tmp_path / "gone.jpg")
    broken, good = PhotoWalk([folder])
    assert good.read() == b"x"
    with pytest.raises(PhotoError) as caught:
        broken.read()
    assert caught.value.reason is Reason.NOT_FOUND


def test_a_link_to_a_folder_above_ends(tmp_path):
    touch(tmp_path / "a" / "1.jpg")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert names(PhotoWalk([tmp_path]), tmp_path) == ["a/1.jpg", "b/1.jpg"]


def test_a_link_to_itself_is_an_entry_that_cannot_be_read(tmp_path):
    (tmp_path / "self.jpg").symlink_to(tmp_path / "self.jpg")
    touch(tmp_path / "good.jpg")
    good, link = PhotoWalk([tmp_path])
    assert good.read() == b"x"
    with pytest.raises(PhotoError) as caught:
        link.read()
    assert caught.value.reason is Reason.UNREADABLE


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
def test_a_pipe_is_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "pipe.jpg")
    for photo in PhotoWalk([tmp_path]):
        with pytest.raises(PhotoError) as caught:
            photo.read()
        assert caught.value.reason is Reason.UNREADABLE


def test_a_folder_that_cannot_be_opened_is_an_entry(tmp_path, monkeypatch):
    touch(tmp_path / "shut" / "1.jpg")
    touch(tmp_path / "z.jpg")
    scandir = os.scandir

    def refuse(folder):
        if Path(folder).name == "shut":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    shut, last = PhotoWalk([tmp_path])
    assert shut == PhotoFile(str(tmp_path / "shut"), Reason.UNREADABLE)
    assert Path(last.path).name == "z.jpg"


def test_a_name_that_is_not_utf8_can_be_written_into_a_table():
    assert PhotoFile(os.fsdecode(b"caf\xe9.jpg")).name == r"caf\xe9.jpg"
    assert PhotoFile("café 時計.jpg").name == "café 時計.jpg"


def test_no_inputs_are_refused():
    with pytest.raises(UsageError, match="nothing to label"):
        PhotoWalk([])


def test_counting_finds_what_walking_finds(tmp_path):
    for name in ["1.jpg", "a/2.png", "a/b/3.gif", "a/other.txt"]:
        touch(tmp_path / name)
    assert PhotoWalk([tmp_path, tmp_path / "missing"]).count() == 4


def test_a_large_folder_is_walked_in_order_and_in_little_memory(tmp_path, monkeypatch):
    class FakeEntry:
        def __init__(self, number):
            self.name = f"{number * 999_983 % 1_000_003:07}.jpg"
            self.path = f"folder/{self.name}"

        def is_symlink(self):
            return False

        is_dir = is_symlink

        def is_file(self, *, follow_symlinks):
            return not follow_symlinks

    class Endless:
        def __init__(self, _folder):
            pass

        def __enter__(self):
            return (FakeEntry(number) for number in range(60_000))

        def __exit__(self, *error):
            pass

    monkeypatch.setattr(os, "scandir", Endless)
    tracemalloc.start()
    last, count = "", 0
    for photo in PhotoWalk([tmp_path]):
        assert photo.path > last
        last = photo.path
        count += 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 60_000
    assert peak < 18_000_000, "a million names would need 300 megabytes"
