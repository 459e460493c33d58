"""Interpreting a training history: underfitting, overfitting, and where they start."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hangtag.bundle.card import Card
from hangtag.evaluation.reading import percent

LEVEL: Final = 0.01
"""A loss that changes by a smaller share has levelled off."""
LARGE_GAP: Final = 0.05
SMALL_GAP: Final = 0.02
"""The gap between training and validation accuracy that is too small to matter."""

Epochs = Sequence[Mapping[str, Any]]
"""The history of a card: an object for each epoch."""

LOSSES: Final = ("train_loss", "validation_loss")
ACCURACIES: Final = ("train_top1_accuracy", "validation_top1_accuracy")


def read_training(card: Card) -> list[str]:
    """Return sentences on a model's training history, and whether the model is from before overfitting began."""
    optimisation = card.recipe.get("optimisation", {})
    sentences = read_history(card.history)
    best = _best_epoch(card.history)
    if optimisation.get("patience", 0) and best is not None and best < len(card.history):
        sentences.append(
            f"The training was stopped early, and the model has the weights of epoch {best}, its best: what came after "
            "it did no harm."
        )
    return sentences


def _best_epoch(history: Epochs) -> int | None:
    """Return the number of the epoch with the lowest validation loss; None if it is unknown."""
    losses = [row.get(LOSSES[1]) for row in history]
    known = [float(loss) for loss in losses if loss is not None]
    return losses.index(min(known)) + 1 if known else None


def read_history(history: Epochs) -> list[str]:
    """Return sentences on over- and underfitting, from the losses and accuracies of a training."""
    if not history:
        return ["The card holds no history of the training, so nothing can be said about its curves."]
    if len(history) == 1:
        return ["The model was trained for one epoch only: there is no curve to read."]
    return [*_read_losses(history), *_read_gap(history)]


def curve(history: Epochs, name: str) -> tuple[list[float], list[float]]:
    """Return the epochs and values recorded under a name; epochs without it are left out."""
    points = [
        (row.get("epoch", number), row[name]) for number, row in enumerate(history, start=1) if name in row
    ]
    return [float(epoch) for epoch, _ in points], [float(value) for _, value in points]


def _read_losses(history: Epochs) -> Iterator[str]:
    rows = [row for row in history if all(name in row for name in LOSSES)]
    if len(rows) < 2:  # noqa: PLR2004 - two points make a curve
        return
    train, validation = ([float(row[name]) for row in rows] for name in LOSSES)
    best, epochs = validation.index(min(validation)), len(rows)
    lowest, last = validation[best], validation[-1]
    if best == epochs - 1:
        still = validation[-2] - last > LEVEL * validation[-2]
        yield (
            f"Validation loss was still falling in the last of {epochs} epochs ({validation[-2]:.3f} to {last:.3f}): "
            "the model is underfitted, and more epochs would probably help."
            if still
            else f"Validation loss was lowest in the last of {epochs} epochs ({last:.3f}) and hardly fell any more: "
            "training longer would change little."
        )
    elif last - lowest <= LEVEL * lowest:
        yield (
            f"Validation loss was lowest in epoch {best + 1} of {epochs} ({lowest:.3f}) and stayed level after it: "
            "training longer would change little."
        )
    else:
        turned = f"Validation loss rose again after epoch {best + 1} of {epochs}, from {lowest:.3f} up to {last:.3f}"
        if train[-1] >= train[best]:
            yield f"{turned}, and training loss did not fall either: the training was unsteady, not overfitted."
            return
        yield (
            f"{turned}, while training loss went on falling ({train[best]:.3f} to {train[-1]:.3f}): from there on the "
            "model memorised its training photos, which is overfitting."
        )
        yield from _read_accuracy_since(rows[best], rows[-1])


def _read_accuracy_since(best: Mapping[str, Any], last: Mapping[str, Any]) -> Iterator[str]:
    """Return whether overfitting reduced accuracy. A model may become over-confident without getting worse."""
    name = ACCURACIES[1]
    if name not in best or name not in last:
        return
    before, after = float(best[name]), float(last[name])
    if after >= before:
        yield (
            f"Its answers to validation photos did not suffer ({percent(before)} right then, {percent(after)} at the "
            "end): it became over-confident rather than worse."
        )
    else:
        yield f"Right answers to validation photos fell with it, from {percent(before)} to {percent(after)}."


def _read_gap(history: Epochs) -> Iterator[str]:
    last = history[-1]
    if not all(name in last for name in ACCURACIES):
        return
    train, validation = (float(last[name]) for name in ACCURACIES)
    gap = train - validation
    says = (
        f"In the last epoch {percent(train)} of the answers to training photos were right and {percent(validation)} of "
        "those to validation photos"
    )
    if gap > LARGE_GAP:
        yield f"{says}: a gap of {100 * gap:.1f} points, which is overfitting."
    elif gap > SMALL_GAP:
        yield f"{says}: a small gap of {100 * gap:.1f} points."
    elif gap >= -SMALL_GAP:
        yield f"{says}: hardly any gap."
    else:
        yield f"{says}: augmentation and dropout make training photos harder."
