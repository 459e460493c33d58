import subprocess
import sys

import numpy as np
import openvino
import pytest
from onnx import helper, numpy_helper
from openvino import opset13

from hangtag.inference.runtime import keep_first_layers_exact, load_runtime
from tiny_bundle import FEATURES, build_tiny_graph, draw_pixels


@pytest.fixture(scope="module")
def core():
    return load_runtime()


@pytest.fixture(scope="module")
def graph(core):
    """The tiny graph has two convolutions, here it gets two more; the fourth one should be left as it is."""
    model = build_tiny_graph()
    dice = np.random.default_rng(0)
    for position, (before, name) in enumerate([("second_up", "third"), ("third", "fourth")]):
        weights = dice.normal(0, 0.5, (FEATURES, FEATURES, 3, 3)).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(weights, f"{name}.weight"))
        convolution = helper.make_node("Conv", [before, f"{name}.weight"], [name], pads=[1, 1, 1, 1])
        model.graph.node.insert(7 + position, convolution)
    next(node for node in model.graph.node if node.op_type == "GlobalAveragePool").input[0] = "fourth"
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


def test_only_the_first_three_convolutions_stay_in_float32(core, graph):
    if arithmetic_of_convolutions(compiled(core, graph, "bf16")) != ["bf16"] * 4:
        pytest.skip("this processor does not compute in bf16")
    marked = compiled(core, keep_first_layers_exact(core, graph), "bf16")
    assert arithmetic_of_convolutions(marked) == ["f32", "f32", "f32", "bf16"]


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


SCRIPT = """
import sys
{before}
from hangtag.inference.runtime import load_runtime
core = load_runtime()
assert load_runtime() is core
print('CPU' in core.available_devices, 'openvino.tools.ovc' in sys.modules, 'openvino_telemetry' in sys.modules)
{after}
"""


def run(before="", after=""):
    script = SCRIPT.format(before=before, after=after)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout


def test_openvino_comes_without_its_converter():
    assert run() == "True False False\n"


def test_whoever_wants_the_converter_can_still_have_it():
    assert run(after="from openvino.tools.ovc import convert_model\nprint(callable(convert_model))").endswith(
        "True\n"
    )


def test_an_openvino_that_is_loaded_already_is_left_as_it_is():
    assert run(before="import openvino; assert openvino.convert_model").startswith("True True True")
