import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from hangtag.inference.explaining.activation import locate_cells
from hangtag.inference.runtime import load_runtime

SIZE = (60, 48)


def build(layers):
    """Return a graph of convolutions (kernel, stride, pads) and "mean" or "max" pools, all of positive weights."""
    nodes = [
        helper.make_node("Cast", ["photos"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["numbers"], ["0"], perm=[0, 3, 1, 2]),
    ]
    weights = []
    for place, (kind, kernel, stride, pads) in enumerate(layers):
        geometry = {"kernel_shape": [kernel, kernel], "strides": [stride, stride], "pads": pads}
        inputs = [str(place)]
        if kind == "Pad":
            amounts = np.array([0, 0, *pads[:2], 0, 0, *pads[2:]], np.int64)
            weights.append(numpy_helper.from_array(amounts, f"w{place}"))
            nodes.append(helper.make_node("Pad", [str(place), f"w{place}"], [str(place + 1)]))
            continue
        if kind == "Conv":
            channels = 1 if any(kind == "Conv" for kind, *_ in layers[:place]) else 3
            weights.append(
                numpy_helper.from_array(np.ones((1, channels, kernel, kernel), np.float32), f"w{place}")
            )
            inputs.append(f"w{place}")
        else:
            geometry["count_include_pad"] = 1
        nodes.append(helper.make_node(kind, inputs, [str(place + 1)], **geometry))
    # A branch that joins its trunk, as in a residual network.
    nodes.append(helper.make_node("Add", [str(len(layers)), str(len(layers))], ["map"]))
    photos = helper.make_tensor_value_info("photos", TensorProto.UINT8, ["N", *SIZE, 3])
    found = helper.make_tensor_value_info("map", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "layers", [photos], [found], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return load_runtime().read_model(model.SerializeToString())


def seen_centres(graph, axis):
    """Light one line of the photo after the other: the mean of the lines that a cell answers is where it looks."""
    lines = SIZE[axis]
    photos = np.zeros((lines, *SIZE, 3), np.uint8)
    for line in range(lines):
        (photos[line] if axis == 0 else photos[line].swapaxes(0, 1))[line] = 1
    answers = load_runtime().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([photos])[0]
    by_cell = answers[:, 0].max(axis=2 - axis)
    return (by_cell * np.arange(lines)[:, None]).sum(axis=0) / by_cell.sum(axis=0)


@pytest.mark.parametrize(
    "layers",
    [
        [("Conv", 3, 2, [1, 1, 1, 1])],
        [("Conv", 3, 2, [0, 0, 1, 1])],
        [("Conv", 3, 2, [0, 0, 1, 1]), ("Conv", 5, 1, [2, 2, 2, 2]), ("Conv", 5, 2, [1, 1, 2, 2])],
        [("Pad", 1, 1, [2, 1, 1, 0]), ("Conv", 3, 2, [0, 0, 0, 0])],
        [("Conv", 3, 1, [0, 0, 0, 0]), ("AveragePool", 2, 2, [0, 0, 0, 0]), ("Conv", 3, 2, [1, 1, 1, 1])],
    ],
)
def test_cells_look_where_they_answer(layers):
    graph = build(layers)
    axes = locate_cells(graph.results[0].input_value(0), *SIZE)
    for axis, found in enumerate(axes):
        seen = seen_centres(graph, axis)
        assert found.count == len(seen)
        inner = slice(3, -3)  # at the edges, a part of the field of view lies outside
        np.testing.assert_allclose(
            (found.first + found.stride * np.arange(found.count))[inner], seen[inner], atol=1e-4
        )


def test_without_a_known_way_the_cells_share_the_photo():
    sizes = numpy_helper.from_array(np.array([1, 1, 0.5, 0.25], np.float32), "scales")
    nodes = [
        helper.make_node("Cast", ["photos"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["numbers"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Resize", ["planes", "", "scales"], ["map"]),
    ]
    photos = helper.make_tensor_value_info("photos", TensorProto.UINT8, ["N", *SIZE, 3])
    found = helper.make_tensor_value_info("map", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "resize", [photos], [found], [sizes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    read = load_runtime().read_model(model.SerializeToString())
    rows, columns = locate_cells(read.results[0].input_value(0), *SIZE)
    assert (rows.count, rows.first, rows.stride) == (30, 0.5, 2)
    assert (columns.count, columns.first, columns.stride) == (12, 1.5, 4)
