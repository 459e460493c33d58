"""From logits to calibrated probabilities, and to the candidates that a reader is shown."""

import numpy as np
import numpy.typing as npt


def calibrated_log_probabilities(
    logits: npt.NDArray[np.float32], temperature: float
) -> npt.NDArray[np.float32]:
    """Return `log(softmax(logits / temperature))`, float32 of the same shape (n, classes)."""
    scaled = logits / np.float32(temperature)
    scaled -= scaled.max(axis=1, keepdims=True)
    scaled -= np.log(np.exp(scaled).sum(axis=1, keepdims=True))
    return scaled


def rank(
    probabilities: npt.NDArray[np.float32], chosen: npt.NDArray[np.int64], top_k: int
) -> npt.NDArray[np.int64]:
    """Return class indices, shape (n, min(top_k, classes)): the chosen one, then the most probable others."""
    order = np.array(probabilities)
    np.put_along_axis(order, chosen[:, None], np.inf, axis=1)
    return np.argsort(-order, axis=1, kind="stable")[:, :top_k]
