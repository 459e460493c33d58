"""Predictions of shop models, derived from those of their base model, so that no photo is decoded again.

A shop model is its base with a linear shift of some heads. The base's logits and embedding are stored for each photo,
and the shop model's logits follow from them.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy import Row as DatabaseRow

from hangtag.bundle.heads import HeadShift
from hangtag.inference.predictions import Floats
from hangtag.store.database import writing
from hangtag.store.refresh import refresh_products
from hangtag.store.shop_models import BundleFolder, find_labelling, note_changes, read_shifts
from hangtag.store.store import Change, Store, iter_parts
from hangtag.store.tables import BatchRow, EmbeddingRow, ModelRow, PhotoRow, PredictionRow, ProductRow

_KEPT: Final = 4
_AT_ONCE: Final = 100
"""How many photos or products are changed in one transaction: it takes some tenths of a second."""

Shifts = Mapping[str, HeadShift]


class ShiftReader:
    """Reads the shifts of shop models relative to their bases. Thread-safe. `find_base(id)` returns a base's bundle."""

    def __init__(self, folder: BundleFolder, find_base: Callable[[str], Path]) -> None:
        self._folder = folder
        self._find_base = find_base
        self._known: OrderedDict[int, Shifts] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, connection: Connection, model: int, columns: Sequence[str]) -> Shifts:
        """Return the shifts of a shop model by column, given its number and columns. Raises `BundleError`."""
        with self._lock:
            if model not in self._known:
                row = connection.execute(
                    select(ModelRow.base, ModelRow.sha256).where(ModelRow.number == model)
                ).one()
                base = connection.execute(select(ModelRow.id).where(ModelRow.number == row.base)).scalar_one()
                self._known[model] = read_shifts(
                    self._find_base(base), self._folder.path(row.sha256), columns
                )
                while len(self._known) > _KEPT:
                    self._known.popitem(last=False)
            self._known.move_to_end(model)
            return self._known[model]


def derive_answers(store: Store, connection: Connection, model: int, photos: Iterable[int]) -> None:
    """Store a shop model's predictions for those photos that have its base's predictions but not its own."""
    base = store.base_of(connection, model)
    if base == model:
        return
    of_base, own = store.labeller(connection, base), store.labeller(connection, model)
    shifts = store.shifts.read(connection, model, own.card.columns)
    for part in iter_parts(sorted(set(photos))):
        rows = _read_answers(connection, base, model, part)
        if rows:
            outputs, flagged = of_base.read_outputs([dict(row._mapping) for row in rows])  # noqa: SLF001 - SQLAlchemy's name
            embedding = read_vectors(rows)
            found = own.builder.build(shift_outputs(own.card.columns, outputs, embedding, shifts), flagged)
            packed = zip(rows, own.pack(found), strict=True)
            values = [{"photo": row.photo, "model": model, **answer} for row, answer in packed if answer]
            connection.execute(insert(PredictionRow), values)


def shift_outputs(
    columns: Sequence[str], outputs: Mapping[str, Floats], embedding: Floats, shifts: Shifts
) -> dict[str, Floats]:
    """Return the outputs of a shop model with these columns, given its base's outputs and embeddings (n, d)."""
    found = dict(outputs)
    nothing = np.zeros((len(embedding), 0), np.float32)
    for column in columns:
        if column in shifts:
            found[column] = shifts[column].apply(embedding, outputs.get(column, nothing))
    return found


def read_vectors(rows: Sequence[DatabaseRow[Any]]) -> Floats:
    """Return the embeddings (n, d) of rows with a `vector`."""
    joined = b"".join(row.vector for row in rows)
    return np.frombuffer(joined, "<f2").reshape(len(rows), -1).astype(np.float32)


def follow_shop(store: Store, change: Change) -> int:
    """Switch a batch to the version of its model that is in use, and derive predictions where possible.

    Returns the version's number. Products are not refreshed.
    """
    present = change.connection.execute(
        select(BatchRow.model).where(BatchRow.number == change.batch)
    ).scalar_one()
    model = find_labelling(change.connection, store.base_of(change.connection, present))
    if model != present:
        change.connection.execute(update(BatchRow).where(BatchRow.number == change.batch).values(model=model))
    derive_answers(store, change.connection, model, _list_photos(change.connection, change.batch))
    return model


