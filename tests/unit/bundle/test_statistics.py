import numpy as np
import pytest

from hangtag.bundle.file import read_bundle, read_card, replace_metadata_of, write_bundle
from hangtag.bundle.statistics import STATISTICS_KEY, EmbeddingStatistics, read_statistics, write_statistics
from hangtag.domain.errors import BundleError
from tiny_bundle import build_tiny_card, build_tiny_graph

SIZE = 24


def draw_statistics() -> EmbeddingStatistics:
    """Statistics of 500 drawn embeddings, whose dimensions differ by orders of magnitude."""
    dice = np.random.default_rng(1)
    rows = dice.normal(size=(500, SIZE)) @ dice.normal(size=(SIZE, SIZE)) * np.logspace(-3, 3, SIZE) + 5
    labels = dice.integers(0, 3, 500)
    means = np.stack([rows[labels == label].mean(axis=0) for label in range(3)])
    return EmbeddingStatistics(
        500,
        rows.mean(axis=0).astype(np.float32),
        np.cov(rows.T, bias=True).astype(np.float32),
        {"gender": means.astype(np.float32)},
        {"gender": np.bincount(labels)},
    )


@pytest.fixture
def path(tmp_path):
    graph = build_tiny_graph()
    write_bundle(graph, build_tiny_card(graph), tmp_path / "tiny.onnx")
    return tmp_path / "tiny.onnx"


def test_statistics_survive_the_file_to_half_precision_and_leave_the_card(path):
    card, made = read_card(path), draw_statistics()
    assert read_statistics(path) is None
    write_statistics(path, made)
    found = read_statistics(path)
    assert found.photos == 500
    assert np.array_equal(found.mean, made.mean)
    deviation = np.sqrt(np.diag(made.covariance))
    scale = np.outer(deviation, deviation)
    assert np.abs((found.covariance - made.covariance) / scale).max() < 1e-3
    assert np.array_equal(found.covariance, found.covariance.T)
    assert np.abs((found.class_means["gender"] - made.class_means["gender"]) / deviation).max() < 1e-3
    assert found.counts["gender"].tolist() == made.counts["gender"].tolist()
    assert read_card(path) == card
    assert read_statistics(read_bundle(path)).photos == 500


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 2}', '{"format": 1, "size": 3, "data": "!"}'])
def test_broken_statistics_are_a_bundle_error(path, text):
    replace_metadata_of(path, STATISTICS_KEY, text)
    with pytest.raises(BundleError, match="statistics of the embeddings are broken"):
        read_statistics(path)
