import numpy as np
import pytest

from hangtag.adapting.suggesting import Suggester

KINDS = 6


def draw_photos(each=20):
    """Return embeddings of six kinds of photos, of which the first is twice as frequent, and the kind of each."""
    dice = np.random.default_rng(0)
    kinds = np.concatenate([np.repeat(np.arange(KINDS), each), np.zeros(each, int)])
    centres = dice.normal(0, 4, (KINDS, 40))
    return (centres[kinds] + dice.normal(0, 1, (len(kinds), 40))).astype(np.float32), kinds


def uniform(count, classes=KINDS):
    return np.full((count, classes), 1 / classes, np.float32)


def test_every_kind_of_photo_is_covered_first_and_nothing_twice():
    embedding, kinds = draw_photos()
    suggester, checked = Suggester(embedding), np.empty(0, np.int64)
    found = [chosen.photo for chosen in suggester.suggest(uniform(len(kinds)), checked, KINDS)]
    assert set(kinds[found]) == set(range(KINDS))
    checked = np.array(found)
    more = [chosen.photo for chosen in suggester.suggest(uniform(len(kinds)), checked, 10)]
    assert not set(more) & set(found)
    assert len(set(more)) == 10


def test_near_identical_photos_are_asked_for_once_and_named():
    embedding, kinds = draw_photos()
    embedding = np.concatenate([embedding, embedding[:5] * 1.0001])
    suggester = Suggester(embedding)
    found = suggester.suggest(uniform(len(embedding)), np.empty(0, np.int64), 200)
    asked = {chosen.photo for chosen in found}
    assert len(found) == len(kinds)
    for twin in range(5):
        assert len(kinds) + twin not in asked
        assert next(chosen.alike for chosen in found if chosen.photo == twin) == (len(kinds) + twin,)
    settled = suggester.suggest(uniform(len(embedding)), np.array([len(kinds)]), 200)
    assert 0 not in {chosen.photo for chosen in settled}  # its twin was checked


def test_once_kinds_are_covered_doubtful_photos_come_first():
    embedding, kinds = draw_photos()
    probabilities = np.full((len(kinds), 2), 0.5, np.float32)
    certain = kinds != 3
    probabilities[certain] = (1, 0)
    checked = np.flatnonzero(kinds == 0)[:8]
    found = Suggester(embedding).suggest(probabilities, checked, 5)
    assert {kinds[chosen.photo] for chosen in found} == {3}


@pytest.mark.parametrize("count", [0, 1])
def test_very_few_photos(count):
    embedding = np.ones((1, 40), np.float32)
    checked = np.arange(count)
    found = Suggester(embedding).suggest(uniform(1), checked, 5)
    assert [chosen.photo for chosen in found] == [0][count:]
