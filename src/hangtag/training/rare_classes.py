"""Rare classes: what a head learnt of their rarity is partly taken back, as far as it costs no accuracy.

A network learns how often each class occurs and answers the frequent ones when in doubt, so that rare classes are
hardly ever answered. Taking a part of the log of a class's share off its logit, after training, undoes a part of this
(Menon et al. 2021, "Long-tail learning via logit adjustment"). How large a part is chosen for each head on validation.

The best of eleven parts looks good by chance alone: chosen on one half of 1,982 photos, it lost 0.2 to 0.4 points of
accuracy on the other half for four heads of seven, and gained nothing for three of them. So a part has to prove itself.
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

_RESAMPLES: Final = 200
_PROVEN: Final = 0.95
"""In so many of the bootstrap's resamples of validation (Efron 1979) the macro F1 has to be higher than without."""

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
    """Return the strength with the best macro F1 among those that are proven and cost little accuracy.

    That is at most `allowed_loss`, a share of the photos; without such a strength it is 0. `logits` (N, classes) are a
    head's answers, `truth` (N,) class indices or `UNKNOWN`, `log_shares` (classes,).
    """
    known = truth != UNKNOWN
    if not known.any():
        return 0.0
    truth, logits, classes = truth[known], logits[known], len(log_shares)
    answers = {part: (logits - part * log_shares).argmax(axis=1) for part in STRENGTHS}
    needed = np.mean(answers[0.0] == truth) - allowed_loss
    draws = np.random.default_rng(0).integers(len(truth), size=(_RESAMPLES, len(truth)))
    before = [_macro_f1(truth[draw], answers[0.0][draw], classes) for draw in draws]

    def is_proven(answer: Ints) -> bool:
        after = [_macro_f1(truth[draw], answer[draw], classes) for draw in draws]
        return float(np.mean(np.greater(after, before))) >= _PROVEN

    cheap = [part for part in STRENGTHS[1:] if np.mean(answers[part] == truth) >= needed]
    proven = [0.0, *(part for part in cheap if is_proven(answers[part]))]
    return max(proven, key=lambda part: _macro_f1(truth, answers[part], classes))


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
