"""Stand-ins for what a test does not want to build: a model that answers by the photo's mean colour, a key pressed."""

import io
import os
import signal
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from hangtag.bundle.card import Card, HeadCard
from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.domain.taxonomy import Taxonomy
from hangtag.imaging.preprocess import Preprocessing

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
    """Build the card of a fake model that answers the levels of these category paths, and further heads."""
    taxonomy = Taxonomy.from_paths(levels, paths)
    return build_card(heads={level: taxonomy.labels(level) for level in levels} | heads, taxonomy=taxonomy)


@dataclass(frozen=True)
class FakeScores:
    """What a fake model answers."""

    probabilities: dict
    chosen: dict
    gate: object = None

    def confidence(self, column):
        """Return the probability of the chosen class of each photo."""
        return np.take_along_axis(self.probabilities[column], self.chosen[column][:, None], axis=1)[:, 0]


@dataclass
class FakeModel:
    """Every head answers its class 0 to a red photo, 1 to a green one and 2 to a blue one.

    `batches` records how many photos came at a time.
    """

    card: Card = field(default_factory=build_card)
    batches: list = field(default_factory=list)

    def label(self, pixels):
        """Answer a batch: the share of a colour in the photo is its class's probability."""
        self.batches.append(len(pixels))
        colour = pixels.sum(axis=(1, 2), dtype=np.float64) + 1
        shares = (colour / colour.sum(axis=1, keepdims=True)).astype(np.float32)
        columns = self.card.columns
        return FakeScores(dict.fromkeys(columns, shares), dict.fromkeys(columns, shares.argmax(axis=1)))

    def iter_label(self, batches):
        """Answer batch by batch, two batches behind, as a pipelined engine does."""
        waiting = []
        for pixels in batches:
            waiting.append(pixels)
            if len(waiting) > 2:
                yield self.label(waiting.pop(0))
        for pixels in waiting:
            yield self.label(pixels)


def paint(colour, size=(30, 40)):
    """Return a photo that is all of one colour, named or as RGB."""
    return Image.new("RGB", size, COLOURS.get(colour, colour))


def encode(image, kind="PNG", **options):
    """Return an image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)
