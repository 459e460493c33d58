from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from hangtag.networks.multihead import HeadedNetwork, Normalise
from hangtag.networks.registry import build_network
from hangtag.training.data import UNKNOWN, Samples
from hangtag.training.learner import (
    Learner,
    ema_decay_at,
    iter_batches,
    learning_rate_at,
    top1_accuracy,
)
from hangtag.training.losses import Losses
from hangtag.training.recipe_sections import FineTuningRecipe


@pytest.fixture
def learner(tiny_recipe) -> Learner:
    normalise, network = build_network("efficientnet_lite0", {"masterCategory": 2, "gender": 3}, (32, 32))
    return Learner(tiny_recipe, normalise, network, Losses(tiny_recipe.columns))


def test_validation_is_never_augmented(learner, tiny_data):
    assert learner.validate(tiny_data.validation) == learner.validate(tiny_data.validation)


def test_statistics_are_measured_without_dropout_on_photos_as_they_are(tiny_recipe, tiny_data):
    settings = tiny_recipe.optimisation.model_copy(update={"batch_norm_photos": 16, "ema_decay": 0})
    recipe = tiny_recipe.model_copy(update={"optimisation": settings})
    network = build_network("deep_cnn", {"masterCategory": 2, "gender": 3}, (64, 64), dropout=0.5)
    learner = Learner(recipe, *network, Losses(recipe.columns))
    samples = Samples(
        np.repeat(np.repeat(tiny_data.train.pixels, 2, axis=1), 2, axis=2), tiny_data.train.targets
    )
    learner.measure_batch_norms(samples)
    first = {name: value.clone() for name, value in learner.network.named_buffers()}
    learner.measure_batch_norms(samples)
    again = dict(learner.network.named_buffers())
    assert all(torch.equal(value, again[name]) for name, value in first.items())  # dropout would be random
    chosen = torch.from_numpy(samples.pixels[np.linspace(0, 31, 16).astype(int)]).permute(0, 3, 1, 2).float()
    learner.network.eval()
    convolution, relu, norm = list(learner.network.backbone.convolutions)[:3]
    seen = relu(convolution(learner.normalise(chosen)))
    assert torch.allclose(norm.running_mean, seen.mean(dim=(0, 2, 3)), atol=0.01)
    assert norm.momentum == 0.1


class NormedPixels(nn.Module):
    """A backbone that is a frozen part and a part that learns, each a batch norm over all values of a photo."""

    def __init__(self):
        super().__init__()
        self.pretrained, self.own = nn.BatchNorm1d(12), nn.BatchNorm1d(12)

    def forward(self, photos):
        flat = photos.flatten(1)
        return self.pretrained(flat) + self.own(flat)


@pytest.fixture
def normed(tiny_recipe):
    """A learner of that network, which measures 514 photos: two more than two full batches."""

    def build(ema_decay):
        settings = tiny_recipe.optimisation.model_copy(
            update={"batch_norm_photos": 514, "ema_decay": ema_decay, "precision": "float32"}
        )
        schedule = FineTuningRecipe(frozen_epochs=1, last_blocks=1, learning_rate=0.01)
        recipe = tiny_recipe.model_copy(update={"optimisation": settings, "fine_tuning": schedule})
        network = HeadedNetwork(NormedPixels(), 12, {"masterCategory": 2, "gender": 3}, 0.0)
        network.blocks = (network.backbone.pretrained,)
        normalise = Normalise([0, 0, 0], [1 / 255] * 3)  # none: the values stay what they are
        return Learner(recipe, normalise, network, Losses(recipe.columns))

    return build


def mostly_dark() -> Samples:
    """514 photos of 2x2, the last two of them white."""
    pixels = np.random.default_rng(0).integers(0, 50, (514, 2, 2, 3), dtype=np.uint8)
    pixels[-2:] = 255
    return Samples(pixels, {})


def test_statistics_are_those_of_all_photos_alike_whatever_batch_they_are_in(normed):
    learner, samples = normed(ema_decay=0), mostly_dark()
    learner.measure_batch_norms(samples)
    values = samples.pixels.transpose(0, 3, 1, 2).reshape(514, 12)
    measured = learner.network.backbone.own
    assert measured.running_mean.numpy() == pytest.approx(values.mean(axis=0), rel=0.01)


@pytest.mark.parametrize("ema_decay", [0, 0.5])
def test_frozen_blocks_keep_their_statistics(normed, ema_decay):
    learner = normed(ema_decay)
    learner.begin_epoch(1)
    learner.measure_batch_norms(mostly_dark())
    backbone = learner.result.backbone
    assert torch.equal(backbone.pretrained.running_mean, torch.zeros(12))
    assert torch.equal(backbone.pretrained.running_var, torch.ones(12))
    assert not torch.equal(backbone.own.running_mean, torch.zeros(12))
    learner.begin_epoch(2)  # the only block learns now
    learner.measure_batch_norms(mostly_dark())
    assert not torch.equal(backbone.pretrained.running_mean, torch.zeros(12))


def test_the_average_of_a_short_training_holds_little_of_where_it_began():
    """With 0.998 from the first step on, half of the averaged weights were those of the start after 346 steps."""
    kept = np.prod([ema_decay_at(step, 0.998) for step in range(1, 50)])
    assert kept < 1e-6
    assert ema_decay_at(10**6, 0.998) == 0.998
    assert [ema_decay_at(step, 0.5) for step in (0, 8, 100)] == [0.1, 0.5, 0.5]


