import numpy as np
import pytest

from hangtag.catalogue.suspects import MIN_EXAMPLES, find_label_noise

CLASSES = 6


def draw_noisy(seed, *, photos=3000, share=0.08, classes=CLASSES):
    """Draw true classes, a model that knows them fairly well, and given labels of which a known share is flipped.

    Flips go to the next class, as mistakes do that have a reason. Returns given, probabilities, and which are flipped.
    """
    random = np.random.default_rng(seed)
    true = random.integers(0, classes, photos)
    logits = random.normal(0, 1.0, (photos, classes))
    logits[np.arange(photos), true] += 4.0
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    flipped = random.random(photos) < share
    return np.where(flipped, (true + 1) % classes, true), probabilities, flipped


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.02, 0.08, 0.2])
def test_flipped_labels_are_found_and_their_true_class_is_suggested(seed, share):
    given, probabilities, flipped = draw_noisy(seed, share=share)
    noise = find_label_noise(given, probabilities)
    suspected = np.zeros(len(given), bool)
    suspected[noise.suspects] = True
    precision = flipped[noise.suspects].mean()
    recall = suspected[flipped].mean()
    assert precision > 0.85
    assert recall > 0.75
    assert noise.noise_rate == pytest.approx(flipped.mean(), abs=0.02)
    right = flipped[noise.suspects]
    true = (given - 1) % CLASSES
    assert (noise.suggested == true[noise.suspects])[right].mean() > 0.95


def test_the_worst_come_first():
    given, probabilities, flipped = draw_noisy(1)
    noise = find_label_noise(given, probabilities)
    rows = noise.suspects
    margins = probabilities[rows, noise.suggested] - probabilities[rows, given[rows]]
    assert (np.diff(margins) <= 0).all()
    assert (margins > 0).all()
    assert flipped[rows[:50]].mean() > flipped[rows].mean()


def test_labels_without_noise_are_left_alone():
    given, probabilities, _ = draw_noisy(2, share=0.0)
    noise = find_label_noise(given, probabilities)
    assert len(noise.suspects) < 0.02 * len(given)


def test_two_classes_by_hand():
    # Given 0 three times with p(0) = .9, .8, .1: threshold .6. Given 1 twice with p(1) = .9, .7: threshold .8.
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.1, 0.9], [0.3, 0.7]])
    given = np.array([0, 0, 0, 1, 1])
    noise = find_label_noise(given, probabilities, min_examples=2)
    assert noise.thresholds == pytest.approx([0.6, 0.8])
    # The last photo reaches no threshold and is not counted.
    assert noise.confident_joint.tolist() == [[2, 1], [0, 1]]
    # Calibrated: two thirds and one third of 3 of 5; all of 2 of 5.
    assert noise.joint == pytest.approx(np.array([[0.4, 0.2], [0.0, 0.4]]))
    assert noise.noise_rate == pytest.approx(0.2)
    assert (noise.suspects.tolist(), noise.suggested.tolist()) == ([2], [1])


def test_three_classes_by_hand_a_photo_over_two_thresholds_counts_for_the_more_probable():
    probabilities = np.array(
        [
            [0.6, 0.3, 0.1],  # given 0
            [0.2, 0.5, 0.3],  # given 0: over the threshold of 1 (.45) and of 2 (.25); 1 is the more probable
            [0.1, 0.6, 0.3],  # given 1: over those of 1 and of 2 likewise
            [0.5, 0.3, 0.2],  # given 1: over that of 0 (.4)
            [0.4, 0.2, 0.4],  # given 2: over that of 0 and of 2; a tie goes to the first
            [0.5, 0.4, 0.1],  # given 2: over that of 0
        ]
    )
    noise = find_label_noise(np.array([0, 0, 1, 1, 2, 2]), probabilities, min_examples=1)
    assert noise.thresholds == pytest.approx([0.4, 0.45, 0.25])
    assert noise.confident_joint.tolist() == [[1, 1, 0], [1, 1, 0], [2, 0, 0]]
    assert noise.joint.sum() == pytest.approx(1)
    assert noise.suspects.tolist() == [5, 1, 3]
    assert noise.suggested.tolist() == [0, 1, 0]


def test_missing_labels_take_no_part():
    given, probabilities, _ = draw_noisy(3)
    hidden = given.copy()
    hidden[::2] = -1
    noise = find_label_noise(hidden, probabilities)
    alone = find_label_noise(given[1::2], probabilities[1::2])
    assert noise.judged.tolist() == (hidden >= 0).tolist()
    assert noise.suspects.tolist() == (2 * alone.suspects + 1).tolist()
    assert noise.joint == pytest.approx(alone.joint)


def test_a_rare_class_neither_suspects_nor_is_suspected():
    given, probabilities, _ = draw_noisy(4)
    rare = CLASSES - 1
    few = np.flatnonzero(given == rare)[: MIN_EXAMPLES - 1]
    given[(given == rare) & ~np.isin(np.arange(len(given)), few)] = (
        0  # a heap of wrong labels that are really rare
    )
    noise = find_label_noise(given, probabilities)
    assert not noise.judged[few].any()
    assert np.isnan(noise.thresholds[rare])
    assert rare not in noise.suggested
    assert noise.joint[:, rare].sum() == noise.joint[rare].sum() == 0
    given[np.flatnonzero(given == 0)[:1]] = rare
    assert rare in find_label_noise(given, probabilities).suggested


def test_a_label_that_the_answering_model_did_not_know_is_not_judged():
    given, probabilities, _ = draw_noisy(5)
    ignorant = np.arange(len(given)) < 1000
    probabilities[ignorant, 2] = np.nan
    noise = find_label_noise(given, probabilities)
    assert (noise.judged == ~(ignorant & (given == 2))).all()
    assert not (ignorant[noise.suspects] & (noise.suggested == 2)).any()


def test_many_classes():
    given, probabilities, flipped = draw_noisy(6, photos=10_000, classes=134)
    noise = find_label_noise(given, probabilities)
    assert flipped[noise.suspects].mean() > 0.6
    assert np.isin(np.flatnonzero(flipped), noise.suspects).mean() > 0.6


@pytest.mark.parametrize("given", [[], [-1, -1], [0, 1]])
def test_where_nothing_can_be_judged_nothing_is_suspected(given):
    noise = find_label_noise(np.array(given, np.int64), np.full((len(given), 2), 0.5))
    assert (noise.suspects.tolist(), noise.noise_rate, noise.judged.any()) == ([], 0.0, False)
