import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from hangtag.domain.taxonomy import Taxonomy
from hangtag.training.data import OOD_OUTPUT, UNKNOWN, Samples, TrainingData
from hangtag.training.losses import Losses
from hangtag.training.recipe_sections import OodRecipe

COLUMNS = ("masterCategory", "gender")
LEVELS = ("masterCategory", "articleType")


@pytest.fixture
def logits():
    generator = torch.Generator().manual_seed(0)
    return {
        "masterCategory": torch.randn(4, 2, generator=generator),
        "gender": torch.randn(4, 3, generator=generator),
    }


def test_an_unknown_label_contributes_no_loss(logits):
    all_known = {"masterCategory": torch.tensor([0, 1, 0, 1]), "gender": torch.tensor([0, 1, 2, 0])}
    one_unknown = {**all_known, "gender": torch.tensor([0, 1, 2, UNKNOWN])}
    master = functional.cross_entropy(
        logits["masterCategory"], all_known["masterCategory"], label_smoothing=0.05
    )
    gender = functional.cross_entropy(logits["gender"][:3], all_known["gender"][:3], label_smoothing=0.05)
    losses = Losses(COLUMNS, label_smoothing=0.05)
    assert losses.training(logits, one_unknown).item() == pytest.approx(((master + gender) / 2).item())
    assert losses.training(logits, all_known).item() != pytest.approx(((master + gender) / 2).item())
    none_known = {**all_known, "gender": torch.full((4,), UNKNOWN)}
    assert losses.training(logits, none_known).item() == pytest.approx(master.item())


def test_class_weights_count_in_training_and_not_in_validation():
    losses = Losses(COLUMNS, class_weights={"masterCategory": torch.tensor([1.0, 9.0])})
    logits = {"masterCategory": torch.tensor([[2.0, 0.0], [2.0, 0.0]]), "gender": torch.zeros(2, 3)}
    targets = {"masterCategory": torch.tensor([0, 1]), "gender": torch.tensor([0, 0])}
    plain = Losses(COLUMNS).training(logits, targets).item()
    assert losses.validation(logits, targets).item() == plain < losses.training(logits, targets).item()


def test_a_logit_adjustment_asks_more_of_the_rare_class():
    adjustments = {"gender": torch.log(torch.tensor([0.9, 0.09, 0.01]))}
    losses = Losses(("gender",), adjustments=adjustments)
    logits = {"gender": torch.zeros(1, 3)}
    loss = [losses.training(logits, {"gender": torch.tensor([index])}).item() for index in range(3)]
    assert loss == pytest.approx([-math.log(share) for share in (0.9, 0.09, 0.01)], rel=1e-5)
    assert losses.validation(logits, {"gender": torch.tensor([2])}).item() == pytest.approx(math.log(3))


def test_the_ood_detector_learns_beside_the_heads(logits):
    targets = {"masterCategory": torch.tensor([0, 1, UNKNOWN, UNKNOWN]), "gender": torch.full((4,), UNKNOWN)}
    targets[OOD_OUTPUT] = torch.tensor([0, 0, 1, 1])
    scores = torch.tensor([[-2.0], [-2.0], [2.0], [2.0]])
    right = Losses(COLUMNS, ood_weight=1.0).training({**logits, OOD_OUTPUT: scores}, targets)
    wrong = Losses(COLUMNS, ood_weight=1.0).training({**logits, OOD_OUTPUT: -scores}, targets)
    without = Losses(COLUMNS).training({**logits, OOD_OUTPUT: scores}, targets)
    assert right.item() == pytest.approx(without.item() + math.log1p(math.exp(-2)), rel=1e-5)
    assert wrong.item() == pytest.approx(without.item() + math.log1p(math.exp(2)), rel=1e-5)


def build_data(tiny_recipe):
    classes = {"masterCategory": ("Apparel", "Footwear"), "articleType": ("Jeans", "Shirts", "Shoes")}
    taxonomy = Taxonomy(LEVELS, (("Apparel", "Jeans"), ("Apparel", "Shirts"), ("Footwear", "Shoes")))
    targets = {"masterCategory": np.array([0, 0, 0, 1]), "articleType": np.array([0, 1, UNKNOWN, 2])}
    samples = Samples(np.zeros((4, 2, 2, 3), np.uint8), targets)
    recipe = tiny_recipe.model_copy(update={"columns": LEVELS})
    return recipe, TrainingData(samples, samples, classes, taxonomy, "", joined=np.array([2]))


def test_what_lies_under_a_known_label_is_what_an_unknown_one_can_be(tiny_recipe):
    losses = Losses.from_recipe(*build_data(tiny_recipe))
    logits = {"masterCategory": torch.zeros(1, 2), "articleType": torch.tensor([[1.0, 2.0, 4.0]])}
    targets = {"masterCategory": torch.tensor([0]), "articleType": torch.tensor([UNKNOWN])}
    probabilities = logits["articleType"].softmax(dim=1)[0]
    expected = (math.log(2) - math.log(probabilities[:2].sum())) / 2
    assert losses.training(logits, targets).item() == pytest.approx(expected, rel=1e-5)


def test_a_recipe_says_which_means_are_used(tiny_recipe):
    recipe, data = build_data(tiny_recipe)
    optimisation = recipe.optimisation.model_copy(
        update={"class_weights": "balanced", "logit_adjustment": 0.5}
    )
    ood = OodRecipe(drawn=1, loss_weight=0.25)
    losses = Losses.from_recipe(recipe.model_copy(update={"optimisation": optimisation, "ood": ood}), data)
    assert losses.class_weights["masterCategory"].tolist() == pytest.approx([4 / 6, 4 / 2])
    assert losses.adjustments["masterCategory"].tolist() == pytest.approx(
        [math.log(0.75) / 2, math.log(0.25) / 2]
    )
    assert losses.ood_weight == 0.25
