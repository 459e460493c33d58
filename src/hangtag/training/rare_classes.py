"""Rare classes: what a head learnt of their rarity is partly taken back, as far as it costs no accuracy.

A network learns how often each class occurs and answers the frequent ones when in doubt, so that rare classes are
hardly ever answered. Taking a part of the log of a class's share off its logit, after training, undoes a part of this
(Menon et al. 2021, "Long-tail learning via logit adjustment"). How large a part is chosen for each head on validation.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from hangtag.networks.multihead import ServedNetwork
from hangtag.training.data import UNKNOWN, TrainingData

STRENGTHS: Final = tuple(step / 20 for step in range(11))
"""The parts of the log share that are tried: 0, 0.05 ... 0.5. Beyond, accuracy falls steeply."""

_BATCH: Final = 256

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


def lift_rare_classes(network: ServedNetwork, data: TrainingData, allowed_loss: float) -> dict[str, float]:
    """Change the biases of the heads in place; return the chosen strength by column.

    A head's accuracy on the validation split falls by at most `allowed_loss`, a share of its photos.
    """
    logits = _answer(network, np.asarray(data.validation.pixels))
    strengths = {}
    for column, classes in data.classes.items():
        shares = count_classes(data.train.targets[column], len(classes))
        log_shares = np.log(np.maximum(shares, 1) / shares.sum()).astype(np.float32)
        truth = data.validation.targets[column]
        strength = choose_strength(logits[column], truth, log_shares, allowed_loss)
        head = network.network.heads[column]
        assert isinstance(head, nn.Linear)  # noqa: S101 - HeadedNetwork makes no others
        with torch.no_grad():
            head.bias.sub_(strength * torch.from_numpy(log_shares))
        strengths[column] = strength
    return strengths


def choose_strength(logits: Floats, truth: Ints, log_shares: Floats, allowed_loss: float) -> float:
    """Return the strength with the best macro F1 among those that cost at most `allowed_loss` of the accuracy.

    `logits` (N, classes) are a head's answers, `truth` (N,) class indices or `UNKNOWN`, `log_shares` (classes,).
    """
    known = truth != UNKNOWN
    if not known.any():
        return 0.0
    answers = {part: (logits[known] - part * log_shares).argmax(axis=1) for part in STRENGTHS}
    accuracies = {part: float(np.mean(answer == truth[known])) for part, answer in answers.items()}
    allowed = [part for part in STRENGTHS if accuracies[part] >= accuracies[0.0] - allowed_loss]
    return max(allowed, key=lambda part: _macro_f1(truth[known], answers[part], len(log_shares)))


def count_classes(targets: Ints, classes: int) -> Ints:
    """Return how often each class occurs, (classes,); targets that are `UNKNOWN` do not count."""
    return np.bincount(targets[targets != UNKNOWN], minlength=classes)


def _macro_f1(truth: Ints, answers: Ints, classes: int) -> float:
    """Return the mean F1 over the classes that occur in the truth or the answers."""
    right = np.bincount(truth[truth == answers], minlength=classes)
    both = np.bincount(truth, minlength=classes) + np.bincount(answers, minlength=classes)
    return float(np.mean(2 * right[both > 0] / both[both > 0]))


@torch.no_grad()
def _answer(network: ServedNetwork, pixels: npt.NDArray[np.uint8]) -> Mapping[str, Floats]:
    """Return the logits (N, classes) of every output for photos uint8 (N, height, width, 3), in float32."""
    names = list(network.network.heads)
    parts = [
        network(torch.from_numpy(np.array(pixels[start : start + _BATCH])))
        for start in range(0, len(pixels), _BATCH)
    ]
    return {name: torch.cat(rows).numpy() for name, rows in zip(names, zip(*parts, strict=True), strict=True)}
