"""The derived columns of products, which follow from photos, predictions and decisions. Written only here."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, bindparam, case, func, select, update
from sqlalchemy import Row as DatabaseRow

from hangtag.inference.predictions import category_levels
from hangtag.store.labels import Labeller, Predicted, find_standing
from hangtag.store.store import Change, Store, iter_parts, now
from hangtag.store.tables import BatchRow, PhotoRow, PredictionRow, ProductRow

_PRODUCTS: Final = ProductRow.__table__
_READ: Final = (
    "number", "key", "name", "known", "predicted", "said", "checked", "overruled", "suspected", "version", "updated_by",
)  # fmt: skip
_SEARCHED_CHARACTERS: Final = 2000

_RANKS: Final = {"front": 0, "side": 2, "back": 3, "detail": 4}
IN_ORDER: Final = (
    PhotoRow.product,
    case(_RANKS, value=PhotoRow.view, else_=1),
    PhotoRow.position,
    PhotoRow.number,
)
"""The order of a product's photos: the front first, the rest in the order they came."""


def refresh_products(
    store: Store, change: Change, numbers: Iterable[int], who: str | None = None, model: int | None = None
) -> None:
    """Update the columns that are derived from photos, predictions and decisions for some products of a batch.

    `who` is the person who decided, None for the model. `model` is whose predictions to use, by default those of the
    batch's model.
    """
    model = (
        model
        or change.connection.execute(
            select(BatchRow.model).where(BatchRow.number == change.batch)
        ).scalar_one()
    )
    labeller = store.labeller(change.connection, model)
    levels = category_levels(labeller.card)
    for part in iter_parts(sorted(set(numbers))):
        photos = read_photos(change.connection, part, model)
        answers = _combine(labeller, photos)
        products = change.connection.execute(
            select(*(_PRODUCTS.c[name] for name in _READ)).where(ProductRow.number.in_(part))
        ).all()
        values = []
        for product in products:
            own = photos.get(product.number, [])
            fields = product._asdict() | {"predicted": answers.get(product.number)}
            values.append(_describe(fields, own, levels) | _stamp(change, product, who))
        _write(change.connection, values)


def restate_products(
    store: Store, change: Change, products: Sequence[Mapping[str, Any]], who: str | None
) -> None:
    """Write the decided fields of changed products, and the state that follows, without reading their photos.

    `products` are whole rows as `decisions` reads them, with the new values.
    """
    model = change.connection.execute(
        select(BatchRow.model).where(BatchRow.number == change.batch)
    ).scalar_one()
    levels = category_levels(store.labeller(change.connection, model).card)
    values = []
    for product in products:
        standing = find_standing(product, levels, product["why"] if product["predicted"] is None else None)
        values.append(
            {
                "b_number": product["number"],
                "said": product["said"],
                "checked": product["checked"],
                "overruled": product["overruled"],
                "marks": product["marks"],
                "assigned_to": product["assigned_to"],
                "removed": product["removed"],
                "batch": product["batch"],
                "row": product["row"],
                "labels": standing.labels,
                "state": standing.state,
                "needs": standing.needs,
                "why": standing.why,
                "confidence": standing.confidence,
                "version": product["version"] + 1,
                "revision": change.revision,
                "updated": now(),
                "updated_by": who,
            }
        )
    _write(change.connection, values)


def read_photos(
    connection: Connection, products: Sequence[int], model: int
) -> dict[int, list[DatabaseRow[Any]]]:
    """Return the photos of products with a model's outputs for them, in order, by the product's number."""
    joined = (PredictionRow.photo == PhotoRow.number) & (PredictionRow.model == model)
    columns: list[Any] = [*PhotoRow.__table__.columns]
    columns += [PredictionRow.logits, PredictionRow.ood_score, PredictionRow.flags]
    statement = (
        select(*columns)
        .outerjoin(PredictionRow, joined)
        .where(PhotoRow.product.in_(products))
        .order_by(*IN_ORDER)
    )
    rows = connection.execute(statement)
    return {product: list(photos) for product, photos in groupby(rows, attrgetter("product"))}