def relabel_batch(store: Store, batch: int) -> dict[str, int] | None:
    """Give a batch the labels of the version in use. Returns how many labels changed and products were settled.

    Predictions are derived and labels changed in small transactions, so that decisions never wait long for the
    database. The last transaction switches the batch; if the process ends before, the next one starts over. Returns
    None if there was nothing to do.
    """
    with store.engine.connect() as connection:
        row = connection.execute(select(BatchRow.model).where(BatchRow.number == batch)).first()
        wanted = None if row is None else find_labelling(connection, store.base_of(connection, row.model))
        if row is None or wanted is None or wanted == row.model:
            return None
        photos = _list_photos(connection, batch)
        before = _read_standing(connection, batch)
    for part in iter_parts(photos, _AT_ONCE):
        with writing(store.engine) as connection:
            derive_answers(store, connection, wanted, part)
    followed: dict[int, int] = {}
    for part in iter_parts(list(before), _AT_ONCE):
        with store.changing(batch) as change:
            own = select(ProductRow.number).where(ProductRow.number.in_(part), ProductRow.batch == batch)
            there = change.connection.execute(own).scalars().all()
            refresh_products(store, change, there, model=wanted)
            followed |= dict.fromkeys(there, change.revision)
    with store.changing(batch) as change:
        model = follow_shop(store, change)
        revisions = select(ProductRow.number, ProductRow.revision).where(ProductRow.batch == batch)
        rest = [
            row.number
            for row in change.connection.execute(revisions)
            if model != wanted or followed.get(row.number) != row.revision
        ]
        refresh_products(store, change, rest)
        after = _read_standing(change.connection, batch)
        if store.base_of(change.connection, row.model) != row.model and model != row.model:
            _forget(change.connection, row.model, photos)
        counts, touched = _find_changes(before, after)
        note_changes(change.connection, model, batch, counts, touched)
    return counts


def _forget(connection: Connection, model: int, photos: Sequence[int]) -> None:
    """Remove the predictions of a version that is no longer in use. They can be derived again."""
    for part in iter_parts(photos):
        connection.execute(
            delete(PredictionRow).where(PredictionRow.model == model, PredictionRow.photo.in_(part))
        )


def _list_photos(connection: Connection, batch: int) -> list[int]:
    return list(
        connection.execute(
            select(PhotoRow.number).where(PhotoRow.batch == batch).order_by(PhotoRow.number)
        ).scalars()
    )


def _read_answers(
    connection: Connection, base: int, model: int, photos: Sequence[int]
) -> Sequence[DatabaseRow[Any]]:
    own = select(PredictionRow.photo).where(PredictionRow.model == model, PredictionRow.photo.in_(photos))
    joined = (EmbeddingRow.photo == PredictionRow.photo) & (EmbeddingRow.model == PredictionRow.model)
    columns: list[Any] = [PredictionRow.photo, PredictionRow.logits, PredictionRow.ood_score]
    columns += [PredictionRow.flags, EmbeddingRow.vector]
    return connection.execute(
        select(*columns)
        .join(EmbeddingRow, joined)
        .where(PredictionRow.model == base, PredictionRow.photo.in_(photos), PredictionRow.photo.not_in(own))
    ).all()


def _read_standing(connection: Connection, batch: int) -> dict[int, DatabaseRow[Any]]:
    columns = (ProductRow.number, ProductRow.labels, ProductRow.why, ProductRow.said)
    statement = select(*columns).where(ProductRow.batch == batch, ~ProductRow.removed)
    return {row.number: row for row in connection.execute(statement)}


def _find_changes(
    before: Mapping[int, DatabaseRow[Any]], after: Mapping[int, DatabaseRow[Any]]
) -> tuple[dict[str, int], list[int]]:
    """Return how many labels changed and products were settled, and which products those are."""
    changed = settled = 0
    touched = []
    for number, row in after.items():
        past = before.get(number, row)
        differ = sum(past.labels.get(name) != label for name, label in row.labels.items())
        is_settled = past.why is not None and row.why is None
        changed, settled = changed + differ, settled + is_settled
        if differ or is_settled:
            touched.append(number)
    return {"changed": changed, "settled": settled}, touched
