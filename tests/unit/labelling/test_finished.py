from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from hangtag.labelling.finished import FinishedPhotos, keys_of

names = st.lists(st.sampled_from([f"{number}.jpg" for number in range(12)] + ["ü", r"\xe9.jpg"]), max_size=60)


@dataclass
class Photo:
    name: str


def unfinished(finished, given):
    found = FinishedPhotos(keys_of(finished).copy()).iter_unfinished(map(Photo, given))
    return [photo.name for photo in found]


@given(names, names)
def test_every_name_is_left_out_as_often_as_it_is_finished(finished, given):
    found = unfinished(finished, given)
    assert Counter(found) == Counter(given) - Counter(finished)


@given(names, names)
def test_what_is_left_keeps_its_order(finished, given):
    remaining = iter(given)
    assert all(name in remaining for name in unfinished(finished, given))


def test_a_name_that_is_finished_more_often_than_a_byte_counts():
    assert unfinished(["a"] * 300, ["a"] * 302 + ["b"]) == ["a", "a", "b"]


def test_it_can_be_asked_again():
    finished = FinishedPhotos(keys_of(["a", "b"]).copy())
    for _ in range(2):
        assert [photo.name for photo in finished.iter_unfinished(map(Photo, "abc"))] == ["c"]


def test_keys_are_the_same_everywhere():
    assert keys_of(["photos/1.jpg"]).tolist() == [16_393_663_514_986_927_874]


def test_keys_of_rows_of_tables_are_the_same_everywhere():
    given = [(None, None), ("ü", 0.5), ("ü", 0.5), ("ü", 0.5)]
    names = ["photos/1.jpg", "photos/1.jpg", "photos/a.csv:12", "photos/a.csv:7"]
    keys = keys_of(names, given).tolist()
    assert keys[0] == 16_393_663_514_986_927_874
    assert keys[1] == 11_316_696_384_090_928_325
    assert keys[2] == keys[3]
