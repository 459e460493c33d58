"""A tiny bundle that can be adapted, and a shop's photos, drawn the same way every time."""

from dataclasses import replace

import numpy as np
from onnx import TensorProto, helper

from hangtag.bundle.card import EmbeddingCard
from hangtag.bundle.file import read_bundle, write_bundle
from hangtag.bundle.statistics import EmbeddingStatistics, write_statistics
from hangtag.inference.engine import Engine
from tiny_bundle import FEATURES, TINY_HEADS, build_tiny_card, build_tiny_graph, draw_pixels, golden_check


def build_shop_graph():
    """Return the tiny graph with its features as an additional output."""
    graph = build_tiny_graph()
    graph.graph.output.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", FEATURES]))
    return graph


def write_shop_bundle(path, *, statistics=True):
    """Write a bundle with an embedding, and statistics of 400 drawn photos, labelled with its own predictions."""
    plain = build_tiny_graph()
    card = replace(build_tiny_card(), embedding=EmbeddingCard("features", FEATURES))
    card = replace(card, golden=[golden_check(plain, card, seed) for seed in (1, 2)])
    write_bundle(build_shop_graph(), card, path)
    if statistics:
        outputs = answer(path, draw_pixels(400, seed=5))
        rows = outputs["features"]
        means, counts = {}, {}
        for column, classes in TINY_HEADS.items():
            labels = outputs[column].argmax(axis=1)
            counts[column] = np.bincount(labels, minlength=len(classes))
            means[column] = np.stack(
                [
                    rows[labels == index].mean(axis=0) if count else rows.mean(axis=0)
                    for index, count in enumerate(counts[column])
                ]
            ).astype(np.float32)
        covariance = np.cov(rows.T, bias=True).astype(np.float32)
        write_statistics(path, EmbeddingStatistics(400, rows.mean(axis=0), covariance, means, counts))
    return read_bundle(path)


def answer(model, pixels):
    """Return a model's outputs for pixels."""
    return Engine(model, precision="fp32", threads=1).run(pixels)


def draw_shop(count, seed=9):
    """Return pixels of photos that are bright above (0), red below (1) or blue at the left (2), and their kinds."""
    dice = np.random.default_rng(seed)
    kinds = dice.integers(0, 3, count)
    pixels = draw_pixels(count, seed).astype(float) * 0.3
    pixels[kinds == 0, :8] += 150
    pixels[kinds == 1, 8:, :, 0] += 150
    pixels[kinds == 2, :, :6, 2] += 150
    return pixels.clip(0, 255).astype(np.uint8), kinds
