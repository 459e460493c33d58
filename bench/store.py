"""Measure how fast lists, counts, filters and decisions are in a large batch.

    python bench/store.py [--products 100000] [--url URL]

The products are generated, with the classes of the shipped model. Without a URL the database is SQLite in a temporary
folder. Each figure is the median of several calls after the first one, which is shown separately because it reads the
batch into memory. On a busy machine, this process's CPU time is more telling than the clock.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import insert, select

from hangtag.bundle.file import find_bundle, read_card
from hangtag.imaging.budget import DEFAULT_LIMITS
from hangtag.inference.predictions import category_levels
from hangtag.store.batches import Batches
from hangtag.store.database import open_database, sqlite_url
from hangtag.store.decisions import Decision, Decisions
from hangtag.store.folder import PhotoFolder
from hangtag.store.index import Filter
from hangtag.store.labels import Labeller, find_standing
from hangtag.store.products import Page, Products
from hangtag.store.regroup import new_product
from hangtag.store.store import Change, Store, StoredModel
from hangtag.store.tables import BatchRow, PhotoRow, PredictionRow, ProductRow

PHOTOS_A_PRODUCT: Final = 2
KINDS: Final = 500
"""How many different predictions are generated; products share them."""

PART: Final = 2000
CALLS: Final = 15


def make_answers(labeller: Labeller) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return generated predictions: the stored form for a photo, and for a product of such photos."""
    dice = np.random.default_rng(7)
    width = sum(len(head.classes) for head in labeller.card.heads)
    answers: list[Any] = [
        {"logits": (dice.normal(0, 4, width)).astype("<f4").tobytes(), "ood_score": 0.0, "flags": 0}
        for _ in range(KINDS)
    ]
    found = labeller.combine(labeller.unpack(answers), np.arange(KINDS))
    return list(zip(answers, found, strict=True))  # type: ignore[arg-type]  # a TypedDict is a dict


