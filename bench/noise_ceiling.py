"""How often pixel-identical photos have different labels: for products with the same name, and with different ones.

    python bench/noise_ceiling.py CATALOGUE

Products with the same name were mostly entered together, with the label copied. Those with different names show better
how two people, or one on two days, would label the same photo.
"""

import sys
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

from hangtag.datasets.cleaned import read_cleaned
from hangtag.datasets.opening import open_catalogue
from hangtag.datasets.prints import fingerprint_catalogue
from hangtag.domain.columns import LABEL_COLUMNS
from hangtag.tables.matching import match_products

NAME = "productDisplayName"


def group_products(path: Path) -> list[list[dict[str, str | None]]]:
    """Return the products of a catalogue whose photos have the same pixels, group by group."""
    with open_catalogue(path) as catalogue:
        products = {row["id"]: row for row in read_cleaned(catalogue).table.to_pylist()}
        photos = match_products(products, catalogue.photo_names()).photo_of
        prints = fingerprint_catalogue(catalogue, photos.values())
    groups = defaultdict(list)
    for id_, name in photos.items():
        if (fingerprint := prints[name].fingerprint) is not None:
            groups[fingerprint.pixels_sha256].append(products[id_])
    return [group for group in groups.values() if len(group) > 1]


def main(path: Path) -> None:
    """Print, by column, the pairs and those that disagree."""
    pairs = [pair for group in group_products(path) for pair in combinations(group, 2)]
    by_name = {"the same": True, "different": False}
    print(f"{'names':10} {'column':15} {'pairs':>6} {'disagree':>9}")
    for meaning, is_same in by_name.items():
        chosen = [pair for pair in pairs if (pair[0][NAME] == pair[1][NAME]) == is_same]
        for column in LABEL_COLUMNS:
            known = [pair for pair in chosen if pair[0][column] and pair[1][column]]
            counts = Counter(first[column] != second[column] for first, second in known)
            print(f"{meaning:10} {column:15} {len(known):6,} {counts[True] / max(1, len(known)):9.1%}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
