"""Compare ways to adapt a model to a new shop: accuracy by the number of labels, and the loss on the original photos.

    python bench/adapting.py MODEL SHOP [MODEL SHOP ...] --home CATALOGUE [--cache FOLDER] [--seeds 3] [--plot FILE]

A SHOP is a catalogue of any form that the MODEL before it did not learn from. 35 % of it is held out for measuring. The
rest gives the labels, article type, in random order or as suggested. --home is a catalogue like the models' training
photos that they did not learn from, to measure what is lost there. Model outputs are cached as NAME.npz in the folder
`embeddings` next to it, or in --cache. Needs the extra `train` for the methods that are not hangtag's own.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from rich.table import Table
from scipy.optimize import minimize

from hangtag.adapting.examples import group_alike
from hangtag.adapting.fitting import BaseMetric, Labelled, fit_shift
from hangtag.adapting.suggesting import Suggester
from hangtag.bundle.file import Bundle, read_bundle
from hangtag.bundle.statistics import EmbeddingStatistics, read_statistics
from hangtag.cli.console import open_console
from hangtag.inference.engine import Engine
from hangtag.pipelines.adapt import read_examples

COLUMN: Final = "articleType"
LABELS: Final = (25, 50, 100, 200, 500, 1000)
TESTED: Final = 0.35
STEP: Final = 25
NEVER: Final = -1e9

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Photos:
    """Embeddings (n, d), the model's logits (n, classes), and true class indices (n,)."""

    embedding: Floats
    logits: Floats
    targets: Ints

    def take(self, chosen: Ints) -> "Photos":
        """Return some of the photos, by their positions."""
        return Photos(self.embedding[chosen], self.logits[chosen], self.targets[chosen])


Scores = npt.NDArray[np.floating[Any]]
Answer = Callable[[Photos], Scores]
Method = Callable[[Photos, "Base"], Answer]


@dataclass(frozen=True)
class Base:
    """What a method may know about the photos that the model learned from."""

    statistics: EmbeddingStatistics
    metric: BaseMetric

    @property
    def means(self) -> Floats:
        """The mean embedding of each class, (classes, d)."""
        return self.statistics.class_means[COLUMN]

    @cached_property
    def whitening(self) -> Floats:
        """The transform that makes embeddings vary equally in all directions within a class, (d, d)."""
        counts = self.statistics.counts[COLUMN]
        shares = counts / counts.sum()
        around = self.means - shares @ self.means
        within = self.statistics.covariance - (around * shares[:, None]).T @ around
        values, axes = np.linalg.eigh(within)
        # The covariance is over all photos, the between-class part only over photos with a known class.
        # Along some axes the difference is negative, which must not count as zero variance.
        values = np.maximum(values, 0)
        whitening: Floats = (axes / np.sqrt(0.4 * values + 0.6 * values.mean())).astype(np.float32)
        return whitening


def as_it_is(_shop: Photos, _base: Base) -> Answer:
    """Return the unchanged head."""
    return lambda photos: photos.logits


def anchored(shop: Photos, base: Base) -> Answer:
    """Return hangtag's method: logistic regression starting from the head's logits, with a penalty on base photos."""
    rows = Labelled(base.metric.rotate(shop.embedding), shop.logits, shop.targets, shop.logits.shape[1])
    shift = fit_shift(base.metric, rows)
    return lambda photos: shift.apply(photos.embedding, photos.logits)


def unheld(shop: Photos, base: Base) -> Answer:
    """Return logistic regression starting from the head's logits, without a penalty."""
    rows = Labelled(base.metric.rotate(shop.embedding), shop.logits, shop.targets, shop.logits.shape[1])
    shift = fit_shift(base.metric, rows, penalty=0.0)
    return lambda photos: shift.apply(photos.embedding, photos.logits)


