"""Fakes: a model that predicts by the photo's mean colour, and a pressed key."""

import io
import os
import signal
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from hangtag.bundle.card import Card, HeadCard
from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.domain.taxonomy import Taxonomy
from hangtag.imaging.preprocess import Preprocessing
from hangtag.inference.predictions import FLAGS
from hangtag.inference.probabilities import PredictionBuilder, find_confident_depth

FAKE_PREPROCESSING = Preprocessing(width=12, height=16, detail_width=60, detail_height=80)
FAKE_HEADS = {
    "masterCategory": ("Apparel", "Footwear", "Accessories"),
    "articleType": ("Tshirts", "Shoes", "Watches"),
    "baseColour": ("Red", "Green", "Blue"),
}
COLOURS = {"Red": (200, 20, 20), "Green": (20, 200, 20), "Blue": (20, 20, 200)}


def build_card(name="fake", heads=None, **changes):
    """Build the card of a fake model, with the heads given as classes by column."""
    columns = FAKE_HEADS if heads is None else heads
    values = {
        "name": name,
        "version": "1",
        "description": "answers by colour",
        "licence": "MIT",
        "created": "2025-01-01",
        "architecture": "fake",
        "recipe": {},
        "heads": [HeadCard(column, classes) for column, classes in columns.items()],
        "taxonomy": Taxonomy((), ()),
        "preprocessing": FAKE_PREPROCESSING,
    }
    return Card(**(values | changes))


def build_path_card(paths, levels=CATEGORY_COLUMNS, **heads):
    """Build the card of a fake model with heads for the levels of these category paths, and further heads."""
    taxonomy = Taxonomy.from_paths(levels, paths)
    return build_card(heads={level: taxonomy.labels(level) for level in levels} | heads, taxonomy=taxonomy)


def predictions_of(card, probabilities, chosen=None, quality=None, **changes):
    """Build predictions with these probabilities, (n, classes) by column.

    The chosen class is the most probable one unless `chosen` says otherwise. Thresholds apply as in a real model.
    """
    rows = {column: np.asarray(values, np.float32) for column, values in probabilities.items()}
    indices = {column: np.asarray(values) for column, values in (chosen or {}).items()}
    indices = {column: values.argmax(axis=1) for column, values in rows.items()} | indices
    found = replace(PredictionBuilder(card).build_empty(), probabilities=rows, label_indices=indices)
    photos = len(next(iter(rows.values())))
    flagged = np.zeros((photos, len(FLAGS)), np.bool_)
    if quality is not None:
        flagged[:, 1:] = quality
    found = replace(
        found,
        names=tuple(f"{number}.jpg" for number in range(photos)),
        reasons=(None,) * photos,
        details=(None,) * photos,
        confident_depth=np.zeros(photos, np.int64),
        flagged=flagged,
        logits={},
    )
    return replace(found, **({"confident_depth": find_confident_depth(found)} | changes))


def answer(model, pixels):
    """Return a model's predictions of preprocessed photos."""
    return PredictionBuilder(model.card).build(model.run(pixels))


@dataclass
class FakeModel:
    """Every head predicts its class 0 for a red photo, 1 for a green one and 2 for a blue one.

    `batches` records the batch sizes.
    """

    card: Card = field(default_factory=build_card)
    batches: list = field(default_factory=list)

    def run(self, pixels):
        """Predict a batch: the share of a colour in the photo is its class's probability."""
        self.batches.append(len(pixels))
        colour = pixels.sum(axis=(1, 2), dtype=np.float64) + 1
        logits = np.log(colour / colour.sum(axis=1, keepdims=True)).astype(np.float32)
        return dict.fromkeys(self.card.columns, logits)

    def iter_run(self, batches):
        """Predict batch by batch, two batches behind, like a pipelined engine."""
        waiting = []
        for pixels in batches:
            waiting.append(pixels)
            if len(waiting) > 2:
                yield self.run(waiting.pop(0))
        for pixels in waiting:
            yield self.run(pixels)


def paint(colour, size=(30, 40)):
    """Return a photo of a single colour, named or as RGB."""
    return Image.new("RGB", size, COLOURS.get(colour, colour))


def encode(image, kind="PNG", **options):
    """Return an image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)
