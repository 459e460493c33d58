"""A store that learns: a tiny bundle with an embedding labels drawn photos of three kinds, mostly wrongly."""

import io
from pathlib import Path

from PIL import Image

from hangtag.bundle.file import read_bundle
from hangtag.imaging.budget import DEFAULT_LIMITS
from hangtag.inference.model import load_model
from hangtag.learning.learner import Learner
from hangtag.learning.shop import Shop as LearningShop
from hangtag.learning.worker import LearningWorker
from hangtag.store.database import open_database, sqlite_url
from hangtag.store.decisions import Decision
from hangtag.store.derived import ShiftReader
from hangtag.store.folder import PhotoFolder
from hangtag.store.shop_models import ShopModels
from hangtag.store.store import Store, StoredModel
from shop_bundle import draw_shop, write_shop_bundle
from store_shop import Shop

NAMES = ("Tshirts", "Jeans", "Watches")
"""The correct labels of the kinds of photos that `draw_shop` returns."""


class TinyShop(Shop):
    """A store with everything that learns. `kinds` holds the kind of each photo, by name."""

    def __init__(self, store, path):
        self.bundle = read_bundle(path)
        self.model = load_model(path, precision="fp32", threads=1)
        super().__init__(store)
        self.models = ShopModels(store)
        store.shifts = ShiftReader(self.models.folder, self.find_bundle)
        self.worker = LearningWorker(Learner(store, self.models, self.find_bundle), store, self.models)
        self.learning = LearningShop(store, self.models, self.worker)
        self.kinds = {}

    def find_bundle(self, _id):
        return Path(self.bundle.path)

    def find_model(self, id_):
        card = self.bundle.card
        return StoredModel(id_ or "tiny", card.name, card.version, self.bundle.sha256, card)

    def load(self, id_):
        assert id_ == "tiny"
        return self.model

    def draw(self, count, seed=9, name="Spring"):
        """Make a batch of drawn photos, labelled by the model."""
        files = {}
        for number, (pixels, kind) in enumerate(zip(*draw_shop(count, seed), strict=True)):
            files[f"{seed}-{number}.png"] = encode(pixels)
            self.kinds[f"{seed}-{number}.png"] = NAMES[kind]
        return self.make(files, name)

    def check(self, batch, count=None, ids=None):
        """Let ann check the first unchecked products completely. Return their ids."""
        todo = [product for product in self.list(batch) if product["state"] == "to_check"]
        chosen = [product for product in todo if ids is None or product["id"] in ids][:count]
        for product in chosen:
            said = {"articleType": self.kinds[product["photos"][0]["name"]]}
            decision = Decision(products=(int(product["id"]),), set=said, confirm=True)
            self.decisions.decide(batch, decision, "ann")
        return [product["id"] for product in chosen]

    def count_right(self, batch):
        """Return how many products have the right article type."""
        return sum(
            product["label"]["articleType"]["value"] == self.kinds[product["photos"][0]["name"]]
            for product in self.list(batch)
        )


def encode(pixels):
    """Return pixels as the bytes of a PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels).resize((24, 32), Image.Resampling.NEAREST).save(file, "PNG")
    return file.getvalue()


def open_tiny_shop(folder, url=None):
    """Open a store that learns, in a folder, on a database or on SQLite."""
    path = folder / "tiny.onnx"
    if not path.exists():
        write_shop_bundle(path)
    engine = open_database(url or sqlite_url(folder / "test.db"))

    def find_thresholds(card):
        return dict.fromkeys(card.columns, 0.6)

    return TinyShop(Store(engine, PhotoFolder(folder / "data"), DEFAULT_LIMITS, find_thresholds), path)
