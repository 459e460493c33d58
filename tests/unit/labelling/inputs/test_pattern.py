import glob
import os
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangtag.labelling.inputs.folder import FolderWalk, PathPattern, is_pattern, split_pattern

FILES = [
    "1.jpg",
    "2.png",
    "notes.txt",
    "a/1.jpg",
    "a/b/1.jpg",
    "a/b/2.PNG",
    "a/b/c/3.jpg",
    "b/1.jpg",
    ".hidden/1.jpg",
    "a/.hidden.jpg",
    "[x]/1.jpg",
]


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "pattern",
    [
        "*.jpg",
        "*/*.jpg",
        "**/*.jpg",
        "a/**/*.jpg",
        "a/**/b/*.jpg",
        "**/b/**/*.jpg",
        "**/**/1.jpg",
        "?/1.jpg",
        "[ab]/*.jpg",
        "[!a]/*.jpg",
        "[[]x]/*.jpg",
        ".hidden/*.jpg",
        ".*/*.jpg",
        "a/.*.jpg",
        "./a/*/*.jpg",
        "a//b/*.jpg",
        "nothing/*.jpg",
        "*",
    ],
)
@pytest.mark.usefixtures("tree")
def test_a_pattern_finds_what_the_shell_finds(pattern):
    endings = (".jpg", ".png")
    expected = {
        os.path.normpath(path)
        for path in glob.glob(pattern, recursive=True)  # noqa: PTH207 - the measure
        if os.path.isfile(path) and path.lower().endswith(endings)  # noqa: PTH113
    }
    found = [photo for photo in FolderWalk(*split_pattern(pattern)) if photo.fault is None]
    assert {os.path.normpath(photo.path) for photo in found} == expected
    assert len(found) == len(expected)


def test_a_pattern_may_start_at_the_root(tree):
    (found,) = FolderWalk(*split_pattern(f"{tree}/b/*"))
    assert found.path == f"{tree}/b/1.jpg"
    assert split_pattern("/*.jpg")[0] == "/"


@pytest.mark.usefixtures("tree")
def test_two_stars_at_the_end_are_everything_below():
    walk = FolderWalk(*split_pattern("a/**"))
    assert [photo.name for photo in walk] == ["a/1.jpg", "a/b/1.jpg", "a/b/2.PNG", "a/b/c/3.jpg"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*/", ["[x]/1.jpg", "a/1.jpg", "a/b/1.jpg", "a/b/2.PNG", "a/b/c/3.jpg", "b/1.jpg"]),
        ("a/*/", ["a/b/1.jpg", "a/b/2.PNG", "a/b/c/3.jpg"]),
        ("**/b/", ["a/b/1.jpg", "a/b/2.PNG", "a/b/c/3.jpg", "b/1.jpg"]),
        ("a/b/**/", ["a/b/1.jpg", "a/b/2.PNG", "a/b/c/3.jpg"]),
        ("*.jpg/", []),
    ],
)
@pytest.mark.usefixtures("tree")
def test_a_slash_at_the_end_is_everything_in_the_folders_that_match(pattern, expected):
    assert [photo.name for photo in FolderWalk(*split_pattern(pattern))] == expected


@pytest.mark.usefixtures("tree")
def test_files_that_match_and_are_no_photos_are_counted():
    walk = FolderWalk(*split_pattern("n*"))
    assert list(walk) == []
    assert walk.other_files == 1


def test_folders_that_cannot_match_are_not_looked_into():
    pattern = PathPattern.from_text("a/*.jpg")
    assert pattern.enter("b") is None
    assert pattern.enter("a").enter("c") is None


@given(st.text(string.ascii_letters + "./-_ "))
def test_a_plain_name_is_no_pattern(name):
    assert not is_pattern(name)
