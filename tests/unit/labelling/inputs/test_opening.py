import io
import os
import sys
import tarfile
import tracemalloc
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from hangtag.domain.errors import PhotoError, UsageError
from hangtag.domain.reasons import Reason
from hangtag.labelling.inputs import InputSettings, open_inputs
from hangtag.labelling.inputs.opening import ListedPhotos
from hangtag.labelling.inputs.reference import References


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """One input of every kind, in the folder that is worked in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos" / "sub").mkdir(parents=True)
    for name in ("photos/1.jpg", "photos/sub/2.png", "photos/notes.txt", "single", "[x].jpg"):
        (tmp_path / name).write_bytes(name.encode())
    with zipfile.ZipFile("a.zip", "w") as archive:
        archive.writestr("3.jpg", b"3")
    with tarfile.open("a.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("4.jpg")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"4"))
    (tmp_path / "a.csv").write_text("path,sku\nphotos/1.jpg,77\n")
    return tmp_path


def names(*inputs):
    with open_inputs(inputs) as opened:
        return [photo.name for photo in opened]


@pytest.mark.usefixtures("shelf")
def test_every_kind_of_input_is_told_by_its_name():
    assert names(
        "photos", "single", "a.zip", "a.tar.gz", "a.csv", "photos/*/*", "[x].jpg", "gone.jpg", "gone.zip"
    ) == [
        "photos/1.jpg",
        "photos/sub/2.png",
        "single",
        "a.zip/3.jpg",
        "a.tar.gz/4.jpg",
        "photos/1.jpg",
        "photos/sub/2.png",
        "[x].jpg",
        "gone.jpg",
        "gone.zip",
    ]


@pytest.mark.usefixtures("shelf")
def test_photos_that_are_known_beforehand_are_counted():
    with open_inputs(["photos", "single", "a.zip", "a.csv", "**/*.jpg"]) as inputs:
        assert inputs.count() == len(list(inputs)) == 7
    with open_inputs(["photos", "a.tar.gz"]) as inputs:
        assert inputs.count() is None


@pytest.mark.usefixtures("shelf")
def test_files_passed_over_are_counted_anew_in_every_walk():
    with open_inputs(["photos", "photos/*"]) as inputs:
        for _ in range(2):
            assert len(list(inputs)) == 3
            assert inputs.other_files == 2


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("pattern", ["photos/*.gif", "nowhere/*.jpg"])
def test_a_pattern_that_matches_nothing_is_a_file_that_is_not_there(pattern):
    with open_inputs([pattern]) as inputs:
        (photo,) = inputs
    assert photo.name == pattern
    with pytest.raises(PhotoError) as caught:
        photo.read()
    assert caught.value.reason is Reason.NOT_FOUND


@pytest.mark.usefixtures("shelf")
def test_a_table_carries_its_columns_and_others_carry_nothing():
    with open_inputs(["photos", "a.csv"]) as inputs:
        first, _, named = inputs
        assert [name for name, _ in inputs.columns] == ["path", "sku"]
    assert dict(first.extra) == {}
    assert dict(named.extra) == {"path": "photos/1.jpg", "sku": "77"}


@pytest.mark.usefixtures("shelf")
def test_names_come_from_standard_input(monkeypatch):
    stream = SimpleNamespace(buffer=io.BytesIO(b"photos/1.jpg\r\n\nphotos/sub/2.png\ncaf\xe9.jpg"))
    monkeypatch.setattr(sys, "stdin", stream)
    with open_inputs(["-"]) as inputs:
        assert inputs.count() is None
        first, second, odd = inputs
        assert [first.read(), second.read()] == [b"photos/1.jpg", b"photos/sub/2.png"]
        assert odd.name == r"caf\xe9.jpg"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ftp://host/1.jpg", "ftp://"),
        ("https://host/photos.zip", "only be read from this machine"),
        ("https://host/photos.csv?v=1", "only be read from this machine"),
        ("s3://bucket/photos.tar.gz", "only be read from this machine"),
    ],
)
def test_what_is_not_read_is_refused_with_a_way_out(text, problem):
    with pytest.raises(UsageError, match=problem) as refused:
        open_inputs([text])
    assert refused.value.fix
    assert refused.value.where == text


def test_no_inputs_are_refused():
    with pytest.raises(UsageError, match="nothing to label"):
        open_inputs([])


@pytest.mark.parametrize("settings", [{"connections": 0}, {"attempts": 0}, {"timeout_s": 0}])
def test_settings_that_mean_nothing_are_refused(settings):
    with pytest.raises(UsageError):
        InputSettings(**settings)


def test_a_long_list_is_walked_in_flat_memory():
    stream = (b"photos/%d.jpg\n" % number for number in range(20_000))
    tracemalloc.start()
    count = sum(1 for _ in ListedPhotos(stream, References(InputSettings())))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 100_000


def test_names_that_are_no_text_can_be_written_into_a_table(tmp_path):
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xe9")
    for ending in (".zip", ".tar", ".tar.gz"):
        Path(odd + ending).write_bytes(b"x")
    Path(odd + ".csv").write_text("path\n\0.jpg\nhttp://\n")
    with open_inputs([odd + ending for ending in (".zip", ".tar", ".tar.gz", ".csv", "*.gif")]) as inputs:
        photos = list(inputs)
        for photo in photos:
            assert photo.name.encode("utf-8")
            with pytest.raises(PhotoError):
                photo.read()
    assert len(photos) == 6


def test_what_is_wrong_with_an_input_that_breaks_off_is_kept(tmp_path):
    (tmp_path / "a.csv").write_text(f"path\ngone.jpg\n{'x' * 1_000_001}\n")
    (tmp_path / "a.zip").write_bytes(b"PK")
    with open_inputs([tmp_path / "a.csv", tmp_path / "gone.jpg", tmp_path / "a.zip"]) as opened:
        assert opened.damage == []
        for _ in range(2):
            assert len(list(opened)) == 4
            table, archive = opened.damage
    assert (
        table
        == f"{tmp_path}/a.csv: the table cannot be read beyond line 2 (line 3 is longer than 1,000,000 characters)"
    )
    assert archive.startswith(f"{tmp_path}/a.zip: the zip cannot be read (")


def test_a_value_of_a_csv_may_be_long(tmp_path):
    (tmp_path / "a.csv").write_text(f'path,note\n1.jpg,"{"x, " * 100_000}"\n2.jpg,\n')
    with open_inputs([tmp_path / "a.csv"]) as opened:
        assert [len(photo.extra["note"] or "") for photo in opened] == [300_000, 0]
