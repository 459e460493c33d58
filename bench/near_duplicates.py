"""Measure near duplicates on a catalogue: the groups, and the share of modified copies that is found.

    python bench/near_duplicates.py CATALOGUE [--copies 500]

Every copy is compared with all photos of the catalogue, as if it were one of them.
"""

import argparse
import io
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from PIL import Image

from hangtag.datasets.opening import Catalogue, open_catalogue
from hangtag.datasets.prints import fingerprint_catalogue
from hangtag.imaging.decode import decode_photo
from hangtag.imaging.fingerprint import Fingerprint, fingerprint_photo, near_duplicate_groups

Change = Callable[[Image.Image], Image.Image]


def main() -> None:
    """Print the groups of a catalogue, then one line for each change."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("catalogue", type=Path)
    parser.add_argument("--copies", type=int, default=500, help="how many photos are changed on purpose")
    options = parser.parse_args()
    with open_catalogue(options.catalogue) as catalogue:
        taken = fingerprint_catalogue(catalogue, catalogue.photo_names())
        prints = {name: photo.fingerprint for name, photo in taken.items() if photo.fingerprint is not None}
        print_groups(list(prints.values()))
        names = random.Random(0).sample(sorted(prints), options.copies)  # noqa: S311 - a sample, no secret
        print_copies(catalogue, prints, names)


def print_groups(prints: Sequence[Fingerprint]) -> None:
    """Print the number and sizes of the groups, and how long it took to find them."""
    start = time.perf_counter()
    groups = Counter(near_duplicate_groups(prints))
    seconds = time.perf_counter() - start
    exact = Counter(found.pixels_sha256 for found in prints)
    for kind, counts in (("pixel-identical", exact), ("near duplicates", groups)):
        several = [count for count in counts.values() if count > 1]
        largest = sorted(several, reverse=True)[:5]
        print(f"{kind}: {len(several):,} groups of {sum(several):,} photos, the largest of {largest}")
    print(f"{len(prints):,} photos compared in {seconds:.1f} s")


def print_copies(catalogue: Catalogue, prints: Mapping[str, Fingerprint], names: Sequence[str]) -> None:
    """Print for each change the share of copies that are in the group of their original."""
    images = [decode_photo(catalogue.read_photo(name)) for name in names]
    position = {name: number for number, name in enumerate(prints)}
    for change, apply in CHANGES.items():
        copies = [fingerprint_photo(apply(image)) for image in images]
        groups = near_duplicate_groups([*prints.values(), *copies])
        found = sum(groups[position[name]] == groups[len(prints) + n] for n, name in enumerate(names))
        print(f"{change:<48} {found / len(names):6.1%}")


def encode(image: Image.Image, quality: int) -> Image.Image:
    """Save as JPEG and read again."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


def scale(image: Image.Image, factor: float) -> Image.Image:
    """Resize with a good filter."""
    size = (round(image.width * factor), round(image.height * factor))
    return image.resize(size, Image.Resampling.LANCZOS)


def brighten(image: Image.Image, factor: float) -> Image.Image:
    """Multiply the levels, clipping at white."""
    return image.point([min(255, round(level * factor)) for level in range(256)] * 3)


CHANGES: Final[Mapping[str, Change]] = {
    "JPEG quality 90": lambda image: encode(image, 90),
    "JPEG quality 75": lambda image: encode(image, 75),
    "JPEG quality 50": lambda image: encode(image, 50),
    "twice the size": lambda image: scale(image, 2),
    "nine tenths of the size": lambda image: scale(image, 0.9),
    "three quarters of the size": lambda image: scale(image, 0.75),
    "a tenth larger, JPEG quality 75": lambda image: encode(scale(image, 1.1), 75),
    "5 % darker": lambda image: brighten(image, 0.95),
    "8 % darker": lambda image: brighten(image, 0.92),
    "5 % brighter, whites clipped": lambda image: brighten(image, 1.05),
    "8 % brighter, whites clipped": lambda image: brighten(image, 1.08),
    "5 % darker, nine tenths, JPEG quality 75": lambda image: encode(brighten(scale(image, 0.9), 0.95), 75),
}


if __name__ == "__main__":
    main()
