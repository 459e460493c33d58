"""From logits to `Predictions`: calibrated, with category levels that never contradict each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from hangtag.bundle.card import Card
from hangtag.imaging.visibility import Flagged
from hangtag.inference.predictions import FLAGS, Floats, Ints, Predictions

_LEVELS_OF_A_PATH = 2


class PredictionBuilder:
    """Builds `Predictions` from a graph's outputs: calibrated, with one consistent category path."""

    def __init__(self, card: Card) -> None:
        self.card = card
        self._paths = PathDecoder.from_card(card)

    def build(self, outputs: Mapping[str, Floats], quality: Flagged | None = None) -> Predictions:
        """Return the predictions for n photos, without names; `Predictions.place` adds them.

        `outputs` holds the logits by column, float32 (n, classes), and the other outputs of the graph by name;
        `quality` holds the photos' quality flags, bool (n, quality flags), in the order of `QUALITY_FLAGS`.
        """
        probabilities, chosen = self._decode(outputs)
        columns, detector, embedding = self.card.columns, self.card.ood_detector, self.card.embedding
        photos = len(chosen[columns[0]])
        ood_score = None if detector is None else outputs[detector.output][:, 0]
        flagged = np.zeros((photos, len(FLAGS)), np.bool_)
        if detector is not None and ood_score is not None:
            flagged[:, 0] = ood_score > detector.threshold
        if quality is not None:
            flagged[:, 1:] = quality
        found = Predictions(
            card=self.card,
            names=("",) * photos,
            probabilities={column: probabilities[column] for column in columns},
            label_indices={column: chosen[column] for column in columns},
            confident_depth=np.zeros(photos, np.int64),
            flagged=flagged,
            reasons=(None,) * photos,
            details=(None,) * photos,
            ood_score=ood_score,
            embedding=None if embedding is None else outputs[embedding.output],
            logits={column: outputs[column] for column in columns},
        )
        return replace(found, confident_depth=find_confident_depth(found))

    def combine(self, photos: Predictions, starts: Ints) -> Predictions:
        """Return the predictions for products that have several photos each.

        `photos` are labelled photos with their logits, grouped by product; `starts`, (products,), is where each
        product's photos begin. A product gets the mean of its photos' logits, which is the geometric mean of their
        probabilities. From there `build` applies, as for a photo: calibration, path and confident depth. So a product
        with one photo has that photo's prediction. The quality of a product is that of its best photo.
        """
        counts = np.diff(starts, append=len(photos))[:, None].astype(np.float32)

        def mean(values: Floats) -> Floats:
            return np.asarray(np.add.reduceat(values, starts, axis=0) / counts, np.float32)

        outputs = {column: mean(values) for column, values in photos.logits.items()}
        detector, embedding = self.card.ood_detector, self.card.embedding
        if detector is not None and photos.ood_score is not None:
            outputs[detector.output] = mean(photos.ood_score[:, None])
        if embedding is not None:
            vectors = photos.embedding
            outputs[embedding.output] = (
                np.empty((len(starts), 0), np.float32) if vectors is None else mean(vectors)
            )
        return self.build(outputs, np.logical_and.reduceat(photos.flagged[:, 1:], starts, axis=0))

    def build_empty(self) -> Predictions:
        """Return the predictions for no photos."""
        return self.build(
            {name: np.empty((0, width), np.float32) for name, width in self.card.output_widths.items()}
        )

    def _decode(self, outputs: Mapping[str, Floats]) -> tuple[dict[str, Floats], dict[str, Ints]]:
        """Return the calibrated probabilities and the chosen class indices by column."""
        log_probabilities = {
            head.column: calibrated_log_probabilities(outputs[head.column], head.temperature)
            for head in self.card.heads
            if head.column not in self._paths.weights
        }
        probabilities = {column: np.exp(values) for column, values in log_probabilities.items()}
        chosen = {column: np.argmax(values, axis=1) for column, values in log_probabilities.items()}
        if self._paths.weights:
            of_levels, path = self._paths.weigh(outputs)
            return probabilities | of_levels, chosen | path
        return probabilities, chosen | self._paths.choose(log_probabilities)


def find_confident_depth(found: Predictions) -> Ints:
    """Return the number of category levels, from the root, that are confident enough for each photo, shape (n,).

    A level counts if its confidence and those of all levels above it reach their thresholds, so the answer backs off
    to the deepest trustworthy level (Deng, Krause, Berg, Fei-Fei: Hedging Your Bets, CVPR 2012). A level without a
    threshold never counts if the card states a target accuracy, and always counts if it does not.
    """
    card = found.card
    is_confident, depth = np.ones(len(found), np.bool_), np.zeros(len(found), np.int64)
    for level in found.levels:
        threshold = card.head(level).threshold
        if threshold is not None:
            is_confident &= found.confidence(level) >= threshold
        elif card.target_accuracy is not None:
            is_confident[:] = False
        depth += is_confident
    return depth


