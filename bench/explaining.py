"""Measure heat maps: whether they cover the product, and what they cost, by method.

    python bench/explaining.py [--model default] [--rounds 4]

Each sample photo that hangtag draws is pasted, at random places and sizes, onto an empty photo, so the product's place
is known. `heat` is how many times more heat is in the product's box than an even map would have there, `hottest` how
often the hottest point is in the box, `ms` the processor time of both default columns on one core.
"""

import argparse
import time

import numpy as np
import numpy.typing as npt
from PIL import Image

from hangtag.imaging.heat import Heat
from hangtag.imaging.samples import load_sample_photos
from hangtag.inference.explaining.explainer import Explainer, Method
from hangtag.inference.model import load_model

Box = tuple[slice, slice]
SIZE = (240, 320)
SMALLEST, LARGEST = 0.35, 0.7
INK = 235
"""Anything darker than this, of 255, is the product."""


def main() -> None:
    """Print one line for each method and column."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="default", help="the model to explain")
    parser.add_argument("--rounds", type=int, default=4, help="how often each sample is placed")
    asked = parser.parse_args()
    model = load_model(asked.model, precision="fp32", threads=1)
    dice = np.random.default_rng(1)
    photos = [place(image, dice) for _ in range(asked.rounds) for image in load_sample_photos().values()]
    print(f"{'method':<12} {'column':<16} {'heat':>6} {'worst tenth':>12} {'hottest':>8} {'ms':>6}")
    for method in Method:
        measure(Explainer(model, method), method, photos)


def measure(explainer: Explainer, method: Method, photos: list[tuple[Image.Image, Box]]) -> None:
    """Explain all photos, and print the result."""
    preprocessing = explainer.model.card.preprocessing
    explainer.explain(preprocessing.apply(photos[0][0]))  # the first call compiles the model
    found: dict[str, list[tuple[float, bool]]] = {}
    milliseconds = []
    for photo, box in photos:
        pixels = preprocessing.apply(photo)
        started = time.process_time()
        explanation = explainer.explain(pixels)
        milliseconds.append(1000 * (time.process_time() - started))
        for column in explanation.maps:
            heat = explanation.heat_of_photo(column, photo.size)
            found.setdefault(column, []).append((concentration(heat, box), is_hottest_inside(heat, box)))
    for column, values in found.items():
        shares, hits = np.array(values).T
        print(
            f"{method:<12} {column:<16} {np.mean(shares):6.1f} {np.quantile(shares, 0.1):12.1f} "
            f"{np.mean(hits):8.2f} {np.median(milliseconds):6.0f}"
        )


def place(image: Image.Image, dice: np.random.Generator) -> tuple[Image.Image, Box]:
    """Return an empty photo with the product somewhere on it, and the product's box."""
    share = dice.uniform(SMALLEST, LARGEST)
    small = image.resize((round(share * SIZE[0]), round(share * SIZE[1])), Image.Resampling.LANCZOS)
    corner = tuple(int(dice.integers(0, SIZE[axis] - small.size[axis] + 1)) for axis in (0, 1))
    photo = Image.new("RGB", SIZE, "white")
    photo.paste(small, (corner[0], corner[1]))
    rows, columns = (np.asarray(photo).min(axis=2) < INK).nonzero()
    return photo, (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))


def concentration(heat: Heat, box: Box) -> float:
    """Return how many times more heat is in a box than an even map would have there; 0 for an empty map."""
    inside: npt.NDArray[np.float32] = heat[box]
    return float(inside.sum() / heat.sum() / (inside.size / heat.size)) if heat.any() else 0.0


def is_hottest_inside(heat: Heat, box: Box) -> bool:
    """Return whether the hottest point is in a box."""
    return bool(heat[box].max() == heat.max() > 0)


if __name__ == "__main__":
    main()
