import numpy as np
import openvino
import pytest
from onnx import helper, numpy_helper
from openvino import opset13

from hangtag.inference.reduced import keep_first_layers_exact
from hangtag.inference.runtime import load_runtime
from tiny_bundle import FEATURES, build_tiny_graph, draw_pixels


@pytest.fixture(scope="module")
def core():
    return load_runtime()


@pytest.fixture(scope="module")
def graph(core):
    """The tiny graph has two convolutions; a third one is to be left as it is."""
    model = build_tiny_graph()
    third = np.random.default_rng(0).normal(0, 0.5, (FEATURES, FEATURES, 3, 3)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(third, "conv3"))
    model.graph.node.insert(7, helper.make_node("Conv", ["second_up", "conv3"], ["third"], pads=[1, 1, 1, 1]))
    next(node for node in model.graph.node if node.op_type == "GlobalAveragePool").input[0] = "third"
    return core.read_model(model.SerializeToString())


def compiled(core, graph, precision):
    return core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": precision})


def arithmetic_of_convolutions(model):
    """Return what each convolution is computed in, in the order of the compiled graph."""
    layers = [layer.get_rt_info() for layer in model.get_runtime_model().get_ordered_ops()]
    return [
        layer["runtimePrecision"].astype(str)
        for layer in layers
        if layer["layerType"].astype(str) == "Convolution"
    ]


def test_only_the_first_two_convolutions_stay_in_float32(core, graph):
    if arithmetic_of_convolutions(compiled(core, graph, "bf16")) != ["bf16"] * 3:
        pytest.skip("this processor does not compute in bf16")
    marked = compiled(core, keep_first_layers_exact(core, graph), "bf16")
    assert arithmetic_of_convolutions(marked) == ["f32", "f32", "bf16"]


def test_in_float32_nothing_changes(core, graph):
    pixels = draw_pixels(5)
    before = compiled(core, graph, "f32")([pixels])
    after = compiled(core, keep_first_layers_exact(core, graph), "f32")([pixels])
    for port in graph.outputs:
        np.testing.assert_array_equal(before[port.get_any_name()], after[port.get_any_name()])


def test_a_graph_without_convolutions_stays_as_it_is(core):
    photos = opset13.parameter([-1, 4], openvino.Type.f32, name="photos")
    plain = openvino.Model([opset13.relu(photos)], [photos], "plain")
    found = compiled(core, keep_first_layers_exact(core, plain), "f32")([np.float32([[-1, 2, -3, 4]])])
    assert found[0].tolist() == [[0, 2, 0, 4]]
