"""How much more accurate a product of several photos is than a single photo of it.

    python bench/products_of_photos.py SPLIT_TABLE [--catalogue FOLDER] [--products 800] [--photos 3]

Real catalogues have one photo per product, so each photo of the test split is varied several times: cropped, rotated,
relit, blurred and compressed again, one of them as a close-up. Prints the accuracy on single photos and on products,
combined in two ways, and the calibration error of hangtag's way.
"""

import argparse
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageFilter

from hangtag.datasets.opening import open_catalogue
from hangtag.domain.columns import LABEL_COLUMNS
from hangtag.inference.model import load_model
from hangtag.inference.predicting import predict_photos
from hangtag.inference.predictions import Predictions
from hangtag.inference.probabilities import PredictionBuilder
from hangtag.tables.tables import read_table

BINS: Final = 15


@dataclass(frozen=True, slots=True)
class Taken:
    """A varied photo."""

    name: str
    data: bytes

    def read(self, _limits: object) -> bytes:
        """Return its bytes."""
        return self.data


def retake(data: bytes, dice: np.random.Generator, *, is_close: bool) -> bytes:
    """Return a photo as another camera might have taken it."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    image = image.rotate(float(dice.uniform(-8, 8)), Image.Resampling.BICUBIC, fillcolor=(255, 255, 255))
    share = dice.uniform(0.55, 0.7) if is_close else dice.uniform(0.85, 1.0)
    width, height = round(image.width * share), round(image.height * share)
    left, top = (int(dice.integers(0, room + 1)) for room in (image.width - width, image.height - height))
    image = image.crop((left, top, left + width, top + height))
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(float(dice.uniform(0.8, 1.2)))
    if dice.random() < 0.3:  # noqa: PLR2004 - three of ten
        image = image.filter(ImageFilter.GaussianBlur(float(dice.uniform(0.3, 0.9))))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=int(dice.integers(55, 92)))
    return file.getvalue()


def mean_of_probabilities(photos: Predictions, count: int) -> dict[str, npt.NDArray[np.int64]]:
    """Return the label indices by the arithmetic mean of the photos' probabilities."""
    return {
        column: values.reshape(-1, count, values.shape[1]).mean(axis=1).argmax(axis=1)
        for column, values in photos.probabilities.items()
    }


def calibration_error(confidence: npt.NDArray[np.float32], is_right: npt.NDArray[np.bool_]) -> float:
    """Return the expected calibration error, in 15 bins of equal width."""
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    parts = [places == place for place in range(BINS)]
    return float(
        sum(
            abs(confidence[part].mean() - is_right[part].mean()) * part.mean() for part in parts if part.any()
        )
    )


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("split_table", type=Path)
    parser.add_argument("--catalogue", type=Path, default=os.environ.get("HANGTAG_DATA"))
    parser.add_argument("--products", type=int, default=800)
    parser.add_argument("--photos", type=int, default=3)
    parser.add_argument("--model", default="default")
    given = parser.parse_args()
    model = load_model(given.model)
    rows = read_table(given.split_table)
    rows = rows.filter(np.array([part == "test" for part in rows["split"].to_pylist()]))
    dice = np.random.default_rng(7)
    order = dice.permutation(len(rows))[: given.products]
    products = rows.take(order).to_pylist()
    catalogue = open_catalogue(given.catalogue)
    taken = [
        Taken(f"{row['photo']} {view}", retake(catalogue.read_photo(row["photo"]), dice, is_close=view == 1))
        for row in products
        for view in range(given.photos)
    ]
    found = Predictions.concat([batch for (batch,) in predict_photos(taken, [model])])
    report(model.card, found, products, given.photos)


def report(card: Any, found: Predictions, products: list[Mapping[str, Any]], photos: int) -> None:  # noqa: ANN401
    """Print the accuracies."""
    starts = np.arange(len(products)) * photos
    combined = PredictionBuilder(card).combine(found, starts)
    averaged = mean_of_probabilities(found, photos)
    print(
        f"{'':16} {'known':>6} {'photo':>8} {'mean p':>8} {'mean log':>9} {'ECE photo':>10} {'ECE product':>12}"
    )
    for column in [name for name in LABEL_COLUMNS if name in card.columns]:
        classes = {value: index for index, value in enumerate(card.head(column).classes)}
        truth = np.array([classes.get(row.get(column) or "", -1) for row in products])
        known = truth >= 0
        single = found.label_indices[column].reshape(-1, photos) == truth[:, None]
        averaged_right = (averaged[column] == truth)[known]
        combined_right = (combined.label_indices[column] == truth)[known]
        of_photos = found.confidence(column).reshape(-1, photos)[known].ravel()
        print(
            f"{column:16} {known.sum():6} {single[known].mean():8.2%} {averaged_right.mean():8.2%} "
            f"{combined_right.mean():9.2%} "
            f"{calibration_error(of_photos, single[known].ravel()):10.4f} "
            f"{calibration_error(combined.confidence(column)[known], combined_right):12.4f}"
        )


if __name__ == "__main__":
    main()
