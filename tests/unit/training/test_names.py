import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.nn import functional

from hangtag.domain.errors import CatalogueError
from hangtag.domain.taxonomy import Taxonomy
from hangtag.training.data import UNKNOWN, Samples, TrainingData
from hangtag.training.losses import Losses, soft_name
from hangtag.training.soft_targets import read_names, teach_by_names

CLASSES = {"baseColour": ("Blue", "Red"), "articleType": ("Shirts", "Shoes", "Socks")}
COUNTS = {column: len(names) for column, names in CLASSES.items()}


@pytest.fixture
def named():
    """600 names that say colour and article, one label of them wrong, one row without a name."""
    random = np.random.default_rng(0)
    colour, article = random.integers(0, 2, 600), random.integers(0, 3, 600)
    names = [
        f"Acme {number} {CLASSES['baseColour'][c]} {CLASSES['articleType'][a]}"
        for number, (c, a) in enumerate(zip(colour, article, strict=True))
    ]
    colour[7] = 1 - colour[7]
    return [*names, None], {"baseColour": np.append(colour, 0), "articleType": np.append(article, UNKNOWN)}


def test_a_name_is_read_by_a_model_that_has_not_seen_it(named):
    names, targets = named
    read = read_names(names, targets, COUNTS, seed=1)
    known = targets["articleType"] != UNKNOWN
    right = read["articleType"].argmax(axis=1) == targets["articleType"]
    assert right[known].mean() > 0.97
    colours = read["baseColour"].astype(np.float32)
    assert colours[7].argmax() != targets["baseColour"][7]  # the slip is contradicted
    assert colours[:-1].sum(axis=1) == pytest.approx(1, abs=0.01)
    assert colours[-1].tolist() == [0, 0]
    assert all(
        np.array_equal(rows, read_names(names, targets, COUNTS, seed=1)[column])
        for column, rows in read.items()
    )


def test_names_of_which_no_label_is_known_teach_nothing(named):
    names, targets = named
    unknown = {column: np.full(len(names), UNKNOWN) for column in targets}
    read = read_names(names, unknown, COUNTS, seed=1)
    assert read["articleType"].shape == (len(names), 3)


def test_training_data_is_taught_by_the_names_of_its_train_rows(named):
    names, targets = named
    samples = Samples(np.zeros((601, 2, 2, 3), np.uint8), targets)
    data = TrainingData(samples, samples, CLASSES, Taxonomy((), ()), "")
    table = pa.table({"split": ["train"] * 601 + ["test"], "productDisplayName": [*names, "Acme"]})
    taught = teach_by_names(data, table, seed=1)
    assert taught.train.soft["articleType"].shape == (601, 3)
    assert not taught.validation.soft
    with pytest.raises(CatalogueError):
        teach_by_names(data, table.drop_columns("productDisplayName"), seed=1)


def test_a_teacher_counts_where_it_knows_something():
    losses = Losses(("baseColour",), teacher_weight=0.25)
    logits = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    labels = torch.tensor([0, 1])
    soft = torch.tensor([[0.5, 0.5], [0.0, 0.0]], dtype=torch.float16)
    hard = functional.cross_entropy(logits, labels, reduction="none")
    expected = (0.75 * hard[0] + 0.25 * functional.cross_entropy(logits[:1], soft[:1].float()) + hard[1]) / 2
    found = losses.training({"baseColour": logits}, {"baseColour": labels, soft_name("baseColour"): soft})
    assert found.item() == pytest.approx(expected.item(), rel=1e-4)