def fill(store: Store, change: Change, model: int, count: int) -> None:
    """Fill a batch with products and photos."""
    labeller = store.labeller(change.connection, model)
    levels = category_levels(labeller.card)
    answers = make_answers(labeller)
    for start in range(0, count, PART):
        products = list(iter_products(change, levels, answers, range(start, min(count, start + PART))))
        numbers = change.connection.execute(
            insert(ProductRow).returning(ProductRow.number, sort_by_parameter_order=True), products
        ).scalars()
        photos = [
            make_photo(change.batch, number, start + place, view)
            for place, number in enumerate(numbers)
            for view in range(PHOTOS_A_PRODUCT)
        ]
        stored = change.connection.execute(
            insert(PhotoRow).returning(PhotoRow.number, sort_by_parameter_order=True), photos
        ).scalars()
        change.connection.execute(
            insert(PredictionRow),
            [
                {"photo": number, "model": model, **answers[(start + place // PHOTOS_A_PRODUCT) % KINDS][0]}
                for place, number in enumerate(stored)
            ],
        )


def iter_products(
    change: Change, levels: tuple[str, ...], answers: list[Any], positions: range
) -> Iterator[dict[str, Any]]:
    """Yield the rows of products."""
    for position in positions:
        row = new_product(change, position, f"Product {position * 7919 % 100_003}")
        row |= {"key": f"SKU-{position}", "predicted": answers[position % KINDS][1], "version": 1}
        standing = find_standing(row, levels, None)
        yield row | {
            "labels": standing.labels,
            "state": "checked" if position % 3 == 0 else standing.state,
            "needs": standing.needs,
            "why": standing.why,
            "confidence": standing.confidence,
            "updated_by": ("ann", "bob", None)[position % 3],
            "search": f"sku-{position}\n{row['name'].casefold()}\n"
            + "\n".join(value.casefold() for value in standing.labels.values()),
        }


def make_photo(batch: int, product: int, position: int, view: int) -> dict[str, Any]:
    """Return the row of a photo without content."""
    return {
        "batch": batch,
        "product": product,
        "position": position * PHOTOS_A_PRODUCT + view,
        "name": f"SKU-{position}_{view}.jpg",
        "sha256": f"{position:060d}{view:04d}",
        "size_bytes": 1,
        "width": 60,
        "height": 80,
        "view": ("front", "back")[view % 2],
        "by_hand": False,
        "todo": False,
    }


def measure(name: str, call: Callable[[], object]) -> None:
    """Print how long a call takes: first, median and slowest of the others, and this process's CPU time."""
    started = time.perf_counter()
    call()
    first = time.perf_counter() - started
    times, cpu = [], []
    for _ in range(CALLS):
        started, worked = time.perf_counter(), time.process_time()
        call()
        times.append(time.perf_counter() - started)
        cpu.append(time.process_time() - worked)
    shown = (first, statistics.median(times), max(times), statistics.median(cpu))
    print(f"{name:38}" + "".join(f"{1000 * seconds:10.1f}" for seconds in shown), flush=True)


def main() -> None:
    """Fill a batch and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--url", default="", help="a PostgreSQL database that is empty")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(given.url or sqlite_url(Path(folder) / "bench.db"))
        run(engine, Path(folder), given.products)
        engine.dispose()


def run(engine: Any, folder: Path, count: int) -> None:  # noqa: ANN401 - an Engine
    """Measure on a database."""
    path = find_bundle("default")
    card = read_card(path)
    store = Store(engine, PhotoFolder(folder), DEFAULT_LIMITS, lambda card: dict.fromkeys(card.columns, 0.6))
    products = Products(store)
    model = StoredModel("default", card.name, card.version, "0" * 64, card)
    batches, decisions = Batches(products, lambda _: model), Decisions(products)
    batch = batches.create("bench", None, "ann")["id"]
    started = time.perf_counter()
    with store.engine.connect() as connection:
        row = store.find_batch(connection, batch)
    with store.changing(row.number) as change:
        fill(store, change, row.model, count)
    print(
        f"{engine.dialect.name}: {count:,} products made in {time.perf_counter() - started:.1f} s", flush=True
    )
    print(f"{'':38} {'first ms':>9} {'median ms':>9} {'slowest':>9} {'CPU ms':>9}")
    with store.engine.connect() as connection:
        number = connection.execute(select(BatchRow.number)).scalar_one()
    measure_reading(products, batches, batch)
    measure_deciding(decisions, products, batch)
    assert number == row.number  # noqa: S101


def measure_reading(products: Products, batches: Batches, batch: str) -> None:
    """Measure lists, counts and filters."""
    colour = next(iter(products.count(batch, Filter())["attributes"]["baseColour"]))
    category = next(iter(products.count(batch, Filter())["paths"])).split("/")
    wanted = {
        "all": Filter(),
        "state to_check": Filter(state="to_check"),
        f"baseColour {colour}": Filter(attributes={"baseColour": colour}),
        f"path {'/'.join(category[:2])}": Filter(path=tuple(category[:2])),
        "needs any, below 0.9": Filter(needs="any", below=0.9),
        "text sku-777": Filter(text="sku-777"),
        "text two words": Filter(text=f"product {colour.casefold()}"),
    }
    for name, filter_ in wanted.items():
        measure(f"list 60, {name}", lambda filter_=filter_: products.page(batch, filter_, Page()))  # type: ignore[misc]
    for sort in ("name", "confidence", "baseColour"):
        measure(f"list 60 by {sort}", lambda sort=sort: products.page(batch, Filter(), Page(sort=sort)))  # type: ignore[misc]
    measure("list 60 from 90,000", lambda: products.page(batch, Filter(), Page(offset=90_000)))
    for name, filter_ in wanted.items():
        measure(f"count, {name}", lambda filter_=filter_: products.count(batch, filter_))  # type: ignore[misc]
    measure("batch with its counts", lambda: batches.get(batch))


def measure_deciding(decisions: Decisions, products: Products, batch: str) -> None:
    """Measure decisions on one product and on 500, and the list that is read afterwards."""
    ids = [int(product["id"]) for product in products.page(batch, Filter(), Page(limit=200))[0]]
    ids += [int(product["id"]) for product in products.page(batch, Filter(), Page(offset=200, limit=200))[0]]
    ids += [int(product["id"]) for product in products.page(batch, Filter(), Page(offset=400, limit=100))[0]]
    genders = list(products.count(batch, Filter())["attributes"]["gender"])
    turn = iter(range(1000))

    def decide(numbers: tuple[int, ...]) -> None:
        value = genders[next(turn) % len(genders)]
        decisions.decide(batch, Decision(products=numbers, set={"gender": value}), "ann")

    measure("decide one product", lambda: decide((ids[0],)))
    measure("decide 500 products", lambda: decide(tuple(ids)))
    measure("undo 500 products", lambda: (decisions.undo(batch, "ann"), decisions.redo(batch, "ann")))

    def decide_and_list() -> None:
        decide((ids[0],))
        products.page(batch, Filter(state="to_check"), Page())

    measure("decide one, then list and count", decide_and_list)


if __name__ == "__main__":
    main()