def test_the_average_resumes_where_it_was(tiny_recipe, tiny_data):
    def build() -> Learner:
        torch.manual_seed(0)
        optimisation = tiny_recipe.optimisation.model_copy(update={"ema_decay": 0.9})
        recipe = tiny_recipe.model_copy(update={"optimisation": optimisation})
        network = HeadedNetwork(NormedPixels(), 12, {"masterCategory": 2, "gender": 3}, 0.0)
        return Learner(recipe, Normalise([0, 0, 0], [1 / 255] * 3), network, Losses(recipe.columns))

    samples = Samples(tiny_data.train.pixels[:, :2, :2], tiny_data.train.targets)
    batches = list(iter_batches(samples, np.arange(32), 8))

    def learn(learner: Learner, part: list) -> None:
        for photos, targets in part:
            learner.learn(learner.normalise(photos.permute(0, 3, 1, 2).float()), targets, 0.01)

    straight, stopped, resumed = build(), build(), build()
    learn(straight, batches)
    learn(stopped, batches[:2])
    resumed.load_tensors({name: tensor.clone() for name, tensor in stopped.tensors().items()})
    learn(resumed, batches[2:])
    for name, tensor in straight.result.state_dict().items():
        assert torch.equal(tensor, resumed.result.state_dict()[name]), name
    first = straight.network.heads["gender"].weight
    assert not torch.equal(first, straight.result.heads["gender"].weight)


def test_the_first_epochs_may_show_smaller_photos(tiny_recipe, tiny_data):
    augmentation = tiny_recipe.augmentation.model_copy(update={"small_epochs": 2, "small_size": 0.75})
    recipe = tiny_recipe.model_copy(update={"augmentation": augmentation})
    network = HeadedNetwork(NormedPixels(), 12, {"masterCategory": 2, "gender": 3}, 0.0)
    learner = Learner(recipe, Normalise([0, 0, 0], [1] * 3), network, Losses(recipe.columns))
    photos, sizes = torch.from_numpy(tiny_data.train.pixels[:4]), []
    for epoch in (1, 2, 3):
        learner.begin_epoch(epoch)
        sizes.append(tuple(learner.augment(photos, torch.Generator()).shape))
    assert sizes == [(4, 3, 24, 24), (4, 3, 24, 24), (4, 3, 32, 32)]


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


def test_a_constant_learning_rate_stays(tiny_recipe):
    settings = tiny_recipe.optimisation.model_copy(update={"schedule": "constant", "warmup_share": 0})
    assert {learning_rate_at(step, 50, settings) for step in range(50)} == {settings.peak_learning_rate}


def test_no_step_is_taken_where_no_label_is_known(learner, tiny_data):
    photos, targets = next(iter_batches(tiny_data.train, np.arange(8), 8))
    unknown = {column: torch.full_like(values, UNKNOWN) for column, values in targets.items()}
    before = {name: weight.clone() for name, weight in learner.network.named_parameters()}
    loss, accuracy = learner.step(photos, unknown, 0.01, torch.Generator().manual_seed(1))
    assert np.isnan([loss, accuracy]).all()
    assert all(torch.equal(before[name], weight) for name, weight in learner.network.named_parameters())


def test_a_schedule_freezes_the_backbone_and_then_lets_its_last_blocks_learn(tiny_recipe, tiny_data):
    schedule = FineTuningRecipe(frozen_epochs=1, last_blocks=1, learning_rate=0.01)
    recipe = tiny_recipe.model_copy(update={"fine_tuning": schedule})
    network = build_network("vgg16", {"masterCategory": 2, "gender": 3}, (32, 32))
    learner = Learner(recipe, *network, Losses(recipe.columns))
    moved = []
    for epoch in (1, 2):
        learner.begin_epoch(epoch)
        before = {name: weight.clone() for name, weight in learner.network.named_parameters()}
        photos, targets = next(iter_batches(tiny_data.train, np.arange(8), 8))
        learner.step(photos, targets, 0.01, torch.Generator().manual_seed(epoch))
        after = dict(learner.network.named_parameters())
        moved.append({name for name in before if not torch.equal(before[name], after[name])})
    assert "backbone.dense.weight" in moved[0]
    assert not any("features" in name for name in moved[0])
    assert {name for name in moved[1] if "features" in name} == {
        f"backbone.features.{layer}.{part}" for layer in (24, 26, 28) for part in ("weight", "bias")
    }


def test_the_last_epochs_see_plain_photos_only(tiny_recipe):
    augmentation = tiny_recipe.augmentation.model_copy(update={"plain_share": 0.5, "plain_epochs": 1})
    recipe = tiny_recipe.model_copy(update={"augmentation": augmentation})
    counts = dict.fromkeys(recipe.columns, 2)
    learner = Learner(recipe, *build_network("basic_cnn", counts, (32, 32)), Losses(recipe.columns))
    shares = []
    for epoch in range(1, recipe.optimisation.epochs + 1):
        learner.begin_epoch(epoch)
        shares.append(learner.augmentation.plain_share)
    assert shares == [0.5, 0.5, 1.0]
