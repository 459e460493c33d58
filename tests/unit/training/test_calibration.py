import numpy as np
import pytest

from hangtag.training.calibration import fit_temperature
from hangtag.training.data import UNKNOWN


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
    with_unknown = np.concatenate([targets, np.full(500, UNKNOWN)])
    twice = np.concatenate([logits, 9 * logits])
    assert fit_temperature(twice, with_unknown) == pytest.approx(fit_temperature(logits, targets))
    assert fit_temperature(logits, np.full(500, UNKNOWN)) == 1.0
