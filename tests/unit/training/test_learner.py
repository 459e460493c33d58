from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional

from hangtag.networks.registry import build_network
from hangtag.training.data import UNKNOWN, Samples
from hangtag.training.learner import (
    Learner,
    balanced_class_weights,
    iter_batches,
    learning_rate_at,
    top1_accuracy,
)


@pytest.fixture
def learner(tiny_recipe) -> Learner:
    normalise, network = build_network(
        "efficientnet_lite0", {"masterCategory": 2, "gender": 3}, pretrained=False, dropout=0.0
    )
    return Learner(tiny_recipe, normalise, network, {})


def test_an_unknown_label_contributes_no_loss(learner):
    logits = {"masterCategory": torch.randn(4, 2), "gender": torch.randn(4, 3)}
    all_known = {"masterCategory": torch.tensor([0, 1, 0, 1]), "gender": torch.tensor([0, 1, 2, 0])}
    one_unknown = {**all_known, "gender": torch.tensor([0, 1, 2, UNKNOWN])}
    smoothing = learner.recipe.optimisation.label_smoothing
    expected = (
        functional.cross_entropy(
            logits["masterCategory"], all_known["masterCategory"], label_smoothing=smoothing
        )
        + functional.cross_entropy(logits["gender"][:3], all_known["gender"][:3], label_smoothing=smoothing)
    ) / 2
    assert learner.loss(logits, one_unknown).item() == pytest.approx(expected.item(), rel=1e-6)
    assert learner.loss(logits, all_known).item() != pytest.approx(expected.item(), rel=1e-6)


def test_validation_is_never_augmented(learner, tiny_data):
    assert learner.validate(tiny_data.validation) == learner.validate(tiny_data.validation)


def test_top1_accuracy_counts_known_labels_only():
    logits = {"gender": torch.eye(3)}
    assert top1_accuracy(logits, {"gender": torch.tensor([0, 2, UNKNOWN])}) == {"gender": 0.5}
    assert np.isnan(top1_accuracy(logits, {"gender": torch.full((3,), UNKNOWN)})["gender"])


def test_batches_hold_every_sample_once_but_never_a_lonely_last_one(tiny_data):
    order = np.random.default_rng(0).permutation(32)
    sizes = [len(photos) for photos, _ in iter_batches(tiny_data.train, order, 8)]
    assert sizes == [8, 8, 8, 8]
    assert [len(photos) for photos, _ in iter_batches(tiny_data.train, order, 31)] == [31]
    seen = torch.cat([photos for photos, _ in iter_batches(tiny_data.train, order, 8)]).numpy()
    assert np.array_equal(seen, tiny_data.train.pixels[order])


def test_the_learning_rate_warms_up_to_its_peak_and_falls_to_zero(tiny_recipe):
    settings = tiny_recipe.optimisation
    rates = [learning_rate_at(step, 1000, settings) for step in range(1000)]
    peak = int(np.argmax(rates))
    assert rates[peak] == pytest.approx(settings.peak_learning_rate)
    assert peak == pytest.approx(1000 * settings.warmup_share, abs=1)
    assert all(a < b for a, b in pairwise(rates[:peak]))
    assert all(a > b for a, b in pairwise(rates[peak + 1 :]))
    assert rates[-1] < settings.peak_learning_rate / 1000


def test_balanced_class_weights_give_every_class_the_same_say():
    samples = Samples(np.zeros((7, 2, 2, 3), np.uint8), {"gender": np.array([0, 0, 0, 0, 1, 1, UNKNOWN])})
    weights = balanced_class_weights(samples, {"gender": ("Men", "Women")})["gender"]
    assert (weights * torch.tensor([4.0, 2.0])).tolist() == pytest.approx([3.0, 3.0])
