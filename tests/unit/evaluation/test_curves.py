"""What is read from the history of a training, case by case."""

import pytest

from fakes import build_card
from hangtag.evaluation.curves import curve, read_history, read_training


def history(train, validation, train_accuracy=0.9, validation_accuracies=None):
    accuracies = validation_accuracies or [0.9] * len(train)
    return [
        {
            "epoch": epoch,
            "train_loss": one,
            "validation_loss": other,
            "train_top1_accuracy": train_accuracy,
            "validation_top1_accuracy": accuracy,
        }
        for epoch, (one, other, accuracy) in enumerate(
            zip(train, validation, accuracies, strict=True), start=1
        )
    ]


def test_without_a_curve_nothing_is_read_from_it():
    assert read_history([]) == [
        "The card holds no history of the training, so nothing can be said about its curves."
    ]
    assert read_history(history([1], [1])) == [
        "The model was trained for one epoch only: there is no curve to read."
    ]


@pytest.mark.parametrize(
    ("train", "validation", "words"),
    [
        ([1.0, 0.5, 0.3], [1.0, 0.6, 0.5], "still falling in the last of 3 epochs (0.600 to 0.500)"),
        ([1.0, 0.5, 0.4], [1.0, 0.5, 0.499], "lowest in the last of 3 epochs (0.499) and hardly fell"),
        ([1.0, 0.5, 0.4], [1.0, 0.5, 0.504], "lowest in epoch 2 of 3 (0.500) and stayed level"),
        ([1.0, 0.5, 0.2], [1.0, 0.5, 0.8], "memorised its training photos, which is overfitting"),
        ([1.0, 0.5, 0.9], [1.0, 0.5, 0.8], "the training was unsteady, not overfitted"),
    ],
)
def test_the_turn_of_the_losses_is_told(train, validation, words):
    assert words in read_history(history(train, validation))[0]


@pytest.mark.parametrize(
    ("after", "words"),
    [(0.91, "over-confident rather than worse"), (0.8, "fell with it, from 90.0 % to 80.0 %")],
)
def test_overfitting_may_or_may_not_cost_right_answers(after, words):
    rows = history([1.0, 0.5, 0.2], [1.0, 0.5, 0.8], validation_accuracies=[0.5, 0.9, after])
    assert words in read_history(rows)[1]


@pytest.mark.parametrize(
    ("train_accuracy", "words"),
    [
        (0.97, "a gap of 7.0 points, which is overfitting"),
        (0.93, "a small gap of 3.0 points"),
        (0.91, "hardly any gap"),
        (0.8, "make training photos harder"),
    ],
)
def test_the_gap_of_the_accuracies_is_told(train_accuracy, words):
    rows = history([1.0, 0.5], [1.0, 0.499], train_accuracy=train_accuracy)
    assert words in read_history(rows)[-1]


def test_a_history_without_figures_is_no_curve():
    assert read_history([{"epoch": 1}, {"epoch": 2}]) == []
    assert curve([{"epoch": 3, "x": 1}, {"epoch": 4}, {"x": 2}], "x") == ([3.0, 3.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("patience", "validation", "kept"),
    [(3, [1.0, 0.5, 0.8], True), (0, [1.0, 0.5, 0.8], False), (3, [1.0, 0.8, 0.5], False)],
)
def test_a_model_that_was_stopped_early_is_its_best_epoch(patience, validation, kept):
    card = build_card(
        recipe={"optimisation": {"patience": patience}}, history=history([1.0, 0.5, 0.2], validation)
    )
    sentences = read_training(card)
    assert sentences[0] == read_history(card.history)[0]
    assert any("the weights of epoch 2, its best" in sentence for sentence in sentences) == kept


def test_a_card_without_history_or_recipe_is_read_as_it_is():
    assert read_training(build_card()) == read_history([])
