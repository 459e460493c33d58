import shutil

import pytest
from PIL import Image

from hangtag.datasets import prints as prints_module
from hangtag.datasets.opening import open_catalogue
from hangtag.datasets.prints import fingerprint_catalogue, read_prints, write_prints
from hangtag.domain.reasons import Reason


@pytest.fixture
def decoded(monkeypatch):
    """The photos that were decoded, by their number of bytes."""
    seen = []

    def decode(data):
        seen.append(len(data))
        return original(data)

    original = prints_module.decode_photo
    monkeypatch.setattr(prints_module, "decode_photo", decode)
    return seen


def take(folder, memory=None, **settings):
    with open_catalogue(folder) as catalogue:
        return fingerprint_catalogue(catalogue, catalogue.photo_names(), memory=memory, **settings)


def test_each_photo_has_a_print_and_equal_photos_equal_ones(tiny_catalogue):
    prints = take(tiny_catalogue)
    assert len(prints) == 59
    assert prints["1000.jpg"] == prints["1001.jpg"]
    assert prints["1000.jpg"].fingerprint != prints["1002.jpg"].fingerprint


def test_a_photo_that_cannot_be_decoded_has_a_reason_instead(tiny_catalogue):
    images = tiny_catalogue / "images"
    (images / "1002.jpg").write_bytes(b"no photo at all")
    (images / "1003.jpg").write_bytes((images / "1003.jpg").read_bytes()[:600])
    (images / "1004.jpg").write_bytes(b"")
    prints = take(tiny_catalogue)
    reasons = {name: one.reason for name, one in prints.items() if one.fingerprint is None}
    assert reasons == {
        "1002.jpg": Reason.NOT_A_PHOTO,
        "1003.jpg": Reason.TRUNCATED,
        "1004.jpg": Reason.EMPTY,
    }


def test_remembered_photos_are_not_decoded_again(tiny_catalogue, tmp_path, decoded):
    (tiny_catalogue / "images" / "1002.jpg").write_bytes(b"no photo at all")
    memory = tmp_path / "fingerprints.parquet"
    first = take(tiny_catalogue, memory)
    assert len(decoded) == 59
    decoded.clear()
    assert take(tiny_catalogue, memory) == first
    assert decoded == []


def test_only_a_changed_photo_is_decoded_again(tiny_catalogue, tmp_path, decoded):
    memory = tmp_path / "fingerprints.parquet"
    first = take(tiny_catalogue, memory)
    decoded.clear()
    Image.new("RGB", (60, 80), "orange").save(tiny_catalogue / "images" / "1002.jpg")
    second = take(tiny_catalogue, memory)
    assert len(decoded) == 1
    assert {name for name in first if first[name] != second[name]} == {"1002.jpg"}
    assert second.items() <= read_prints(memory).items()


def test_two_catalogues_with_the_same_names_share_a_memory(tiny_catalogue, tmp_path, decoded):
    other, memory = tmp_path / "other", tmp_path / "fingerprints.parquet"
    shutil.copytree(tiny_catalogue, other)
    for photo in (other / "images").iterdir():
        Image.open(photo).rotate(180).save(photo)
    first, second = take(tiny_catalogue, memory), take(other, memory)
    decoded.clear()
    assert (take(tiny_catalogue, memory), take(other, memory)) == (first, second)
    assert decoded == []


def test_a_new_way_of_taking_fingerprints_forgets_the_old_ones(
    tiny_catalogue, tmp_path, decoded, monkeypatch
):
    memory = tmp_path / "fingerprints.parquet"
    take(tiny_catalogue, memory)
    decoded.clear()
    monkeypatch.setattr("hangtag.imaging.fingerprint._STEP", 99)
    take(tiny_catalogue, memory)
    assert len(decoded) == 59


@pytest.mark.parametrize("content", [b"", b"PAR1 but damaged"])
def test_a_damaged_memory_is_as_good_as_none(tmp_path, content):
    (tmp_path / "fingerprints.parquet").write_bytes(content)
    assert read_prints(tmp_path / "fingerprints.parquet") == {}
    assert read_prints(tmp_path / "absent.parquet") == {}


def test_prints_come_back_as_they_were_written(tiny_catalogue, tmp_path):
    prints = take(tiny_catalogue)
    write_prints(prints, tmp_path / "fingerprints.parquet")
    assert read_prints(tmp_path / "fingerprints.parquet") == prints


@pytest.mark.parametrize("threads", [1, 4])
def test_the_number_of_threads_changes_nothing(tiny_catalogue, threads):
    assert list(take(tiny_catalogue, threads=threads).items()) == list(take(tiny_catalogue).items())


def test_progress_ends_at_the_number_of_photos(tiny_catalogue):
    steps = []
    take(tiny_catalogue, on_progress=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (59, 59)
    assert steps == sorted(steps)