def update_state(connection: Connection, batch: int, *, resume: bool = False) -> str:
    """Set whether a batch is being labelled or ready, and return it. A stopped batch stays stopped until `resume`."""
    waits = (PhotoRow.todo, PhotoRow.fetch_from.is_not(None))  # one statement each, as their indexes differ
    is_done = all(
        connection.execute(select(PhotoRow.number).where(wait, PhotoRow.batch == batch).limit(1)).first()
        is None
        for wait in waits
    )
    present = connection.execute(select(BatchRow.state).where(BatchRow.number == batch)).scalar_one()
    resting = "labelling" if resume or present != "stopped" else "stopped"
    state = "ready" if is_done else resting
    connection.execute(update(BatchRow).where(BatchRow.number == batch).values(state=state, message=None))
    return state


def count_photos(connection: Connection, batch: int) -> int:
    """Return how many photos a batch has."""
    counted = select(func.count()).select_from(PhotoRow).where(PhotoRow.batch == batch)
    return int(connection.execute(counted).scalar_one())


def count_waiting(connection: Connection, batch: int) -> tuple[int, int]:
    """Return how many photos of a batch have no prediction yet, and how many of these are still to be fetched."""
    todo, fetched = (
        int(
            connection.execute(
                select(func.count()).select_from(PhotoRow).where(wait, PhotoRow.batch == batch)
            ).scalar_one()
        )
        for wait in (PhotoRow.todo, PhotoRow.fetch_from.is_not(None))
    )
    return todo + fetched, fetched


def answered(photos: Iterable[DatabaseRow[Any]]) -> Iterator[DatabaseRow[Any]]:
    """Iterate the photos that have a prediction."""
    return (photo for photo in photos if photo.logits is not None)


def unpack_photos(labeller: Labeller, photos: Sequence[DatabaseRow[Any]]) -> Any:  # noqa: ANN401 - Predictions
    """Return the predictions of photos that have one."""
    return labeller.unpack(
        [{"logits": photo.logits, "ood_score": photo.ood_score, "flags": photo.flags} for photo in photos]
    )


def _combine(labeller: Labeller, photos: Mapping[int, Sequence[DatabaseRow[Any]]]) -> dict[int, Predicted]:
    """Return the predictions of products that have a labelled photo, by number."""
    labelled = {number: found for number, own in photos.items() if (found := list(answered(own)))}
    if not labelled:
        return {}
    flat = [photo for own in labelled.values() for photo in own]
    starts = np.cumsum([0, *map(len, labelled.values())])[:-1]
    combined = labeller.combine(unpack_photos(labeller, flat), starts)
    return dict(zip(labelled, combined, strict=True))


def _describe(
    product: Mapping[str, Any], photos: Sequence[DatabaseRow[Any]], levels: Sequence[str]
) -> dict[str, Any]:
    standing = find_standing(product, levels, _find_trouble(photos))
    words = [product["key"] or "", product["name"], *(photo.name for photo in photos)]
    words += [str(label) for label in standing.labels.values()]
    is_duplicate = bool(photos) and all(photo.duplicate_of is not None for photo in photos)
    is_near = bool(photos) and all(
        (photo.duplicate_of or photo.near_duplicate_of) is not None for photo in photos
    )
    return {
        "b_number": product["number"],
        "predicted": product["predicted"],
        "labels": standing.labels,
        "duplicate": is_duplicate,
        "near_duplicate": is_near and not is_duplicate,
        "state": standing.state,
        "needs": standing.needs,
        "why": standing.why,
        "confidence": standing.confidence,
        "search": "\n".join(words).casefold()[:_SEARCHED_CHARACTERS],
    }


def _find_trouble(photos: Sequence[DatabaseRow[Any]]) -> str | None:
    if not photos:
        return "no_photo"
    is_waiting = any(photo.todo or photo.fetch_from is not None for photo in photos)
    return "waiting" if is_waiting else "unreadable"


def _stamp(change: Change, product: DatabaseRow[Any], who: str | None) -> dict[str, Any]:
    return {
        "version": product.version + 1,
        "revision": change.revision,
        "updated": now(),
        "updated_by": product.updated_by if who is None else who,
    }


def _write(connection: Connection, values: list[dict[str, Any]]) -> None:
    if values:
        columns: dict[str, Any] = {name: bindparam(name) for name in values[0] if name != "b_number"}
        connection.execute(
            update(_PRODUCTS).where(_PRODUCTS.c.number == bindparam("b_number")).values(**columns), values
        )
