import numpy as np
import pytest

from fakes import build_path_card
from hangtag.inference.calibration import FEWEST_PATHS, calibrate, fit_path_weights, fit_temperature
from hangtag.inference.predictions import NO_LABEL
from hangtag.inference.probabilities import PathDecoder, PredictionBuilder


def draw_labels(logits, random):
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return np.array([random.choice(logits.shape[1], p=row) for row in shares])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_logits_too_sharp_or_soft_is_found(temperature):
    random = np.random.default_rng(0)
    honest = random.normal(0, 2, (6000, 5))
    targets = draw_labels(honest, random)
    found = fit_temperature((honest * temperature).astype(np.float32), targets)
    assert found == pytest.approx(temperature, rel=0.06)


def test_unknown_labels_do_not_count():
    random = np.random.default_rng(1)
    logits = random.normal(0, 2, (500, 4)).astype(np.float32)
    targets = draw_labels(logits, random)
    with_unknown = np.concatenate([targets, np.full(500, NO_LABEL)])
    twice = np.concatenate([logits, 9 * logits])
    assert fit_temperature(twice, with_unknown) == pytest.approx(fit_temperature(logits, targets))
    assert fit_temperature(logits, np.full(500, NO_LABEL)) == 1.0


PATHS = [(f"m{leaf // 4}", f"s{leaf // 2}", f"a{leaf}") for leaf in range(8)]
CARD = build_path_card(PATHS)
DECODER = PathDecoder.from_card(CARD)


def draw_paths(photos, weights, random):
    """Return logits by level, and paths that are as likely as these weights say."""
    logits = {
        head.column: random.normal(0, 2, (photos, len(head.classes))).astype(np.float32)
        for head in CARD.heads
    }
    scores = sum(
        weight * logits[level][:, classes]
        for weight, (level, classes) in zip(weights, DECODER.levels.items(), strict=True)
    )
    paths = draw_labels(scores, random)
    return logits, {level: classes[paths] for level, classes in DECODER.levels.items()}


def test_the_weights_by_which_paths_were_drawn_are_found():
    logits, targets = draw_paths(6000, (0.3, 0.6, 0.9), np.random.default_rng(2))
    found = fit_path_weights(DECODER, logits, targets)
    assert list(found.values()) == pytest.approx([0.3, 0.6, 0.9], abs=0.06)


def test_with_path_weights_every_level_says_how_often_it_is_right():
    random = np.random.default_rng(3)
    card = calibrate(CARD, *draw_paths(4000, (0.3, 0.6, 0.9), random))
    logits, targets = draw_paths(4000, (0.3, 0.6, 0.9), random)
    scores = PredictionBuilder(card).build(logits)
    for level in card.taxonomy.levels:
        hits = scores.label_indices[level] == targets[level]
        assert scores.confidence(level).mean() == pytest.approx(hits.mean(), abs=0.02)


def test_partly_known_paths_do_not_count_and_with_few_there_are_no_weights():
    logits, targets = draw_paths(FEWEST_PATHS + 50, (1, 1, 1), np.random.default_rng(4))
    for known, is_enough in ((FEWEST_PATHS, True), (FEWEST_PATHS - 1, False)):
        leaves = np.where(np.arange(len(targets["articleType"])) < known, targets["articleType"], NO_LABEL)
        found = fit_path_weights(DECODER, logits, targets | {"articleType": leaves})
        assert bool(found) is is_enough
    assert fit_path_weights(PathDecoder({}), logits, targets) == {}
