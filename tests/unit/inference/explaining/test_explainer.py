from threading import Thread

import numpy as np
import pytest
from onnx import helper, numpy_helper

from fakes import answer
from hangtag.bundle.file import write_bundle
from hangtag.domain.errors import UsageError
from hangtag.inference.engine import Engine
from hangtag.inference.explaining.activation import ClassActivation
from hangtag.inference.explaining.explainer import Explainer, Method, usual_columns
from hangtag.inference.model import load_model
from tiny_bundle import FEATURES, HEIGHT, TINY_HEADS, WIDTH, build_tiny_card, build_tiny_graph, draw_pixels

GRAPH = build_tiny_graph()


@pytest.fixture
def load(tmp_path):
    """Write a graph as a bundle with a card that fits, and load it."""

    def load(graph=GRAPH, classes=None):
        path = tmp_path / "tiny.onnx"
        write_bundle(graph, build_tiny_card(graph, classes), path)
        return load_model(path, precision="fp32", threads=1)

    return load


@pytest.fixture
def pixels():
    return draw_pixels(1)[0]


@pytest.mark.parametrize("method", Method)
def test_a_map_for_each_usual_decision_in_the_geometry_of_the_pixels(load, pixels, method):
    model = load()
    explanation = Explainer(model, method).explain(pixels)
    expected = answer(model, pixels[None])
    assert list(explanation.maps) == ["masterCategory", "articleType"]
    for column, found in explanation.maps.items():
        chosen = int(expected.label_indices[column][0])
        assert found.column == column
        assert found.label == TINY_HEADS[column][chosen]
        assert found.confidence == pytest.approx(float(expected.confidence(column)[0]), abs=1e-6)
        assert found.method is method
        assert (found.heat.shape, found.heat.dtype) == ((HEIGHT, WIDTH), np.float32)
        assert (found.heat.min() >= 0, found.heat.max()) in {(True, 1.0), (True, 0.0)}


def test_other_columns_and_other_classes_can_be_asked_for(load, pixels):
    explainer = Explainer(load(), Method.ACTIVATION)
    assert list(explainer.explain(pixels, ["gender"]).maps) == ["gender"]
    found = explainer.explain(pixels, ["articleType"], {"articleType": "Socks", "gender": "Men"})
    assert {column: one.label for column, one in found.maps.items()} == {
        "articleType": "Socks",
        "gender": "Men",
    }
    other = explainer.explain(pixels, [], {"articleType": "Jeans"})
    assert not np.array_equal(found.maps["articleType"].heat, other.maps["articleType"].heat)


@pytest.mark.parametrize(
    ("columns", "classes"), [(["colour"], None), (["gender"], {"gender": "Robots"}), ([], {"colour": "Red"})]
)
def test_what_the_model_does_not_know_cannot_be_explained(load, pixels, columns, classes):
    with pytest.raises(UsageError, match=r"colour|Robots"):
        Explainer(load()).explain(pixels, columns, classes)


def test_pixels_of_another_shape_are_refused(load):
    with pytest.raises(UsageError, match="pixels"):
        Explainer(load()).explain(draw_pixels(1, height=5)[0])


def test_heat_lies_on_the_photo(load, pixels):
    explanation = Explainer(load()).explain(pixels)
    assert explanation.heat_of_photo("articleType", (90, 40)).shape == (40, 90)


def test_a_model_without_the_usual_columns_explains_its_first():
    assert usual_columns(build_tiny_card(classes={"season": ("Fall", "Summer"), "usage": ("Home",)})) == (
        "season",
    )


def test_the_evidence_of_activation_adds_up_to_the_logit(load):
    """With maps of one pixel a cell, which the tiny network's stride of 2 almost gives, the mean is the logit."""
    model = load()
    pixels = np.full((HEIGHT, WIDTH, 3), 77, np.uint8)  # shifted copies of an even photo are all the same
    activation = ClassActivation.of(model.engine)
    assert activation.columns == set(TINY_HEADS)
    features, logits = activation._run(pixels[None])  # noqa: SLF001
    for column in TINY_HEADS:
        weights = activation._heads.weights[column]  # noqa: SLF001
        stored = {one.name: numpy_helper.to_array(one) for one in GRAPH.graph.initializer}
        sums = np.einsum("kc,nchw->nk", weights, features) / np.prod(features.shape[2:])
        np.testing.assert_allclose(sums + stored[f"{column}.bias"], logits[column], rtol=1e-4)
        heat = activation.render(pixels, {column: 0})[column]
        middle = np.einsum("c,chw->hw", weights[0], features[0])[2:-2, 2:-2].mean()
        assert heat[5:-5, 4:-4].mean() / 2 == pytest.approx(middle, rel=0.05)  # both the photo and its mirror


def test_a_head_that_only_looks_linear_is_explained_by_occlusion(load, pixels):
    """Its features are shuffled between the mean and the product, which the graph's structure does not show."""
    graph = build_tiny_graph()
    graph.graph.initializer.append(numpy_helper.from_array(np.arange(FEATURES)[::-1].copy(), "shuffle"))
    gemm = next(node for node in graph.graph.node if "gender" in node.output)
    place = list(graph.graph.node).index(gemm)
    graph.graph.node.insert(place, helper.make_node("Gather", ["features", "shuffle"], ["mixed"], axis=1))
    gemm.input[0] = "mixed"
    found = Explainer(load(graph), Method.ACTIVATION).explain(pixels, ["gender", "articleType"])
    assert {column: one.method for column, one in found.maps.items()} == {
        "gender": Method.OCCLUSION,
        "articleType": Method.ACTIVATION,
    }


def test_a_network_without_such_heads_is_explained_by_occlusion(load, pixels):
    classes = {"gender": ("Men", "Women")}
    graph = build_tiny_graph(classes)
    graph.graph.node[-1].output[0] = "before"
    graph.graph.node.append(helper.make_node("Tanh", ["before"], ["gender"]))
    model = load(graph, classes)
    assert ClassActivation.of(model.engine) is None
    found = Explainer(model, Method.ACTIVATION).explain(pixels)
    assert found.maps["gender"].method is Method.OCCLUSION


def test_nothing_is_compiled_before_it_is_needed(load, pixels, monkeypatch):
    copies = []
    original = Engine.copy_graph
    monkeypatch.setattr(Engine, "copy_graph", lambda engine: copies.append(1) or original(engine))
    model = load()
    explainer = Explainer(model, Method.ACTIVATION)
    model.run(pixels[None])
    Explainer(model).explain(pixels)
    assert not copies
    threads = [Thread(target=explainer.explain, args=(pixels,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(copies) == 1


def test_a_map_on_which_nothing_speaks_for_the_label_is_all_cold(load):
    found = Explainer(load()).explain(np.full((HEIGHT, WIDTH, 3), 255, np.uint8))
    assert found.maps["articleType"].heat.max() == 0