def probe(shop: Photos, base: Base) -> Answer:
    """Return a logistic regression on the shop's labels alone."""
    classes, targets = np.unique(shop.targets, return_inverse=True)
    scale = np.sqrt(np.trace(base.statistics.covariance)) / 3

    def features(photos: Photos) -> Floats:
        rows = (photos.embedding - base.statistics.mean) / scale
        widened: Floats = np.c_[rows, np.ones(len(rows))].astype(np.float32)
        return widened

    rows = features(shop)

    def loss(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        weights = flat.reshape(rows.shape[1], len(classes)).astype(np.float32)
        scores = rows @ weights
        scores -= scores.max(axis=1, keepdims=True)
        shares = np.exp(scores)
        shares /= shares.sum(axis=1, keepdims=True)
        value = -np.log(shares[np.arange(len(targets)), targets] + 1e-30).sum() + 0.5 * (weights**2).sum()
        shares[np.arange(len(targets)), targets] -= 1
        return float(value), (rows.T @ shares + weights).ravel().astype(np.float64)

    found = minimize(
        loss, np.zeros(rows.shape[1] * len(classes)), jac=True, method="L-BFGS-B", options={"maxiter": 40}
    )
    weights = found.x.reshape(rows.shape[1], len(classes)).astype(np.float32)

    def answer(photos: Photos) -> Floats:
        scores = np.full((len(photos.targets), shop.logits.shape[1]), NEVER, np.float32)
        scores[:, classes] = features(photos) @ weights
        return scores

    return answer


def streaming_lda(shop: Photos, base: Base) -> Answer:
    """Return linear discriminants over the base's means, each worth three photos, and the shop's own."""
    whitening, worth = base.whitening, 3.0
    counts = np.bincount(shop.targets, minlength=len(base.means))
    sums = np.zeros_like(base.means)
    np.add.at(sums, shop.targets, shop.embedding)
    past = np.where(base.statistics.counts[COLUMN] > 0, worth, 0)
    total = past + counts
    means = ((past[:, None] * base.means + sums) / np.maximum(total, 1e-9)[:, None]) @ whitening
    offset = np.where(total > 0, -0.5 * (means**2).sum(axis=1), NEVER)
    return lambda photos: photos.embedding @ whitening @ means.T + offset


def cache_model(shop: Photos, base: Base) -> Answer:
    """Return the head combined with a cache of the shop's photos (Zhang et al.: Tip-Adapter, ECCV 2022)."""

    def direction(rows: Floats) -> Floats:
        around = rows - base.statistics.mean
        unit: Floats = around / np.linalg.norm(around, axis=1, keepdims=True)
        return unit

    keys, sharp, much = direction(shop.embedding), 5.0, 30.0
    values = np.eye(shop.logits.shape[1], dtype=np.float32)[shop.targets]
    return lambda photos: (
        photos.logits + much * np.exp(-sharp * (1 - direction(photos.embedding) @ keys.T)) @ values
    )


METHODS: Final[Mapping[str, Method]] = {
    "as it is": as_it_is,
    "shop alone (logistic regression)": probe,
    "streaming LDA": streaming_lda,
    "cache (Tip-Adapter)": cache_model,
    "from the head on, not held": unheld,
    "from the head on, held (hangtag)": anchored,
}


def load(bundle: Bundle, path: Path, cache: Path) -> Photos:
    """Return a catalogue's photos with a known article type that the model has, without near duplicates."""
    file = cache / f"{path.name}.npz"
    embedding = bundle.card.embedding
    if embedding is None:
        raise SystemExit("this model has no embedding to adapt from")
    if not file.exists():
        examples, _ = read_examples(Engine(bundle, precision="fp32"), [path], bundle.card.columns)
        cache.mkdir(parents=True, exist_ok=True)
        labels: dict[str, Any] = {
            f"y_{column}": np.array([label or "" for label in said])
            for column, said in examples.labels.items()
        }
        outputs: dict[str, Any] = {f"o_{name}": values for name, values in examples.outputs.items()}
        np.savez(file, **outputs, **labels)
    stored = np.load(file)
    indices = {label: index for index, label in enumerate(bundle.card.head(COLUMN).classes)}
    targets = np.array([indices.get(label, -1) for label in stored[f"y_{COLUMN}"]])
    rows = stored[f"o_{embedding.output}"].astype(np.float32)
    photos = Photos(rows[targets >= 0], stored[f"o_{COLUMN}"][targets >= 0], targets[targets >= 0])
    first = np.unique(group_alike(photos.embedding), return_index=True)[1]
    return photos.take(first.astype(np.int64))


def split(photos: Photos, seed: int) -> tuple[Photos, Photos]:
    """Return the photos that give labels, and those to measure on."""
    order = np.random.default_rng(seed).permutation(len(photos.targets))
    tested = int(TESTED * len(order))
    return photos.take(order[tested:]), photos.take(order[:tested])


def accuracy(answer: Answer, photos: Photos) -> float:
    """Return the accuracy in per cent."""
    return 100 * float((answer(photos).argmax(axis=1) == photos.targets).mean())


def measure(
    method: Method, shop: Photos, home: Photos, base: Base, seeds: int
) -> dict[int, tuple[float, float, float]]:
    """Return by number of labels the accuracy on the shop and at home, and the processor seconds of a fit."""
    found = {}
    for count in LABELS:
        runs = []
        for seed in range(seeds):
            pool, tested = split(shop, seed)
            if count <= len(pool.targets):
                started = time.process_time()
                answer = method(pool.take(np.arange(count)), base)
                seconds = time.process_time() - started
                runs.append((accuracy(answer, tested), accuracy(answer, home), seconds))
        if runs:
            means = np.mean(runs, axis=0)
            found[count] = (float(means[0]), float(means[1]), float(means[2]))
    return found


def follow_suggestions(shop: Photos, base: Base, seed: int, *, suggested: bool) -> dict[int, float]:
    """Return the accuracy by number of labels, checked in steps in the suggested or a random order."""
    pool, tested = split(shop, seed)
    suggester, checked = Suggester(pool.embedding), np.empty(0, np.int64)
    probabilities, curve = softmax(pool.logits / np.float32(2)), {}
    while len(checked) + STEP <= min(400, len(pool.targets)):
        if suggested:
            chosen = [found.photo for found in suggester.suggest(probabilities, checked, STEP)]
            checked = np.concatenate([checked, np.array(chosen, np.int64)])
        else:
            checked = np.arange(len(checked) + STEP)
        answer = anchored(pool.take(checked), base)
        probabilities = softmax(answer(pool) / np.float32(2))
        curve[len(checked)] = accuracy(answer, tested)
    return curve


def softmax(logits: Scores) -> Floats:
    """Return probabilities, (n, classes)."""
    shares: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


def mean_curve(shop: Photos, base: Base, seeds: int, *, suggested: bool) -> dict[int, float]:
    """Return the mean of several seeds' curves."""
    curves = [follow_suggestions(shop, base, seed, suggested=suggested) for seed in range(seeds)]
    return {count: float(np.mean([curve[count] for curve in curves])) for count in curves[0]}


def labels_for(curve: Mapping[int, float], wanted: float) -> float | None:
    """Return how many labels a curve needs for an accuracy, by linear interpolation; None beyond its end."""
    counts, values = list(curve), np.maximum.accumulate(list(curve.values()))
    if wanted > values[-1] or wanted < values[0]:
        return None
    return float(np.interp(wanted, values, counts))


def draw(curves: Mapping[str, Mapping[str, Mapping[int, float]]], path: Path) -> None:
    """Draw the learning curves of both orders, one panel per shop."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - for the picture alone

    figure = Figure(figsize=(4 * len(curves), 3.4), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(curves)))
    for panel, (name, orders) in zip(panels, curves.items(), strict=True):
        for order, curve in orders.items():
            panel.plot(list(curve), list(curve.values()), marker="o", markersize=3, label=order)
        panel.set(title=name, xlabel="checked photos", ylabel="article type right, %")
        panel.grid(alpha=0.3)
        panel.legend(frameon=False)
    figure.savefig(path)


def compare_methods(name: str, shop: Photos, home: Photos, base: Base, seeds: int) -> Table:
    """Return a table by method and number of labels: accuracy, accuracy at home, and time."""
    table = Table("method", *map(str, LABELS), "at home", "s", title=f"{name}: {len(shop.targets):,} photos")
    for method_name, method in METHODS.items():
        found = measure(method, shop, home, base, seeds)
        _, at_home, seconds = found[max(found)]
        cells = [f"{found[count][0]:.1f}" if count in found else "" for count in LABELS]
        table.add_row(method_name, *cells, f"{at_home:.1f}", f"{seconds:.2f}")
    return table


def compare_orders(curves: Mapping[str, Mapping[int, float]]) -> Table:
    """Return a table of accuracy by order and number of checks, and of what suggestions save."""
    random, suggested = curves["random"], curves["suggested"]
    table = Table("order", *map(str, random), title="checks in steps")
    for order, curve in curves.items():
        table.add_row(order, *(f"{value:.1f}" for value in curve.values()))
    needed = (labels_for(suggested, value) for value in np.maximum.accumulate(list(random.values())))
    table.add_row("as many suggested ones do", *("" if count is None else f"{count:.0f}" for count in needed))
    return table


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", type=Path, nargs="+", metavar="MODEL SHOP")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    console, curves = open_console(), {}
    for model, path in zip(given.pairs[::2], given.pairs[1::2], strict=True):
        bundle = read_bundle(model)
        statistics = read_statistics(bundle)
        if statistics is None:
            raise SystemExit(f"{model} has no statistics to adapt from")
        cache = given.cache / bundle.sha256[:12] if given.cache else model.parent / "embeddings"
        base, home = Base(statistics, BaseMetric(statistics)), load(bundle, given.home, cache)
        shop = load(bundle, path, cache)
        console.print(compare_methods(path.name, shop, home, base, given.seeds))
        curves[path.name] = {
            order: mean_curve(shop, base, given.seeds, suggested=order == "suggested")
            for order in ("random", "suggested")
        }
        console.print(compare_orders(curves[path.name]))
    if given.plot:
        draw(curves, given.plot)


if __name__ == "__main__":
    main()
