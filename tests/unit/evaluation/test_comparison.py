import numpy as np
import pyarrow as pa
import pytest

from fakes import build_card, predictions_of
from hangtag.evaluation.answers import PhotoAnswers, Truth
from hangtag.evaluation.comparison import Duel, compare_models, read_duel, title_models
from hangtag.evaluation.evaluate import Measurement


def measured(photos, hits, column="gender"):
    """Build what was measured of a model: class 0 is true throughout; None is a photo without a label."""
    truth = np.array([-1 if hit is None else 0 for hit in hits])
    card = build_card(heads={column: ("a", "b")})
    predictions = predictions_of(card, {column: np.eye(2)[[0 if hit else 1 for hit in hits]]})
    answers = PhotoAnswers(pa.table({"photo": photos}), predictions, (None,) * len(hits))
    return Measurement(card, answers, {column: Truth(truth, ("a", "b"))}, {})


def test_a_duel_counts_the_photos_for_which_one_alone_is_right():
    found = compare_models(
        {
            "one": measured(["1", "2", "3", "4"], [True, False, True, None]),
            "two": measured(["4", "3", "2", "1"], [None, True, True, True]),
        }
    )
    assert found == [Duel("gender", "two", "one", 1, 0, 1.0, pytest.approx(2 / 3), 3)]


def test_only_photos_that_all_have_answered_are_compared():
    found = compare_models({"one": measured(["1", "2"], [True, False]), "two": measured(["2"], [True])})
    assert [(duel.first, duel.support) for duel in found] == [("two", 1)]
    assert compare_models({"one": measured(["1"], [True]), "two": measured(["2"], [True])}) == []


def test_models_are_compared_where_they_answer_the_same_column():
    found = compare_models(
        {
            "one": measured(["1"], [True]),
            "two": measured(["1"], [True], "season"),
            "three": measured(["1"], [False]),
        }
    )
    assert [(duel.column, duel.first, duel.second) for duel in found] == [("gender", "one", "three")]


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((0, 0), "are right for exactly the same photos"),
        ((59, 7), "differ by more than chance: A alone is right for 59 photos, B alone for 7 (p < 0.001)"),
        ((15, 4), "differ by more than chance: A alone is right for 15 photos, B alone for 4 (p = 0.019)"),
        (
            (6, 4),
            "do not differ significantly on these photos: A alone is right for 6 photos, B alone for 4 (p = 0.75)",
        ),
    ],
)
def test_a_duel_is_told_with_what_chance_explains(counts, words):
    duel = Duel("gender", "A", "B", *counts, 0.9, 0.8, 100)
    assert read_duel(duel) == f"gender: A (90.0 %) and B (80.0 %) {words}."


def test_titles_tell_models_apart():
    def titles(*models):
        return title_models([build_card(name, version=version) for name, version in models])

    assert titles(("a", "1"), ("b", "1")) == ["a", "b"]
    assert titles(("a", "1"), ("a", "2"), ("b", "1")) == ["a 1", "a 2", "b"]
    assert titles(("a", "1"), ("a", "1")) == ["a 1 no. 1", "a 1 no. 2"]
