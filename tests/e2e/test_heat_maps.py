"""Heat maps of the shipped model mean something: they lie on the product, and they come from what it has learnt."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

from hangtag.bundle.file import SHIPPED_FOLDER, read_bundle, write_bundle
from hangtag.imaging.samples import load_sample_photos
from hangtag.inference.explaining.explainer import Explainer, Method
from hangtag.inference.model import load_model

DEFAULT = SHIPPED_FOLDER / "default.onnx"
CORNERS = ("upper left", "upper right", "lower left", "lower right")


@pytest.fixture(scope="module")
def model():
    return load_model(DEFAULT, precision="fp32", threads=1)


def put_into_corner(image, corner, size=(240, 320), share=0.5):
    """Return a white photo with the product in a corner, and the product's box as slices."""
    photo = Image.new("RGB", size, "white")
    small = image.resize((round(size[0] * share), round(size[1] * share)), Image.Resampling.LANCZOS)
    left = 0 if "left" in corner else size[0] - small.width
    top = 0 if "upper" in corner else size[1] - small.height
    photo.paste(small, (left, top))
    is_product = (np.asarray(photo).min(axis=2) < 235).nonzero()
    return photo, tuple(slice(axis.min(), axis.max() + 1) for axis in is_product)


def concentration(heat, box):
    """Return how many times more heat lies in a box than an even map would put there."""
    inside, chance = heat[box].sum() / heat.sum(), heat[box].size / heat.size
    return inside / chance


def correlate(one, other):
    """Return how alike two maps are, 0 for one that is all cold."""
    away = [heat - heat.mean() for heat in (one, other)]
    lengths = np.linalg.norm(away[0]) * np.linalg.norm(away[1])
    return float((away[0] * away[1]).sum() / lengths) if lengths else 0.0


def explain_corners(explainer):
    found = []
    for number, image in enumerate(load_sample_photos().values()):
        for corner in (CORNERS[number % 4], CORNERS[3 - number % 4]):
            photo, box = put_into_corner(image, corner)
            explanation = explainer.explain(explainer.model.card.preprocessing.apply(photo))
            found += [
                concentration(explanation.heat_of_photo(column, photo.size), box)
                for column in explanation.maps
            ]
    return np.array(found)


def test_occlusion_finds_the_product_in_its_corner(model):
    found = explain_corners(Explainer(model))
    assert np.median(found) > 3  # six times, as measured; all of the heat in the box would be some eight
    assert np.quantile(found, 0.1) > 1.5


def test_activation_leans_towards_the_product_in_its_corner(model):
    """Its cells each see most of so small a photo, so that it cannot do more than lean."""
    explainer = Explainer(model, Method.ACTIVATION)
    explanation = explainer.explain(model.card.preprocessing.apply(load_sample_photos()["shoe"]))
    if {one.method for one in explanation.maps.values()} != {Method.ACTIVATION}:
        pytest.skip("the heads of the shipped model are not linear on the mean of a feature map")
    assert np.median(explain_corners(explainer)) > 1.1


@pytest.mark.parametrize("method", Method)
def test_a_head_of_random_weights_has_other_maps(model, method, tmp_path):
    """Of the sanity checks of Adebayo et al. (2018): a map that survives new weights shows the photo, not the model."""
    graph = onnx.load_model_from_string(read_bundle(DEFAULT).model_bytes)
    dice = np.random.default_rng(5)
    for stored in graph.graph.initializer:
        values = numpy_helper.to_array(stored)
        if values.ndim == 2 and values.shape[0] == len(model.card.head("articleType").classes):
            shuffled = dice.permutation(values.ravel()).reshape(values.shape)
            stored.CopyFrom(numpy_helper.from_array(shuffled, stored.name))
    write_bundle(graph, model.card, tmp_path / "random.onnx")
    random = load_model(tmp_path / "random.onnx", precision="fp32", threads=1, verify=False)
    alike = []
    for image in load_sample_photos().values():
        pixels = model.card.preprocessing.apply(image)
        label = Explainer(model).explain(pixels, ["articleType"]).maps["articleType"].label
        maps = [
            Explainer(one, method).explain(pixels, [], {"articleType": label}).maps["articleType"].heat
            for one in (model, random)
        ]
        alike.append(correlate(*maps))
    assert np.median(alike) < 0.5
