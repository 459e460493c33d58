"""Tables of labels as `hangtag predict` writes them."""

import csv

import pytest


@pytest.fixture
def write_labels(tmp_path):
    def write(*rows, name="labels.csv"):
        path = tmp_path / name
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        return path

    return write
