"""The int8 form of a model: 8-bit weights and activations, with ranges measured on photos of the catalogue.

Static post-training quantisation with NNCF: weights per channel, and the bias shift of each layer corrected (Nagel, van
Baalen, Blankevoort, Welling: Data-Free Quantization Through Weight Equalization and Bias Correction, ICCV 2019). Why
this one: `docs/decisions/0012-int8.md`.
"""

import contextlib
import io
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

from hangtag.bundle.card import Card, GoldenCheck
from hangtag.bundle.file import Bundle, read_card, replace_card, write_bundle
from hangtag.bundle.quantised import Quantisation, graph_sha256, read_quantisation, with_quantisation
from hangtag.bundle.structure import INPUT
from hangtag.domain.errors import UsageError
from hangtag.domain.extras import missing_extra
from hangtag.imaging.preprocess import Pixels, prepare_photo
from hangtag.inference.engine import Engine

EXACT_CONVOLUTIONS: Final = 1
"""How many convolutions, counted from the input, stay in float32: all colour passes through the first."""

METHOD: Final = (
    "static, by NNCF: symmetric, weights by channel, bias corrected layer by layer, heads in float32"
)

_BATCH: Final = 4
_CONVOLUTION: Final = "Conv"
_HEADS: Final = frozenset({"Gemm", "MatMul"})


def quantise_graph(bundle: Bundle, pixels: Pixels, exact: int = EXACT_CONVOLUTIONS) -> onnx.ModelProto:
    """Return a bundle's graph in int8, calibrated on photos, uint8 (n, height, width, 3). Inputs and outputs stay.

    The heads and the first `exact` convolutions stay in float32. Raises `UsageError` without NNCF or with too few
    photos.
    """
    nncf = _load_nncf()
    if len(pixels) < _BATCH:
        raise UsageError(f"{len(pixels)} photos are too few to calibrate with")
    model = restore_weights(onnx.load_model_from_string(bundle.model_bytes))
    convolutions = [node.name for node in model.graph.node if node.op_type == _CONVOLUTION]
    heads = [node.name for node in model.graph.node if node.op_type in _HEADS]
    with _quiet():
        quantised: onnx.ModelProto = nncf.quantize(
            model,
            nncf.Dataset(list(_iter_inputs(pixels))),
            subset_size=len(pixels) // _BATCH,
            preset=nncf.QuantizationPreset.PERFORMANCE,
            fast_bias_correction=False,
            ignored_scope=nncf.IgnoredScope(names=convolutions[:exact] + heads),
        )
    return quantised


def write_quantised_bundle(
    bundle: Bundle, pixels: Pixels, path: Path, exact: int = EXACT_CONVOLUTIONS
) -> Card:
    """Write the int8 form of a bundle, which `auto` may not choose yet, and return its card.

    It has the bundle's golden photos with its own logits, and no figures. Raises as `quantise_graph`.
    """
    graph = quantise_graph(bundle, pixels, exact)
    method = f"{METHOD}, the first {exact} convolutions in float32"
    made = Quantisation(graph_sha256(bundle), method, len(pixels), allowed=False, costs={})
    card = replace(with_quantisation(bundle.card, made), name=f"{bundle.card.name}.int8", metrics={})
    write_bundle(graph, replace(card, golden=()), path)
    engine = Engine(path)
    card = replace(card, golden=[_answer(check, engine) for check in card.golden])
    replace_card(path, card)
    return card


def allow(path: Path, costs: Mapping[str, Mapping[str, float]], *, allowed: bool) -> None:
    """Store in an int8 form's card what it costs, by column, and whether `auto` may choose it."""
    card = read_card(path)
    made = replace(read_quantisation(card), costs=costs, allowed=allowed)
    replace_card(path, with_quantisation(card, made))


def _answer(check: GoldenCheck, engine: Engine) -> GoldenCheck:
    answers = engine.run(prepare_photo(check.photo, engine.card.preprocessing)[None])
    logits = {column: [round(float(value), 4) for value in answers[column][0]] for column in check.logits}
    return GoldenCheck.from_png(check.photo, logits)


def restore_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model as NNCF needs it: float32 weights instead of float16 ones with casts, and named nodes."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes, restored = [], []
    for position, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}_{position}"
        if node.op_type == "Cast" and node.input[0] in weights:
            kind = helper.get_node_attr_value(node, "to")
            values = numpy_helper.to_array(weights[node.input[0]])
            restored.append(
                numpy_helper.from_array(values.astype(helper.tensor_dtype_to_np_dtype(kind)), node.output[0])
            )
        else:
            nodes.append(node)
    read = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in [*model.graph.initializer, *restored] if tensor.name in read]
    graph = helper.make_graph(nodes, model.graph.name, model.graph.input, model.graph.output, kept)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def _iter_inputs(pixels: Pixels) -> Iterator[dict[str, Pixels]]:
    for start in range(0, len(pixels) // _BATCH * _BATCH, _BATCH):
        yield {INPUT: np.ascontiguousarray(pixels[start : start + _BATCH])}


def _load_nncf() -> Any:  # noqa: ANN401 - NNCF is optional
    try:
        with _quiet():
            import nncf  # noqa: PLC0415 - only who makes an int8 form needs it
            import onnxruntime  # noqa: F401, PLC0415 - with this NNCF measures the ranges
    except ImportError:
        raise missing_extra("quantise", "making an int8 form") from None
    return nncf


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress NNCF's tables and progress bars."""
    logger = logging.getLogger("nncf")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(before)
