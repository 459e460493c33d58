import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from hangtag.bundle.heads import GraphHeads, HeadShift
from hangtag.domain.errors import BundleError
from hangtag.training.bundling import store_weights_as_float16
from shop_bundle import build_shop_graph
from tiny_bundle import FEATURES, TINY_HEADS, draw_pixels, reference_logits

PIXELS = draw_pixels(6, seed=3)


def draw_shift(classes, known, seed=0):
    dice = np.random.default_rng(seed)
    weights = dice.normal(size=(classes, FEATURES)).astype(np.float32)
    return HeadShift(weights, dice.normal(size=classes).astype(np.float32), known)


def expected(before, shift, column):
    moved = before["features"] @ shift.weights.T + shift.bias
    moved[:, : shift.known] += before.get(column, 0)
    return moved


def test_a_linear_head_is_changed_in_place_and_all_else_stays():
    graph = build_shop_graph()
    before = reference_logits(graph, PIXELS)
    shift = draw_shift(7, 5)
    changed = onnx.load_from_string(
        GraphHeads(graph.SerializeToString(), "features").render({"articleType": shift})
    )
    onnx.checker.check_model(changed, full_check=True)
    after = reference_logits(changed, PIXELS)
    np.testing.assert_allclose(after["articleType"], expected(before, shift, "articleType"), atol=1e-4)
    assert (after["gender"] == before["gender"]).all()
    assert len(changed.graph.node) == len(graph.graph.node)
    assert "articleType.weight" not in {tensor.name for tensor in changed.graph.initializer}


def test_heads_in_half_precision_and_a_new_column():
    graph = build_shop_graph()
    weights = {tensor.name: tensor for tensor in graph.graph.initializer}
    wide = np.tile(numpy_helper.to_array(weights["articleType.weight"]), (1, 8))  # large enough to be halved
    weights["articleType.weight"].CopyFrom(numpy_helper.from_array(wide, "articleType.weight"))
    weights["articleType.bias"].CopyFrom(
        numpy_helper.from_array(np.zeros(40, np.float32), "articleType.bias")
    )
    store_weights_as_float16(graph)
    before = reference_logits(graph, PIXELS)
    shifts = {"articleType": draw_shift(40, 40), "sleeve": draw_shift(2, 0, seed=1)}
    heads = GraphHeads(graph.SerializeToString(), "features")
    linear = heads.linear_head("articleType")
    assert linear is not None and linear.weights.shape == (40, FEATURES)  # noqa: PT018
    changed = onnx.load_from_string(heads.render(shifts))
    after = reference_logits(changed, PIXELS)
    for column, shift in shifts.items():
        np.testing.assert_allclose(after[column], expected(before, shift, column), atol=1e-4)
    assert not any("articleType.weight.float16" in tensor.name for tensor in changed.graph.initializer)


@pytest.mark.parametrize("classes", [2, 4])
def test_a_head_that_sees_more_than_the_embedding_keeps_its_layer(classes):
    graph = build_shop_graph()
    node = next(node for node in graph.graph.node if node.output[0] == "gender")
    node.input[0] = "twice"
    at = list(graph.graph.node).index(node)
    graph.graph.node.insert(at, helper.make_node("Add", ["features", "features"], ["twice"]))
    before = reference_logits(graph, PIXELS)
    heads, shift = GraphHeads(graph.SerializeToString(), "features"), draw_shift(classes, 2)
    assert heads.linear_head("gender") is None
    after = reference_logits(onnx.load_from_string(heads.render({"gender": shift})), PIXELS)
    np.testing.assert_allclose(after["gender"], expected(before, shift, "gender"), atol=1e-4)
    again = GraphHeads(heads.render({"gender": shift}), "features").render(
        {"gender": draw_shift(classes, classes)}
    )
    twice = reference_logits(onnx.load_from_string(again), PIXELS)
    np.testing.assert_allclose(
        twice["gender"], expected(after, draw_shift(classes, classes), "gender"), atol=1e-4
    )


def test_a_head_that_is_not_there_is_refused():
    heads = GraphHeads(build_shop_graph().SerializeToString(), "features")
    with pytest.raises(BundleError, match="season"):
        heads.render({"season": draw_shift(2, 2)})
    assert set(TINY_HEADS) == {column for column in TINY_HEADS if heads.linear_head(column)}
