"""A model with an OOD detector, from its graph to what it says of a photo."""

from dataclasses import replace

import numpy as np
import pytest

from fakes import answer, encode, paint
from hangtag.bundle.card import OodDetectorCard
from hangtag.bundle.file import read_bundle, write_bundle
from hangtag.domain.errors import BundleError
from hangtag.domain.prediction import Flag
from hangtag.inference.model import load_model
from tiny_bundle import TINY_HEADS, build_tiny_card, build_tiny_graph, draw_pixels, draw_png, reference_logits

OUTPUT = "not_a_product"
GRAPH = build_tiny_graph(TINY_HEADS | {OUTPUT: ("score",)})
PLAIN = build_tiny_card(build_tiny_graph())
PIXELS = draw_pixels(6)
SCORES = reference_logits(GRAPH, PIXELS)[OUTPUT][:, 0]
CARD = replace(PLAIN, ood_detector=OodDetectorCard(OUTPUT, float(np.median(SCORES)), "drawn weights"))


@pytest.fixture
def model(tmp_path):
    write_bundle(GRAPH, CARD, tmp_path / "ood.onnx")
    return load_model(tmp_path / "ood.onnx", precision="fp32", threads=1)


def test_the_ood_detector_is_answered_beside_the_heads(model):
    found = answer(model, PIXELS)
    assert (found.ood_score.shape, found.ood_score.dtype) == ((6,), np.float32)
    np.testing.assert_allclose(found.ood_score, SCORES, atol=1e-4)
    assert set(found.probabilities) == set(TINY_HEADS)
    assert answer(model, PIXELS[:0]).ood_score.shape == (0,)
    assert found.flagged[:, 0].tolist() == (CARD.ood_detector.threshold < SCORES).tolist()


def test_without_an_ood_detector_there_is_no_score(tmp_path):
    write_bundle(build_tiny_graph(), PLAIN, tmp_path / "plain.onnx")
    assert answer(load_model(tmp_path / "plain.onnx"), PIXELS).ood_score is None


def test_a_photo_over_the_threshold_is_flagged(tmp_path):
    for threshold, flags in ((1e9, ()), (-1e9, (Flag.NOT_A_PRODUCT,))):
        card = replace(CARD, ood_detector=replace(CARD.ood_detector, threshold=threshold))
        write_bundle(GRAPH, card, tmp_path / "ood.onnx")
        (found,) = load_model(tmp_path / "ood.onnx", precision="fp32").predict([draw_png()])
        assert found.flags == flags


def test_a_prediction_says_what_is_wrong_and_how_far_it_is_sure(tmp_path):
    heads = [replace(head, threshold=0.0 if head.column == "masterCategory" else 1.0) for head in PLAIN.heads]
    write_bundle(build_tiny_graph(), replace(PLAIN, heads=heads, target_accuracy=0.9), tmp_path / "t.onnx")
    (found,) = load_model(tmp_path / "t.onnx").predict([encode(paint((250, 250, 250)))])
    assert found.flags == (Flag.BLANK,)
    assert found.answer == found.path[:1]
    assert found.answer_level == "masterCategory"
    (doubtless,) = load_model(_write_plain(tmp_path)).predict([draw_png()])
    assert (doubtless.answer, doubtless.answer_level) == (doubtless.path, "articleType")


def _write_plain(folder):
    write_bundle(build_tiny_graph(), PLAIN, folder / "plain.onnx")
    return folder / "plain.onnx"


def test_an_ood_detector_that_the_graph_lacks_is_refused(tmp_path):
    with pytest.raises(
        BundleError, match="describes the OOD detector 'not_a_product', but the model has no such output"
    ):
        write_bundle(build_tiny_graph(), CARD, tmp_path / "ood.onnx")


def test_an_ood_detector_that_the_card_does_not_describe_is_refused(tmp_path):
    with pytest.raises(BundleError, match="outputs that the card does not describe: not_a_product"):
        write_bundle(GRAPH, PLAIN, tmp_path / "ood.onnx")


def test_an_ood_detector_of_another_shape_is_refused(tmp_path):
    wide = build_tiny_graph(TINY_HEADS | {OUTPUT: ("one", "two")})
    with pytest.raises(
        BundleError, match=r"the output 'not_a_product' of the OOD detector is float32 \(N, 2\), not"
    ):
        write_bundle(wide, CARD, tmp_path / "ood.onnx")


def test_the_ood_detector_goes_through_the_file(tmp_path):
    write_bundle(GRAPH, CARD, tmp_path / "ood.onnx")
    assert read_bundle(tmp_path / "ood.onnx").card.ood_detector == CARD.ood_detector


@pytest.mark.parametrize("score", [np.nan, np.inf, -np.inf])
def test_an_ood_detector_that_gives_no_number_is_refused(score, tmp_path):
    """NaN is over no threshold: nothing would ever be flagged, and nobody would notice."""
    graph = build_tiny_graph(TINY_HEADS | {OUTPUT: ("score",)})
    bias = next(tensor for tensor in graph.graph.initializer if tensor.name == f"{OUTPUT}.bias")
    bias.raw_data = np.float32([score]).tobytes()
    write_bundle(graph, CARD, tmp_path / "ood.onnx")
    with pytest.raises(BundleError, match="its OOD detector gives no number"):
        load_model(tmp_path / "ood.onnx", precision="fp32")
