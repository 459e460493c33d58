"""Whether training waits for its input: images/s of the training loop against the same loop on ready tensors.

    python bench/training_input.py [--steps 40]

Both loops take steps of the default recipe in turn: one reads and augments photos from a memory-mapped cache as
`hangtag train` does, the other reuses one ready batch. The ratio is of the medians.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from hangtag.networks.registry import build_network
from hangtag.training.data import Samples
from hangtag.training.learner import Learner, iter_batches
from hangtag.training.losses import Losses
from hangtag.training.recipe import find_recipe, read_recipe

PHOTOS = 8192
CLASSES = {
    "masterCategory": 7,
    "subCategory": 44,
    "articleType": 141,
    "gender": 5,
    "baseColour": 46,
    "season": 4,
    "usage": 8,
}


def build_samples(folder: Path, height: int, width: int) -> Samples:
    """Write random pixels to a file and map it, like the pixel cache of a training."""
    random = np.random.default_rng(0)
    path = folder / "pixels.npy"
    np.save(path, random.integers(0, 256, (PHOTOS, height, width, 3), dtype=np.uint8))
    targets = {column: random.integers(0, count, PHOTOS) for column, count in CLASSES.items()}
    return Samples(np.load(path, mmap_mode="r"), targets)


def main() -> None:
    """Time both loops and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=40)
    options = parser.parse_args()
    recipe = read_recipe(find_recipe("default"))
    batch = recipe.optimisation.batch_size
    normalise, network = build_network("efficientnet_lite0", CLASSES, (112, 84), dropout=0.2)
    learner = Learner(recipe, normalise, network, Losses(recipe.columns))
    generator = torch.Generator().manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        samples = build_samples(Path(folder), recipe.preprocessing.height, recipe.preprocessing.width)
        ready = next(iter_batches(samples, np.arange(batch), batch))
        varied = learner.augment(ready[0], generator)
        seconds: dict[str, list[float]] = {"training loop": [], "ready tensors": []}
        order = np.random.default_rng(0).permutation(PHOTOS)[: (options.steps + 1) * batch]
        batches = iter_batches(samples, order, batch)
        for turn in range(options.steps + 1):
            started = time.perf_counter()
            photos, targets = next(batches)
            learner.step(photos, targets, 1e-5, generator)
            between = time.perf_counter()
            learner.learn(varied, ready[1], 1e-5)
            if turn:  # the first is a warm-up
                seconds["training loop"].append(between - started)
                seconds["ready tensors"].append(time.perf_counter() - between)
    rates = {name: batch / statistics.median(times) for name, times in seconds.items()}
    for name, rate in rates.items():
        print(f"{name:16} {rate:8.1f} images/s")
    print(f"{'ratio':16} {rates['training loop'] / rates['ready tensors']:8.3f}")


if __name__ == "__main__":
    main()
