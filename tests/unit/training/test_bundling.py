"""A bundle from a network that has learnt nothing: what is written next to its answers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hangtag.bundle.card import OodDetectorCard, SourceCard
from hangtag.bundle.file import read_card
from hangtag.bundle.statistics import read_statistics
from hangtag.domain.errors import TrainingError
from hangtag.inference.engine import Engine
from hangtag.networks.multihead import ServedNetwork
from hangtag.networks.registry import build_network
from hangtag.training.bundling import require_twin, write_trained_bundle
from hangtag.training.data import OOD_OUTPUT, UNKNOWN
from hangtag.training.loop import TrainedNetwork
from hangtag.training.recipe_sections import OodRecipe

pytestmark = pytest.mark.training

HISTORY = [{"epoch": 1.0, "seconds": 2.0}]


@pytest.fixture
def recipe(tiny_recipe):
    network = tiny_recipe.network.model_copy(update={"architecture": "basic_cnn"})
    return tiny_recipe.model_copy(update={"network": network, "ood": OodRecipe(drawn=1, loss_weight=1)})


@pytest.fixture
def data(tiny_data):
    """The tiny data, the last four train photos of which show no product."""
    none = np.zeros(len(tiny_data.train), np.int64)
    none[-4:] = 1
    targets = {name: np.where(none, UNKNOWN, values) for name, values in tiny_data.train.targets.items()}
    train = replace(tiny_data.train, targets={**targets, OOD_OUTPUT: none})
    return replace(tiny_data, train=train, sources=(SourceCard("shop", 12, "CC0", "A. Shop"),))


@pytest.fixture
def trained(recipe, data):
    torch.manual_seed(0)
    counts = {column: len(classes) for column, classes in data.classes.items()} | {OOD_OUTPUT: 1}
    network = build_network(recipe.network.architecture, counts, (32, 32))
    return TrainedNetwork(ServedNetwork(*network).eval(), HISTORY)


def test_a_bundle_answers_with_embeddings_and_holds_their_statistics(recipe, data, trained, tmp_path):
    path = tmp_path / "run" / "tiny.onnx"
    card = write_trained_bundle(trained, recipe, data, {"train_photos": 32}, path)
    assert card.embedding.size == 128
    assert card.sources == data.sources
    assert read_card(path) == card
    pixels = np.array(data.train.pixels[:28])
    rows = Engine(path, precision="fp32").run(pixels)["embedding"]
    expected = trained.network.network.embed(
        trained.network.normalise(torch.from_numpy(pixels).permute(0, 3, 1, 2).float())
    )[0]
    np.testing.assert_allclose(rows, expected.detach().numpy(), atol=0.05)
    found = read_statistics(path)
    assert found.photos == 28  # those of no product say nothing of products
    np.testing.assert_allclose(found.mean, rows.mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(found.covariance, np.cov(rows.T, bias=True), atol=0.01 * rows.var())
    labels = data.train.targets["masterCategory"][:28]
    np.testing.assert_allclose(
        found.class_means["masterCategory"][1], rows[labels == 1].mean(axis=0), atol=0.01
    )
    assert found.counts["masterCategory"].tolist() == [14, 14]


def test_a_recipe_may_leave_embedding_or_statistics_out(recipe, data, trained, tmp_path):
    for export, has_embedding in (({"embedding": False}, False), ({"statistics": False}, True)):
        changed = recipe.model_copy(update={"export": recipe.export.model_copy(update=export)})
        card = write_trained_bundle(trained, changed, data, {}, tmp_path / "tiny.onnx")
        assert (card.embedding is not None) == has_embedding
        assert read_statistics(tmp_path / "tiny.onnx") is None


def test_what_learnt_everything_has_the_figures_of_its_twin_and_says_so(recipe, data, trained, tmp_path):
    twin = write_trained_bundle(trained, recipe, data, {}, tmp_path / "twin.onnx")
    heads = [replace(head, temperature=1.5, threshold=0.75) for head in twin.heads]
    measured = {"test": {"mean_top1_accuracy": 0.5}}
    twin = replace(
        twin,
        heads=heads,
        metrics=measured,
        ood_detector=OodDetectorCard(OOD_OUTPUT, 7.0, "drawn"),
        data={**twin.data, "rare_classes_lifted": {"gender": 0.5}},
    )
    before = trained.network.network.heads["gender"].bias.detach().clone()
    require_twin(recipe, twin)
    card = write_trained_bundle(trained, recipe, replace(data, twin=twin), {}, tmp_path / "all.onnx")
    assert (card.heads, card.metrics, card.ood_detector) == (twin.heads, measured, twin.ood_detector)
    assert card.data["figures_of"]["name"] == twin.name
    assert not torch.equal(trained.network.network.heads["gender"].bias, before)
    with pytest.raises(TrainingError, match="has no figures of its own"):
        require_twin(recipe, card)
    with pytest.raises(TrainingError, match="another recipe"):
        require_twin(recipe.with_epochs(7), twin)


def test_with_early_stopping_not_everything_can_be_learnt(recipe, data, trained, tmp_path):
    patient = recipe.model_copy(
        update={"optimisation": recipe.optimisation.model_copy(update={"patience": 2})}
    )
    twin = write_trained_bundle(trained, patient, data, {}, tmp_path / "twin.onnx")
    with pytest.raises(TrainingError, match="early stopping"):
        require_twin(patient, replace(twin, metrics={"test": {}}))
