from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from hangtag.bundle.card import OodDetectorCard
from hangtag.bundle.file import read_bundle, write_bundle
from hangtag.bundle.quantised import find_quantised, quantised_path, read_quantisation
from hangtag.domain.errors import UsageError
from hangtag.inference.engine import Engine
from hangtag.inference.model import load_model
from hangtag.training.quantising import allow, quantise_graph, restore_weights, write_quantised_bundle
from tiny_bundle import build_tiny_card, build_tiny_graph, draw_pixels, reference_logits

pytestmark = pytest.mark.filterwarnings("ignore")  # NNCF and what it brings warn of themselves
pytest.importorskip("nncf", reason="the extra `quantise` is not installed")
pytest.importorskip("onnxruntime", reason="the extra `quantise` is not installed")


@pytest.fixture
def bundle(tmp_path):
    graph = build_tiny_graph()
    write_bundle(graph, build_tiny_card(graph), tmp_path / "tiny.onnx")
    return read_bundle(tmp_path / "tiny.onnx")


def count(graph, kind):
    return sum(node.op_type == kind for node in graph.graph.node)


def test_the_int8_form_answers_nearly_the_same(bundle):
    pixels = draw_pixels(64)
    path = quantised_path(bundle.path)
    write_quantised_bundle(bundle, pixels, path)
    found, expected = Engine(path).run(pixels), Engine(bundle, precision="fp32").run(pixels)
    for column, logits in expected.items():
        assert 0 < np.abs(found[column] - logits).mean() < 0.05 * np.abs(logits).max()
    assert load_model(bundle.path, precision="int8").engine.precision == "int8"


def test_the_card_says_how_it_was_made_and_is_not_allowed_until_it_was_measured(bundle):
    path = quantised_path(bundle.path)
    write_quantised_bundle(bundle, draw_pixels(16), path)
    found = find_quantised(bundle)
    assert read_bundle(path).card.name == "tiny.int8"
    assert not read_quantisation(found.card).allowed
    assert read_quantisation(found.card).photos == 16
    allow(path, {"gender": {"lost_points": 0.1}}, allowed=True)
    assert read_quantisation(find_quantised(bundle).card).allowed
    assert read_quantisation(read_bundle(path).card).costs == {"gender": {"lost_points": 0.1}}


def test_the_first_convolutions_stay_exact(bundle):
    one, both = (quantise_graph(bundle, draw_pixels(8), exact) for exact in (1, 2))
    assert count(one, "QuantizeLinear") > count(both, "QuantizeLinear")


def test_an_ood_detector_stays(bundle, tmp_path):
    graph = build_tiny_graph()
    graph.graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), "axes"))
    graph.graph.node.append(
        helper.make_node("ReduceMax", ["features", "axes"], ["not_a_product"], keepdims=1)
    )
    score = helper.make_tensor_value_info("not_a_product", TensorProto.FLOAT, ["N", 1])
    graph.graph.output.append(score)
    card = replace(bundle.card, ood_detector=OodDetectorCard("not_a_product", 3.0, "the largest feature"))
    write_bundle(graph, card, tmp_path / "with_ood.onnx")
    with_ood = read_bundle(tmp_path / "with_ood.onnx")
    write_quantised_bundle(with_ood, draw_pixels(16), quantised_path(with_ood.path))
    pixels = draw_pixels(5)
    exact, found = (
        load_model(with_ood.path, precision=precision).run(pixels)["not_a_product"][:, 0]
        for precision in ("fp32", "int8")
    )
    assert found.shape == exact.shape == (5,)
    np.testing.assert_allclose(found, exact, rtol=0.1)


def test_too_few_photos(bundle):
    with pytest.raises(UsageError, match="too few"):
        quantise_graph(bundle, draw_pixels(3))


def test_weights_that_are_stored_as_float16_are_restored():
    model = build_tiny_graph()
    before = reference_logits(model, draw_pixels(2))
    position = next(i for i, tensor in enumerate(model.graph.initializer) if tensor.name == "conv2")
    halved = numpy_helper.to_array(model.graph.initializer[position]).astype(np.float16)
    model.graph.initializer[position].CopyFrom(numpy_helper.from_array(halved, "conv2.float16"))
    model.graph.node.insert(0, helper.make_node("Cast", ["conv2.float16"], ["conv2"], to=TensorProto.FLOAT))
    restored = restore_weights(model)
    assert count(restored, "Cast") == count(model, "Cast") - 1
    after = reference_logits(restored, draw_pixels(2))
    for column, logits in before.items():
        np.testing.assert_allclose(after[column], logits, rtol=0.01, atol=0.05)
