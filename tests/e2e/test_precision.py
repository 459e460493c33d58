"""Speed may not cost truth: the shipped model in its fastest arithmetic against the exact one, on real photos."""

import pytest

from hangtag.bundle.shipped import SHIPPED_FOLDER
from hangtag.catalogue.clean import clean_catalogue, load_cleaned
from hangtag.catalogue.source import open_catalogue
from hangtag.catalogue.split import SplitSettings, split_catalogue
from hangtag.evaluation.precision import compare_precisions
from hangtag.inference.model import load_model

DEFAULT = SHIPPED_FOLDER / "default.onnx"
MAX_LOST_POINTS = 0.1
MIN_MASTER_AGREEMENT = 0.999


@pytest.mark.real
@pytest.mark.skipif(not DEFAULT.exists(), reason="there is no shipped model yet")
def test_the_fastest_arithmetic_answers_as_well_as_the_exact_one(real_catalogue, tmp_path):
    exact, fast = load_model(DEFAULT, precision="fp32"), load_model(DEFAULT)
    with open_catalogue(real_catalogue) as catalogue:
        clean_catalogue(catalogue, tmp_path)
        table = split_catalogue(load_cleaned(tmp_path), catalogue, SplitSettings())
        costs = compare_precisions(exact, fast, table, catalogue, "validation")
    assert set(costs) == set(exact.card.columns)
    lost = {column: round(cost.lost_points, 3) for column, cost in costs.items()}
    assert all(points <= MAX_LOST_POINTS for points in lost.values()), lost
    assert costs["masterCategory"].agreement >= MIN_MASTER_AGREEMENT
    assert costs["masterCategory"].support > 1500
