"""From a trained network to the ONNX graph that is served, with half-precision weights where the recipe says so."""

import contextlib
import io
import warnings
from typing import Any, Final

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from hangtag.domain.errors import TrainingError
from hangtag.networks.multihead import ServedNetwork
from hangtag.training.recipe import Recipe

EMBEDDING_OUTPUT: Final = "embedding"
"""The output of the graph that holds the backbone's features."""

_OPSET: Final = 18
_SMALL: Final = (
    256  # tensors under this many values stay in float32: there is nothing to save, and biases matter
)


def export_graph(network: ServedNetwork, recipe: Recipe) -> onnx.ModelProto:
    """Return the ONNX graph: input `photos` uint8 (N, height, width, 3), one float32 output of logits per head.

    The last output is `EMBEDDING_OUTPUT`, float32 (N, features), unless the recipe leaves it out.
    Batch normalisation is folded into the convolutions. Raises `TrainingError` when torch cannot translate the network.
    """
    example = torch.zeros(2, recipe.preprocessing.height, recipe.preprocessing.width, 3, dtype=torch.uint8)
    served = ServedNetwork(network.normalise, network.network, embeds=recipe.export.embedding).eval()
    count = torch.export.Dim("count", min=1, max=65536)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):  # the exporter narrates itself
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            served.to(memory_format=torch.contiguous_format),
            (example,),
            dynamo=True,
            input_names=["photos"],
            output_names=[*network.network.heads, *([EMBEDDING_OUTPUT] if served.embeds else [])],
            dynamic_shapes=({0: count},),
            opset_version=_OPSET,
        )
    if program is None:
        raise TrainingError("torch could not translate the network to ONNX")
    model: onnx.ModelProto = program.model_proto
    _forget_the_making(model)
    if recipe.export.weights == "float16":
        store_weights_as_float16(model)
    onnx.checker.check_model(model)
    return model


def store_weights_as_float16(model: onnx.ModelProto) -> None:
    """Halve the file, in place: large float32 weights are stored as float16 and cast back when the graph is loaded.

    Raises `TrainingError` for a weight that float16 cannot hold.
    """
    casts = []
    for position, tensor in enumerate(model.graph.initializer):
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < _SMALL:
            continue
        halved = values.astype(np.float16)
        if not np.isfinite(halved).all():
            raise TrainingError(
                f"the weight {tensor.name} does not fit into float16", fix='Set weights = "float32".'
            )
        stored = f"{tensor.name}.float16"
        casts.append(helper.make_node("Cast", [stored], [tensor.name], to=TensorProto.FLOAT))
        model.graph.initializer[position].CopyFrom(numpy_helper.from_array(halved, stored))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _forget_the_making(model: onnx.ModelProto) -> None:
    """Remove what the exporter notes about the maker's source files; it is nobody's business and changes every time."""
    graph = model.graph
    described: list[Any] = [
        model,
        graph,
        *graph.node,
        *graph.input,
        *graph.output,
        *graph.value_info,
        *graph.initializer,
    ]
    for part in described:
        del part.metadata_props[:]
        part.doc_string = ""
    del graph.value_info[:]
