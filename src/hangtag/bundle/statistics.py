"""Statistics of the embeddings of a model's train photos, which adapting needs.

They are separate from the card in the file's metadata, since they are large and rarely needed: the means of the
embeddings by class, and their covariance, in half precision.
"""

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hangtag.bundle.file import Bundle, read_bundle, replace_metadata_of
from hangtag.bundle.graph import read_metadata
from hangtag.domain.errors import BundleError

STATISTICS_KEY: Final = "hangtag.statistics"
"""The key of the statistics in the ONNX metadata."""

_FORMAT: Final = 1
_SMALLEST_DEVIATION: Final = 1e-6

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class EmbeddingStatistics:
    """The embeddings of the train photos: their `mean` (d,), their `covariance` (d, d), and the means of classes.

    `class_means` float32 (classes, d) and `counts` int64 (classes,) are by column, in the order of the card's classes.
    A class without photos has the overall mean. The covariance is around the mean of all `photos`. For the photos with
    a known label in a column, the between-class part is the weighted covariance of the class means.
    """

    photos: int
    mean: Floats
    covariance: Floats
    class_means: Mapping[str, Floats]
    counts: Mapping[str, npt.NDArray[np.int64]]


def write_statistics(path: Path, statistics: EmbeddingStatistics) -> None:
    """Put statistics into the bundle at `path`, atomically. Graph and card stay unchanged."""
    replace_metadata_of(path, STATISTICS_KEY, render_statistics(statistics))


def read_statistics(bundle: Bundle | Path) -> EmbeddingStatistics | None:
    """Return the statistics of a bundle; None if it has none. Raises `BundleError` if they are broken."""
    found = bundle if isinstance(bundle, Bundle) else read_bundle(bundle)
    text = read_metadata(found.model_bytes).get(STATISTICS_KEY)
    if text is None:
        return None
    try:
        return parse_statistics(text)
    except (ValueError, KeyError, TypeError, zlib.error, binascii.Error):
        raise BundleError("the statistics of the embeddings are broken", where=found.path) from None


def render_statistics(statistics: EmbeddingStatistics) -> str:
    """Return the statistics as text. Values are scaled by each dimension's standard deviation to fit float16."""
    deviation = np.sqrt(np.maximum(np.diag(statistics.covariance), _SMALLEST_DEVIATION**2))
    correlation = statistics.covariance / np.outer(deviation, deviation)
    parts = [correlation[np.triu_indices(len(deviation))]]
    parts += [((means - statistics.mean) / deviation).ravel() for means in statistics.class_means.values()]
    exact = np.stack([statistics.mean, deviation]).astype("<f4").tobytes()
    halved = np.concatenate(parts).astype("<f2").tobytes()
    return json.dumps(
        {
            "format": _FORMAT,
            "photos": statistics.photos,
            "size": len(deviation),
            "counts": {column: counts.tolist() for column, counts in statistics.counts.items()},
            "data": base64.b64encode(zlib.compress(exact + halved, 9)).decode("ascii"),
        }
    )


def parse_statistics(text: str) -> EmbeddingStatistics:
    """Build from the result of `render_statistics`. Raises `ValueError`, `KeyError` or `TypeError` for other text."""
    values: dict[str, Any] = json.loads(text)
    if values["format"] != _FORMAT:
        raise ValueError(f"the statistics have the format {values['format']}")
    size, data = int(values["size"]), zlib.decompress(base64.b64decode(values["data"], validate=True))
    mean, deviation = np.frombuffer(data, "<f4", 2 * size).reshape(2, size).astype(np.float32)
    halved = np.frombuffer(data, "<f2", offset=8 * size).astype(np.float32)
    counts = {column: np.array(numbers, np.int64) for column, numbers in values["counts"].items()}
    triangle = np.triu_indices(size)
    sizes = [len(triangle[0]), *(len(numbers) * size for numbers in counts.values())]
    if len(halved) != sum(sizes):
        raise ValueError(f"{len(halved)} numbers instead of {sum(sizes)}")
    upper, *means = np.split(halved, np.cumsum(sizes)[:-1])
    correlation = np.empty((size, size), np.float32)
    correlation[triangle] = upper
    correlation.T[triangle] = upper
    class_means = {
        column: rows.reshape(-1, size) * deviation + mean for column, rows in zip(counts, means, strict=True)
    }
    covariance = correlation * np.outer(deviation, deviation)
    return EmbeddingStatistics(int(values["photos"]), mean, covariance, class_means, counts)
