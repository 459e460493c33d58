"""Post-hoc logit adjustment for rare classes, as far as it costs no accuracy.

A network learns how often each class occurs and predicts the frequent ones when in doubt, so rare classes are hardly
ever predicted. Subtracting a part of the log of a class's share from its logit after training corrects this partly
(Menon et al. 2021, "Long-tail learning via logit adjustment"). The strength is chosen for each head on validation.

The best of eleven strengths looks good by chance alone: chosen on one half of 1,982 photos, it lost 0.2 to 0.4 points
of accuracy on the other half for four heads of seven, and gained nothing for three of them. So a strength has to be
significantly better.

The category levels are judged by the finished model's prediction, which is one path for all of them: a head may gain
alone what the path corrects anyway, or lose what the path had right.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from hangtag.bundle.card import Card
from hangtag.inference.calibration import calibrate
from hangtag.inference.probabilities import PathDecoder, PredictionBuilder
from hangtag.networks.multihead import ServedNetwork
from hangtag.training.data import UNKNOWN, TrainingData

STRENGTHS: Final = tuple(step / 20 for step in range(11))
"""The parts of the log share to try: 0, 0.05 ... 0.5. Beyond, accuracy falls steeply."""

_RESAMPLES: Final = 200
_PROVEN: Final = 0.95
"""The share of bootstrap resamples of validation (Efron 1979) in which the macro F1 has to improve."""

_BATCH: Final = 256

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


def lift_rare_classes(
    network: ServedNetwork, data: TrainingData, card: Card, allowed_loss: float
) -> dict[str, float]:
    """Change the biases of the heads in place. Return the chosen strength by column.

    `card` is that of the unfinished bundle, without calibration. A head's accuracy on the validation split falls by at
    most `allowed_loss`, a share of its photos.
    """
    logits = dict(_answer(network, np.asarray(data.validation.pixels)))
    targets = data.validation.targets
    levels = PathDecoder.from_card(card).levels
    strengths = {}
    for column in data.classes:
        log_shares = _log_shares(data, column)
        lifted = {part: logits[column] - part * log_shares for part in STRENGTHS}
        if column in levels:
            answers = {
                part: answer_path(card, {**logits, column: lifted[part]}, targets)[column] for part in lifted
            }
        else:
            answers = {part: values.argmax(axis=1) for part, values in lifted.items()}
        strength = choose_strength(answers, targets[column], allowed_loss)
        _lift(network, column, strength * log_shares)
        logits[column] = lifted[strength]  # the next level is judged with this change applied
        strengths[column] = strength
    return strengths


def lift_as_before(network: ServedNetwork, data: TrainingData, strengths: Mapping[str, float]) -> None:
    """Change the biases of the heads in place by strengths that were chosen for another network, by column."""
    for column, strength in strengths.items():
        _lift(network, column, strength * _log_shares(data, column))


def _log_shares(data: TrainingData, column: str) -> Floats:
    counts = count_classes(data.train.targets[column], len(data.classes[column]))
    shares: Floats = np.log(np.maximum(counts, 1) / counts.sum()).astype(np.float32)
    return shares


def _lift(network: ServedNetwork, column: str, less: Floats) -> None:
    head = network.network.heads[column]
    assert isinstance(head, nn.Linear)  # noqa: S101 - HeadedNetwork makes no others
    with torch.no_grad():
        head.bias.sub_(torch.from_numpy(less))


def answer_path(card: Card, logits: Mapping[str, Floats], targets: Mapping[str, Ints]) -> Mapping[str, Ints]:
    """Return the class indices (N,) by level of the card's chosen path, after calibration on these photos."""
    levels = [head for head in card.heads if head.column in PathDecoder.from_card(card).levels]
    calibrated = calibrate(replace(card, heads=levels, ood_detector=None), logits, targets)
    return PredictionBuilder(calibrated).build(logits).label_indices


def choose_strength(answers: Mapping[float, Ints], truth: Ints, allowed_loss: float) -> float:
    """Return the strength with the best macro F1 among those that are significantly better and cost little accuracy.

    They may cost at most `allowed_loss`, a share of the photos. If there is none, the strength is 0. `answers` holds
    class indices (N,) by strength, 0 among them, `truth` (N,) class indices or `UNKNOWN`.
    """
    known = truth != UNKNOWN
    if not known.any():
        return 0.0
    truth, answers = truth[known], {part: answer[known] for part, answer in answers.items()}
    needed = np.mean(answers[0.0] == truth) - allowed_loss
    draws = np.random.default_rng(0).integers(len(truth), size=(_RESAMPLES, len(truth)))
    before = [_macro_f1(truth[draw], answers[0.0][draw]) for draw in draws]

    def is_proven(answer: Ints) -> bool:
        after = [_macro_f1(truth[draw], answer[draw]) for draw in draws]
        return float(np.mean(np.greater(after, before))) >= _PROVEN

    cheap = [part for part in answers if part and np.mean(answers[part] == truth) >= needed]
    proven = [0.0, *(part for part in cheap if is_proven(answers[part]))]
    return max(proven, key=lambda part: _macro_f1(truth, answers[part]))


def count_classes(targets: Ints, classes: int) -> Ints:
    """Return how often each class occurs, (classes,), ignoring targets that are `UNKNOWN`."""
    return np.bincount(targets[targets != UNKNOWN], minlength=classes)


def _macro_f1(truth: Ints, answers: Ints) -> float:
    """Return the mean F1 over the classes that occur in the truth, like `macro_f1` in evaluation, but faster."""
    classes = 1 + max(int(truth.max()), int(answers.max()))
    right = np.bincount(truth[truth == answers], minlength=classes)
    true, answered = np.bincount(truth, minlength=classes), np.bincount(answers, minlength=classes)
    return float(np.mean(2 * right[true > 0] / (true + answered)[true > 0]))


@torch.no_grad()
def _answer(network: ServedNetwork, pixels: npt.NDArray[np.uint8]) -> Mapping[str, Floats]:
    """Return the logits (N, classes) of every output for photos uint8 (N, height, width, 3), in float32."""
    names = list(network.network.heads)
    parts = [
        network(torch.from_numpy(np.array(pixels[start : start + _BATCH])))
        for start in range(0, len(pixels), _BATCH)
    ]
    return {name: torch.cat(rows).numpy() for name, rows in zip(names, zip(*parts, strict=True), strict=True)}
