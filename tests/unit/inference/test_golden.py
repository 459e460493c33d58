import base64
from dataclasses import replace

import numpy as np
import pytest

from hangtag.bundle.card import GoldenCheck
from hangtag.bundle.file import read_bundle, replace_card, write_bundle
from hangtag.domain.errors import BundleError
from hangtag.inference.engine import Engine
from hangtag.inference.golden import check_golden
from tiny_bundle import TINY_HEADS, build_tiny_card, build_tiny_graph, draw_png

GRAPH = build_tiny_graph()
CARD = build_tiny_card(GRAPH)


@pytest.fixture
def check(tmp_path):
    """Check the golden photos of a card that stands over the tiny graph."""

    def check(card, precision="fp32"):
        path = tmp_path / "tiny.onnx"
        write_bundle(GRAPH, card, path)
        check_golden(Engine(path, precision=precision, threads=1), path)

    return check


def shifted(by):
    """Return the card with one golden logit changed."""
    first, *others = CARD.golden
    row = [first.logits["gender"][0], first.logits["gender"][1] + by]
    return replace(CARD, golden=[replace(first, logits={**first.logits, "gender": row}), *others])


def test_a_bundle_that_answers_as_it_did_passes(check):
    check(CARD)


def test_a_logit_within_the_tolerance_passes(check):
    check(shifted(0.9 * CARD.golden_tolerance))


def test_a_logit_beyond_the_tolerance_is_refused_with_head_and_numbers(check):
    with pytest.raises(
        BundleError, match=r"in fp32: a logit of gender differs by 0\.01.*at most 0\.001"
    ) as error:
        check(shifted(0.01))
    assert error.value.where.endswith("tiny.onnx")
    assert "train it again" in error.value.fix


def test_other_weights_are_found_out(tmp_path):
    path = tmp_path / "other.onnx"
    write_bundle(build_tiny_graph(seed=1), CARD, path)
    with pytest.raises(BundleError, match="fails its golden check"):
        check_golden(Engine(path, precision="fp32", threads=1))


def test_other_preprocessing_is_found_out(check):
    with pytest.raises(BundleError, match="fails its golden check"):
        check(replace(CARD, preprocessing=replace(CARD.preprocessing, detail_width=3, detail_height=4)))


def test_a_class_order_that_was_changed_with_the_graph_is_found_out(tmp_path):
    heads = TINY_HEADS | {"gender": tuple(reversed(TINY_HEADS["gender"]))}
    swapped = build_tiny_graph(heads)
    for name in ("gender.weight", "gender.bias"):
        tensor = next(tensor for tensor in swapped.graph.initializer if tensor.name == name)
        values = np.frombuffer(tensor.raw_data, np.float32).reshape(-1, 2)
        tensor.raw_data = values[:, ::-1].tobytes()
    path = tmp_path / "swapped.onnx"
    write_bundle(swapped, CARD, path)
    with pytest.raises(BundleError, match="a logit of gender"):
        check_golden(Engine(path, precision="fp32", threads=1))


def test_reduced_precision_is_allowed_more_but_not_everything(check):
    check(CARD, precision="bf16")
    with pytest.raises(BundleError, match="fails its golden check in"):
        check(shifted(2.0), precision="bf16")


def test_without_golden_photos_nothing_is_shown(check):
    with pytest.raises(BundleError, match="no golden photos"):
        check(replace(CARD, golden=()))


def test_a_golden_photo_that_is_none_is_a_bundle_error(check):
    broken = GoldenCheck(base64.b64encode(b"no photo").decode(), CARD.golden[0].logits)
    with pytest.raises(BundleError, match="golden photo of the model cannot be decoded"):
        check(replace(CARD, golden=[broken]))


def test_logits_that_are_no_numbers_are_refused(tmp_path):
    graph = build_tiny_graph()
    bias = next(tensor for tensor in graph.graph.initializer if tensor.name == "gender.bias")
    bias.raw_data = np.float32([np.nan, np.nan]).tobytes()
    path = tmp_path / "nan.onnx"
    write_bundle(graph, CARD, path)
    with pytest.raises(BundleError, match="differs by nan"):
        check_golden(Engine(path, precision="fp32", threads=1))


def test_the_golden_photo_goes_the_whole_way_from_its_file(tmp_path):
    """A golden photo larger than the network's input is reduced as any photo is."""
    large = GoldenCheck.from_png(draw_png(seed=1, size=(240, 320)), CARD.golden[0].logits)
    path = tmp_path / "tiny.onnx"
    write_bundle(GRAPH, replace(CARD, golden=[large], golden_tolerance=0.5), path)
    check_golden(Engine(read_bundle(path), precision="fp32", threads=1))
    replace_card(
        path, replace(CARD, golden=[replace(large, photo_png_base64=CARD.golden[1].photo_png_base64)])
    )
    with pytest.raises(BundleError, match="fails its golden check"):
        check_golden(Engine(path, precision="fp32", threads=1))
