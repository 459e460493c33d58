"""A store of batches with a fake model that predicts by the photo's mean colour."""

from dataclasses import dataclass

from fakes import COLOURS, FakeModel, build_card, encode, paint
from hangtag.bundle.card import Card
from hangtag.domain.taxonomy import Taxonomy
from hangtag.imaging.budget import DEFAULT_LIMITS
from hangtag.store.batches import Batches
from hangtag.store.database import open_database, sqlite_url
from hangtag.store.decisions import Decisions
from hangtag.store.folder import PhotoFolder
from hangtag.store.index import Filter
from hangtag.store.intake import IncomingFile, Intake, take_files
from hangtag.store.notes import Notes
from hangtag.store.products import Page, Products
from hangtag.store.store import Store, StoredModel
from hangtag.store.worker import LabellingWorker

HEADS = {
    "masterCategory": ("Apparel", "Footwear", "Accessories"),
    "articleType": ("Tshirts", "Shoes", "Watches"),
    "baseColour": ("Red", "Green", "Blue"),
}
PATHS = (("Apparel", "Tshirts"), ("Footwear", "Shoes"), ("Accessories", "Watches"))
MAX_PHOTOS = 1000
CARD = build_card(heads=HEADS, taxonomy=Taxonomy(("masterCategory", "articleType"), PATHS))


@dataclass
class Shop:
    """A store with everything that reads and changes it."""

    store: Store
    card: Card = CARD

    def __post_init__(self):
        self.products = Products(self.store)
        self.batches = Batches(self.products, self.find_model)
        self.decisions = Decisions(self.products)
        self.notes = Notes(self.store)

    def find_model(self, id_):
        name = id_ or "fake"
        digit = "f" if name == "fake" else "e"
        return StoredModel(name, name, "1", digit * 64, self.card)

    def load(self, id_):
        model = FakeModel(self.card)
        model.sha256 = self.find_model(id_).sha256
        return model

    def add(self, batch, files, key=None, **options):
        """Add files, given by name: a colour (and a mark that makes it another file), or bytes."""
        with self.store.folder.receiving() as folder:
            intake = Intake(self.store, folder, MAX_PHOTOS)
            for number, (name, content) in enumerate(files.items()):
                path = folder / str(number)
                parts = (content,) if isinstance(content, str) else content
                path.write_bytes(content if isinstance(content, bytes) else draw(*parts))
                intake.take(IncomingFile(path, name))
            with self.store.engine.connect() as connection:
                row = self.store.find_batch(connection, batch)
            return take_files(self.store, row, intake, key, **options)

    def make(self, files=None, name="Spring"):
        """Make a batch of some files and label it. Return its id."""
        batch = self.batches.create(name, None, "ann")["id"]
        if files:
            self.add(batch, files)
            self.label()
        return batch

    def label(self):
        """Label all waiting photos."""
        LabellingWorker(self.store, self.load).label_all()

    def list(self, batch, **wanted):
        """Return all products of a batch that match a filter."""
        return self.products.page(batch, Filter(**wanted), Page(limit=200))[0]


def draw(colour, mark=0):
    """Return a photo of a colour as PNG. Those with another mark are other files that look the same."""
    image = paint(colour)
    image.putpixel((0, 0), (mark % 256, COLOURS.get(colour, (0, 0, 0))[1], mark // 256))
    return encode(image)


def open_shop(folder, url=None, card=CARD):
    """Open a store in a folder, on a database or on SQLite."""
    engine = open_database(url or sqlite_url(folder / "test.db"))
    limits = dict.fromkeys(card.columns, 0.6)
    return Shop(Store(engine, PhotoFolder(folder / "data"), DEFAULT_LIMITS, lambda _card: limits), card)