def calibrated_log_probabilities(
    logits: npt.NDArray[np.float32], temperature: float
) -> npt.NDArray[np.float32]:
    """Return `log(softmax(logits / temperature))`, float32 of the same shape (n, classes)."""
    scaled = logits / np.float32(temperature)
    scaled -= scaled.max(axis=1, keepdims=True)
    scaled -= np.log(np.exp(scaled).sum(axis=1, keepdims=True))
    return scaled


@dataclass(frozen=True, slots=True)
class PathDecoder:
    """The taxonomy's paths as class indices: for each category level of the model, an array of shape (paths,).

    `weights` are the weights of each level's logits in the score of a path. They are empty for a model whose levels
    were calibrated separately.
    """

    levels: Mapping[str, npt.NDArray[np.int64]]
    weights: Mapping[str, float] = field(default_factory=dict)
    _groups: Mapping[str, "_Groups"] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        groups = {level: _Groups.of(classes) for level, classes in self.levels.items()}
        object.__setattr__(self, "_groups", groups)

    @classmethod
    def from_card(cls, card: Card) -> "PathDecoder":
        """Build from the levels that the model has a head for. A single level has nothing to be consistent with."""
        answered = [
            (position, level) for position, level in enumerate(card.taxonomy.levels) if level in card.columns
        ]
        if len(answered) < _LEVELS_OF_A_PATH or not card.taxonomy.paths:
            return cls({})
        paths = sorted({tuple(path[position] for position, _ in answered) for path in card.taxonomy.paths})
        indices = {level: _positions(card.head(level).classes) for _, level in answered}
        weights = {level: card.head(level).path_weight for _, level in answered}
        return cls(
            {
                level: np.array([indices[level][path[depth]] for path in paths], np.int64)
                for depth, (_, level) in enumerate(answered)
            },
            {level: weight for level, weight in weights.items() if weight is not None},
        )

    def choose(
        self, log_probabilities: Mapping[str, npt.NDArray[np.float32]]
    ) -> dict[str, npt.NDArray[np.int64]]:
        """Return the chosen class index by level, each of shape (n,): the path whose labels are jointly most likely.

        `log_probabilities` holds an array (n, classes) for each level. Empty if the model has fewer than two levels.
        """
        if not self.levels:
            return {}
        scores = sum(log_probabilities[level][:, classes] for level, classes in self.levels.items())
        best = np.argmax(scores, axis=1)
        return {level: classes[best] for level, classes in self.levels.items()}

    def weigh(
        self, logits: Mapping[str, npt.NDArray[np.float32]]
    ) -> tuple[dict[str, npt.NDArray[np.float32]], dict[str, npt.NDArray[np.int64]]]:
        """Return by level the probabilities, float32 (n, classes), and the chosen class index, shape (n,).

        The probability of a path is the softmax, over all paths, of the weighted sum of its labels' logits. That of a
        label is the sum over the paths that contain it, so a label with one parent is never more likely than the
        parent.
        """
        # `take` always returns C-contiguous rows. `[:, classes]` does so only for a single photo, and other layouts are
        # summed in another order.
        scores = sum(
            np.float32(self.weights[level]) * np.take(logits[level], classes, axis=1)
            for level, classes in self.levels.items()
        )
        log_shares = calibrated_log_probabilities(np.asarray(scores, np.float32), 1.0)
        best, shares = np.argmax(log_shares, axis=1), np.exp(log_shares)
        probabilities = {
            level: groups.add_up(shares, logits[level].shape[1]) for level, groups in self._groups.items()
        }
        return probabilities, {level: classes[best] for level, classes in self.levels.items()}


@dataclass(frozen=True, slots=True)
class _Groups:
    """Which paths contain which class of one level: `order` sorts the paths by class, `starts` is where each begins."""

    order: Ints
    present: Ints
    starts: Ints

    @classmethod
    def of(cls, classes: Ints) -> "_Groups":
        order = np.argsort(classes, kind="stable")
        return cls(order, *np.unique(classes[order], return_index=True))

    def add_up(self, shares: Floats, count: int) -> Floats:
        """Sum the shares (n, paths) of the paths that contain each of `count` classes: (n, classes).

        A matrix product would round differently for other n.
        """
        sums = np.zeros((len(shares), count), np.float32)
        sums[:, self.present] = np.minimum(np.add.reduceat(shares[:, self.order], self.starts, axis=1), 1)
        return sums


def _positions(classes: Sequence[str]) -> dict[str, int]:
    return {name: index for index, name in enumerate(classes)}
