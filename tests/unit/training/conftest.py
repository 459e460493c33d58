"""A training small enough for a test: 40 drawn photos of 32x32, two columns, a real network without pretraining."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from hangtag.catalogue.clean import clean_catalogue  # noqa: E402
from hangtag.catalogue.split import split_catalogue  # noqa: E402
from hangtag.datasets.opening import open_catalogue  # noqa: E402
from hangtag.datasets.splits import SplitSettings  # noqa: E402
from hangtag.domain.taxonomy import Taxonomy  # noqa: E402
from hangtag.tables.tables import read_table  # noqa: E402
from hangtag.training.data import UNKNOWN, Samples, TrainingData  # noqa: E402
from hangtag.training.recipe import Recipe, find_recipe, read_recipe  # noqa: E402

SIDE = 32
CLASSES = {"masterCategory": ("Apparel", "Footwear"), "gender": ("Boys", "Men", "Women")}


@pytest.fixture
def tiny_recipe() -> Recipe:
    recipe = read_recipe(find_recipe("default"))
    values = recipe.model_dump()
    values |= {"name": "tiny", "columns": tuple(CLASSES)}
    values["preprocessing"] |= {"width": SIDE, "height": SIDE, "detail_width": SIDE, "detail_height": SIDE}
    values["network"] |= {"pretrained": False, "tapped": ()}
    values["ood"] = None
    values["augmentation"] |= {"small_epochs": 0}
    values["optimisation"] |= {"epochs": 3, "batch_size": 8, "ema_decay": 0.5}
    return Recipe.model_validate(values)


@pytest.fixture
def tiny_data() -> TrainingData:
    return TrainingData(_draw_samples(32, 1), _draw_samples(8, 2), CLASSES, Taxonomy((), ()), "drawn")


def _draw_samples(count: int, seed: int) -> Samples:
    """Master category 1 has a dark lower half, gender is unknown for every fourth photo."""
    random = np.random.default_rng(seed)
    pixels = random.integers(200, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)
    master = np.arange(count, dtype=np.int64) % 2
    pixels[master == 1, SIDE // 2 :] = 20
    gender = random.integers(0, 3, count)
    gender[:3] = (0, 1, 2)
    gender[3::4] = UNKNOWN
    return Samples(pixels, {"masterCategory": master, "gender": gender})


@pytest.fixture
def source(tiny_catalogue):
    """The tiny catalogue, open."""
    with open_catalogue(tiny_catalogue) as catalogue:
        yield catalogue


@pytest.fixture
def table(source, tmp_path):
    """Its split table: a fifth each for validation and test."""
    clean_catalogue(source, tmp_path / "cleaned")
    cleaned = read_table(tmp_path / "cleaned" / "cleaned.parquet")
    return split_catalogue(cleaned, source, SplitSettings(validation=0.2, test=0.2))


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    return tmp_path / "run"
