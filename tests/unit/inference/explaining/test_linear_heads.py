import numpy as np
import pytest
from onnx import helper, numpy_helper

from hangtag.inference.explaining.activation import find_linear_heads
from hangtag.inference.runtime import load_runtime
from tiny_bundle import FEATURES, TINY_HEADS, build_tiny_graph


def find(model, columns=tuple(TINY_HEADS)):
    return find_linear_heads(load_runtime().read_model(model.SerializeToString()), columns)


def stored_weights(model):
    return {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}


def insert_after(model, output, kind, **attributes):
    """Put an operator between a value and those that read it."""
    for node in model.graph.node:
        node.input[:] = [f"{output}_{kind}" if name == output else name for name in node.input]
    made = next(place for place, node in enumerate(model.graph.node) if output in node.output)
    model.graph.node.insert(made + 1, helper.make_node(kind, [output], [f"{output}_{kind}"], **attributes))


def test_weights_are_found_by_structure():
    model = build_tiny_graph()
    for node in model.graph.node:  # no name says anything
        node.name = ""
    heads = find(model)
    assert set(heads.weights) == set(TINY_HEADS)
    for column, weights in heads.weights.items():
        np.testing.assert_array_equal(weights, stored_weights(model)[f"{column}.weight"].T)


def test_only_the_asked_columns_are_looked_for():
    assert set(find(build_tiny_graph(), ("gender",)).weights) == {"gender"}
    assert find(build_tiny_graph(), ("season",)) is None


def test_half_precision_and_a_transposed_product_are_read():
    model = build_tiny_graph()
    for stored in list(model.graph.initializer):
        if stored.name.endswith(".weight"):
            half = numpy_helper.to_array(stored).T.astype(np.float16)
            model.graph.initializer.remove(stored)
            model.graph.initializer.append(numpy_helper.from_array(half, f"{stored.name}.half"))
            model.graph.node.insert(0, helper.make_node("Cast", [f"{stored.name}.half"], [stored.name], to=1))
    for node in model.graph.node:
        if node.op_type == "Gemm":
            node.attribute.append(helper.make_attribute("transB", 1))
    heads = find(model)
    expected = stored_weights(model)["gender.weight.half"].astype(np.float32)
    np.testing.assert_array_equal(heads.weights["gender"], expected)
    assert expected.shape == (2, FEATURES)


@pytest.mark.parametrize("value", ["pooled", "features", "gender"])
def test_a_head_that_is_not_linear_is_none(value):
    model = build_tiny_graph({"gender": ("Men", "Women")})
    if value == "gender":
        model.graph.node[-1].output[0] = "before"
        model.graph.node.append(helper.make_node("Relu", ["before"], ["gender"]))
    else:
        insert_after(model, value, "Relu")
    assert find(model) is None


def test_a_hidden_layer_is_not_linear():
    model = build_tiny_graph({"gender": ("Men", "Women")})
    model.graph.initializer.append(numpy_helper.from_array(np.eye(FEATURES, dtype=np.float32), "dense"))
    insert_after(model, "features", "Identity")
    for node in model.graph.node:
        if node.op_type == "Identity":
            node.op_type = "MatMul"
            node.input.append("dense")
    assert find(model) is None
