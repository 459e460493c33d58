"""A real bundle, small enough for every test to make: two convolutions and three heads, verified with onnx.

The golden logits come from onnx's own reference evaluator, which shares no code with the engine.
"""

import io

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from PIL import Image

from hangtag.bundle.card import Card, GoldenCheck, HeadCard
from hangtag.domain.taxonomy import Taxonomy
from hangtag.imaging.preprocess import Preprocessing, prepare_photo

HEIGHT, WIDTH = 16, 12
TINY_HEADS = {
    "masterCategory": ("Apparel", "Footwear", "Accessories"),
    "articleType": ("Tshirts", "Jeans", "Shoes", "Watches", "Socks"),
    "gender": ("Men", "Women"),
}
TINY_TAXONOMY = Taxonomy.from_paths(
    ("masterCategory", "subCategory", "articleType"),
    [
        ("Apparel", "Topwear", "Tshirts"),
        ("Apparel", "Bottomwear", "Jeans"),
        ("Apparel", "Socks", "Socks"),
        ("Footwear", "Shoes", "Shoes"),
        ("Footwear", "Socks", "Socks"),
        ("Accessories", "Watches", "Watches"),
    ],
)
FEATURES = 8


def build_tiny_graph(classes=None, height=HEIGHT, width=WIDTH, seed=0):
    """Return an ONNX model with the given classes by column and weights from the seed."""
    columns = TINY_HEADS if classes is None else classes
    dice = np.random.default_rng(seed)

    def weights(name, *shape):
        return numpy_helper.from_array(dice.normal(0, 0.5, shape).astype(np.float32), name)

    initializers = [
        numpy_helper.from_array(np.float32(64), "scale"),
        weights("conv1", FEATURES, 3, 3, 3),
        weights("conv2", FEATURES, FEATURES, 3, 3),
    ]
    nodes = [
        helper.make_node("Cast", ["photos"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["numbers", "scale"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "conv1"], ["first"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["first"], ["first_up"]),
        helper.make_node("Conv", ["first_up", "conv2"], ["second"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["second"], ["second_up"]),
        helper.make_node("GlobalAveragePool", ["second_up"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["features"]),
    ]
    outputs = []
    for column, names in columns.items():
        initializers += [
            weights(f"{column}.weight", FEATURES, len(names)),
            weights(f"{column}.bias", len(names)),
        ]
        nodes.append(helper.make_node("Gemm", ["features", f"{column}.weight", f"{column}.bias"], [column]))
        outputs.append(helper.make_tensor_value_info(column, TensorProto.FLOAT, ["N", len(names)]))
    photos = helper.make_tensor_value_info("photos", TensorProto.UINT8, ["N", height, width, 3])
    graph = helper.make_graph(nodes, "tiny", [photos], outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def build_tiny_card(graph=None, classes=None, **changes):
    """Return the card of a tiny graph; with a graph, it holds two golden photos."""
    columns = TINY_HEADS if classes is None else classes
    known = {level for level in TINY_TAXONOMY.levels if level in columns}
    values = {
        "name": "tiny",
        "version": "1",
        "description": "Answers drawn patterns.",
        "licence": "MIT",
        "created": "2025-03-04",
        "architecture": "tiny",
        "recipe": {"seed": 0},
        "heads": [HeadCard(column, names) for column, names in columns.items()],
        "taxonomy": TINY_TAXONOMY if known else Taxonomy((), ()),
        "preprocessing": Preprocessing(width=WIDTH, height=HEIGHT, detail_width=24, detail_height=32),
        "golden_tolerance": 1e-3,
        "precisions": ("fp32", "bf16"),
    }
    card = Card(**(values | changes))
    if graph is None or "golden" in changes:
        return card
    return Card(**(values | changes | {"golden": [golden_check(graph, card, seed) for seed in (1, 2)]}))


def golden_check(graph, card, seed):
    """Run a drawn photo through onnx's reference evaluator."""
    png = draw_png(seed)
    logits = reference_logits(graph, prepare_photo(png, card.preprocessing)[None])
    return GoldenCheck.from_png(
        png, {column: [float(value) for value in rows[0]] for column, rows in logits.items()}
    )


def reference_logits(graph, pixels):
    """Return the logits by column from onnx's reference evaluator."""
    names = [output.name for output in graph.graph.output]
    return dict(zip(names, ReferenceEvaluator(graph).run(names, {"photos": pixels}), strict=True))


def draw_pixels(count, seed=0, height=HEIGHT, width=WIDTH):
    """Return pixels of drawn patterns, uint8 of shape (count, height, width, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def draw_png(seed=0, size=(24, 32)):
    """Return the bytes of a PNG photo of coloured blocks."""
    blocks = Image.fromarray(draw_pixels(1, seed, 4, 3)[0])
    file = io.BytesIO()
    blocks.resize(size, Image.Resampling.NEAREST).save(file, "PNG")
    return file.getvalue()
