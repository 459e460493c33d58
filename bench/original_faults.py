"""What two faults of the original project cost: augmenting validation photos, and hand-written class lists.

    python bench/original_faults.py RUN_FOLDER RECIPE CATALOGUE

RUN_FOLDER is that of a finished `hangtag train RECIPE`. Its network predicts the validation photos unchanged, and with
the recipe's augmentation. Then the correct predictions are read with two other orders of the class names: the order in
which the classes first appear in the table, and the order of their sizes.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from hangtag.datasets.opening import open_catalogue
from hangtag.networks.registry import build_network
from hangtag.tables.tables import read_table
from hangtag.training.checkpoint import read_checkpoint
from hangtag.training.data import load_training_data
from hangtag.training.learner import Learner, iter_batches
from hangtag.training.losses import Losses
from hangtag.training.recipe import find_recipe, read_recipe

COLUMN = "masterCategory"


def main(folder: Path, recipe_name: str, catalogue: Path) -> None:
    """Print the accuracies of one run."""
    recipe = read_recipe(find_recipe(recipe_name))
    table = read_table(folder / "split.parquet")
    with open_catalogue(catalogue) as source:
        data = load_training_data(table, source, [COLUMN], recipe.preprocessing, folder / "pixels")
    classes = data.classes[COLUMN]
    size = (recipe.preprocessing.height, recipe.preprocessing.width)
    normalise, network = build_network(recipe.network.architecture, {COLUMN: len(classes)}, size)
    _, tensors = read_checkpoint(folder / "checkpoint.safetensors")
    best = {name.removeprefix("best/"): value for name, value in tensors.items() if name.startswith("best/")}
    network.load_state_dict(best)
    learner = Learner(recipe, normalise, network.eval(), Losses(recipe.columns))

    truth = data.validation.targets[COLUMN]
    as_they_are, augmented = [], []
    generator = torch.Generator().manual_seed(recipe.seed)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for photos, _ in iter_batches(data.validation, np.arange(len(truth)), 256):
            plain = normalise(photos.permute(0, 3, 1, 2).float())
            as_they_are.append(network(plain)[COLUMN].argmax(dim=1))
            augmented.append(network(learner.augment(photos, generator))[COLUMN].argmax(dim=1))
    answers = torch.cat(as_they_are).numpy()
    print(f"{recipe.name}: {len(truth):,} validation photos")
    print(f"  as they are                 {np.mean(answers == truth):.2%}")
    print(f"  augmented like train photos {np.mean(torch.cat(augmented).numpy() == truth):.2%}")
    labels = table.column(COLUMN).to_pylist()
    names = [label for label in dict.fromkeys(labels) if label in classes]
    print(f"  names in another order      {_read_with(names, classes, answers, truth):.2%}")


def _read_with(names: Sequence[str], classes: Sequence[str], answers: np.ndarray, truth: np.ndarray) -> float:
    """Return the share of predictions whose name is right if the names come from another list than training's."""
    return float(
        np.mean([names[answer] == classes[true] for answer, true in zip(answers, truth, strict=True)])
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
