"""Products for people and programs: found, counted, and described with their photos and labels."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, func, select
from sqlalchemy import Row as DatabaseRow

from hangtag.domain.errors import NotStoredError
from hangtag.domain.prediction import Flag
from hangtag.inference.predictions import Predictions, category_levels
from hangtag.store.index import BatchIndexes, Filter, UsedIndex
from hangtag.store.labels import CANDIDATES, Labeller, decode_flags, find_disagreements
from hangtag.store.refresh import answered, read_photos, unpack_photos
from hangtag.store.sheet_files import StoredSheet
from hangtag.store.store import Store, iter_parts
from hangtag.store.tables import BatchRow, EmbeddingRow, ModelRow, PhotoRow, ProductRow, SheetRow
from hangtag.tables.cells import Column, parse_value

LARGEST_NUMBER: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of the products to return, and in which order."""

    offset: int = 0
    limit: int = 60
    sort: str = "added"
    descending: bool = False


class Products:
    """Reads the products of a store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._indexes = BatchIndexes()

    def page(self, batch_id: str, wanted: Filter, page: Page) -> tuple[list[dict[str, Any]], int]:
        """Return a page of the products that match a filter, and their total."""
        with self.store.engine.connect() as connection:
            batch = self.store.find_batch(connection, batch_id)
            with self._index(connection, batch) as index:
                found = index.find(wanted)
                total = int(found.sum())
                places = index.sort(found, page.sort, descending=page.descending)
                numbers = index.number[places[page.offset : page.offset + page.limit]].tolist()
            return self.describe(connection, batch, numbers), total

    def count(self, batch_id: str, wanted: Filter) -> dict[str, Any]:
        """Return the counts of the products that match a filter."""
        with self.store.engine.connect() as connection:
            batch = self.store.find_batch(connection, batch_id)
            with self._index(connection, batch) as index:
                found = index.find(wanted)
                counts, unreadable = index.count(found), index.find_unreadable(found)
            return counts | {"reasons": _count_reasons(connection, unreadable)}

    def find_numbers(self, connection: Connection, batch: DatabaseRow[Any], wanted: Filter) -> list[int]:
        """Return the numbers of the products that match a filter, in the order of the batch."""
        with self._index(connection, batch) as index:
            found = index.find(wanted)
            numbers: list[int] = index.number[index.sort(found, "added", descending=False)].tolist()
            return numbers

    def summarise(self, connection: Connection, batch: DatabaseRow[Any]) -> dict[str, int]:
        """Return the counts for a list of batches, except that of the photos."""
        with self._index(connection, batch) as index:
            return index.summarise()

    def get(self, batch_id: str, product: int) -> dict[str, Any]:
        """Return a product. Raises `NotStoredError`."""
        with self.store.engine.connect() as connection:
            batch = self.store.find_batch(connection, batch_id)
            found = self.describe(connection, batch, [product])
        if not found:
            raise NotStoredError("the batch has no such product")
        return found[0]

    def similar(self, batch_id: str, product: int, limit: int) -> list[dict[str, Any]]:
        """Return the products of a batch that look most like one, by the cosine similarity of their embeddings.

        Empty if the model or the product has no embeddings.
        """
        with self.store.engine.connect() as connection:
            batch = self.store.find_batch(connection, batch_id)
            numbers, vectors = read_embeddings(
                connection, batch.number, self.store.base_of(connection, batch.model)
            )
            if product not in numbers:
                self.get(batch_id, product)
                return []
            own = vectors[numbers.index(product)]
            likeness = vectors @ own
            order = [place for place in np.argsort(-likeness, kind="stable") if numbers[place] != product]
            best = order[:limit]
            described = self.describe(connection, batch, [numbers[place] for place in best])
        by_id = {found["id"]: found for found in described}
        return [
            {"product": by_id[str(numbers[place])], "similarity": round(float(likeness[place]), 4)}
            for place in best
            if str(numbers[place]) in by_id
        ]

    def describe(
        self, connection: Connection, batch: DatabaseRow[Any], numbers: Sequence[int]
    ) -> list[dict[str, Any]]:
        """Return products as the API shows them, in the order of their numbers, without deleted ones."""
        labeller = self.store.labeller(connection, batch.model)
        model = select(ModelRow.id, ModelRow.name, ModelRow.version).where(ModelRow.number == batch.model)
        made_by = connection.execute(model).one()._asdict()
        found: dict[int, dict[str, Any]] = {}
        sheet = None if batch.sheet is None else StoredSheet.from_json(batch.sheet)
        for part in iter_parts(numbers):
            rows = connection.execute(
                select(*ProductRow.__table__.columns).where(
                    ProductRow.number.in_(part), ProductRow.batch == batch.number, ~ProductRow.removed
                )
            ).all()
            photos = read_photos(connection, [row.number for row in rows], batch.model)
            duplicates = _read_duplicates(connection, photos)
            cells = read_cells(connection, batch.number, rows)
            answers = _Answers(labeller, photos)
            for row in rows:
                described = _describe_product(row, batch.id, labeller, answers.candidates.get(row.number))
                for name, attribute in described["label"].items():
                    is_known = row.predicted is not None and name in row.predicted["values"]
                    attribute["made_by"] = made_by if is_known else None
                described["row"] = None if sheet is None else type_row(cells.get(row.row), sheet.columns)
                described["photos"] = [
                    _describe_photo(photo, answers.disagreeing.get(photo.number, []), duplicates)
                    for photo in photos.get(row.number, [])
                ]
                found[row.number] = described
        return [found[number] for number in numbers if number in found]

    def _index(self, connection: Connection, batch: DatabaseRow[Any]) -> UsedIndex:
        card = self.store.labeller(connection, batch.model).card
        columns = self.store.vocabulary(connection, batch.model).columns
        return self._indexes.using(connection, batch.number, category_levels(card), columns)


def _count_reasons(connection: Connection, products: Sequence[int]) -> dict[str, int]:
    """Return why photos of products cannot be read, and how many for each reason."""
    counts = Counter[str]()
    for part in iter_parts(products):
        wanted = (PhotoRow.product.in_(part), PhotoRow.reason.is_not(None))
        statement = select(PhotoRow.reason, func.count()).where(*wanted).group_by(PhotoRow.reason)
        for reason, count in connection.execute(statement):
            counts[str(reason)] += count
    return dict(counts.most_common())


class _Answers:
    """The model's predictions for the products of a page: candidates by product, disagreements by photo."""

    def __init__(self, labeller: Labeller, photos: Mapping[int, Sequence[DatabaseRow[Any]]]) -> None:
        self.candidates: dict[int, dict[str, list[dict[str, Any]]]] = {}
        self.disagreeing: dict[int, list[str]] = {}
        labelled = {number: found for number, own in photos.items() if (found := list(answered(own)))}
        if not labelled:
            return
        flat = [photo for own in labelled.values() for photo in own]
        starts = np.cumsum([0, *map(len, labelled.values())])[:-1]
        single = unpack_photos(labeller, flat)
        combined = labeller.builder.combine(single, starts)
        ranked = {column: _rank(combined, column) for column in combined.columns}
        for row, number in enumerate(labelled):
            self.candidates[number] = {column: ranked[column][row] for column in ranked}
        for column, differs in find_disagreements(single, combined, starts).items():
            for place in np.flatnonzero(differs).tolist():
                self.disagreeing.setdefault(flat[place].number, []).append(column)


def type_row(cells: Sequence[str] | None, columns: Sequence[Column]) -> dict[str, Any] | None:
    """Return the cells of a row as typed values by column, dates as ISO text; None without a row."""
    if cells is None:
        return None
    typed: dict[str, Any] = {}
    for column, text in zip(columns, cells, strict=False):
        value = parse_value(text, column.kind)
        typed[column.name] = value.isoformat() if isinstance(value, dt.date) else value
    return typed


def _rank(found: Predictions, column: str) -> list[list[dict[str, Any]]]:
    classes = found.card.head(column).classes
    indices, values = found.top_k(column, CANDIDATES)
    return [
        [
            {"value": classes[index], "confidence": round(value, 5)}
            for index, value in zip(row, confidences, strict=True)
        ]
        for row, confidences in zip(indices.tolist(), values.tolist(), strict=True)
    ]


def _describe_product(
    row: DatabaseRow[Any],
    batch_id: str,
    labeller: Labeller,
    candidates: Mapping[str, list[dict[str, Any]]] | None,
) -> dict[str, Any]:
    predicted, said = row.predicted, row.said
    levels = category_levels(labeller.card)
    label = {}
    for column in dict.fromkeys([*labeller.card.columns, *row.labels]):
        if column in row.labels:
            label[column] = _describe_attribute(column, row, candidates)
    path = [label[level]["value"] for level in levels if level in label]
    depth = 0 if predicted is None else predicted["depth"]
    while depth < len(path) and levels[depth] in said:
        depth += 1
    flags = set(predicted["flags"]) if predicted else set()
    by_model = Flag.NOT_A_PRODUCT.value in flags
    flags = (flags | {name for name, is_set in row.marks.items() if is_set}) - {Flag.NOT_A_PRODUCT.value}
    flags -= {name for name, is_set in row.marks.items() if not is_set}
    is_needed = row.needs is not None or row.why is not None
    return {
        "id": str(row.number),
        "batch": batch_id,
        "key": row.key,
        "name": row.name,
        "row": None,
        "photos": [],
        "label": label,
        "path": path,
        "confident_depth": depth,
        "state": row.state,
        "needs": {"attribute": row.needs, "why": row.why} if is_needed else None,
        "flags": sorted(flags),
        "not_a_product": {"by_model": by_model, "decided": row.overruled},
        "known": row.known or {},
        "assigned_to": row.assigned_to,
        "comments": row.comments,
        "version": row.version,
        "updated": row.updated,
        "updated_by": row.updated_by,
    }


def _describe_attribute(
    column: str, row: DatabaseRow[Any], candidates: Mapping[str, list[dict[str, Any]]] | None
) -> dict[str, Any]:
    own = row.predicted["values"].get(column) if row.predicted else None
    entry = row.said.get(column)
    confidence = own[1] if own is not None and (entry is None or entry["value"] == own[0]) else None
    is_confident = entry is not None or (own is not None and column not in row.predicted["doubtful"])
    return {
        "value": row.labels[column],
        "confidence": confidence,
        "confident": is_confident,
        "state": "predicted" if entry is None else entry["state"],
        "by": None if entry is None else entry["by"],
        "candidates": [] if candidates is None else candidates.get(column, []),
    }


def _describe_photo(
    photo: DatabaseRow[Any], disagrees: list[str], duplicates: Mapping[int, dict[str, Any]]
) -> dict[str, Any]:
    earlier = photo.duplicate_of or photo.near_duplicate_of
    error = None if photo.reason is None else {"reason": photo.reason, "message": photo.detail or ""}
    return {
        "id": str(photo.number),
        "name": photo.name,
        "view": photo.view,
        "width": photo.width,
        "height": photo.height,
        "flags": decode_flags(photo.flags or 0),
        "error": error,
        "duplicate_of": None if earlier is None else duplicates.get(earlier),
        "is_near_duplicate": photo.duplicate_of is None and photo.near_duplicate_of is not None,
        "disagrees": disagrees,
        "waiting": photo.todo or photo.fetch_from is not None,
    }


def _read_duplicates(
    connection: Connection, photos: Mapping[int, Sequence[DatabaseRow[Any]]]
) -> dict[int, dict[str, Any]]:
    """Return where the originals of duplicate photos are, by number."""
    earlier = (photo.duplicate_of or photo.near_duplicate_of for own in photos.values() for photo in own)
    wanted = {number for number in earlier if number is not None}
    found: dict[int, dict[str, Any]] = {}
    for part in iter_parts(sorted(wanted)):
        statement = (
            select(PhotoRow.number, PhotoRow.product, BatchRow.id)
            .join(BatchRow, BatchRow.number == PhotoRow.batch)
            .where(PhotoRow.number.in_(part))
        )
        for number, product, batch in connection.execute(statement):
            found[number] = {"batch": batch, "product": str(product), "photo": str(number)}
    return found


def read_cells(
    connection: Connection, batch: int, rows: Sequence[DatabaseRow[Any]]
) -> dict[int | None, list[str]]:
    """Return the cells of the rows of products, by the position of the row."""
    wanted = sorted({row.row for row in rows if row.row is not None})
    statement = select(SheetRow.position, SheetRow.cells).where(
        SheetRow.batch == batch, SheetRow.position.in_(wanted)
    )
    return {row[0]: row[1] for row in connection.execute(statement)} if wanted else {}


def read_embeddings(
    connection: Connection, batch: int, base: int
) -> tuple[list[int], np.ndarray[Any, np.dtype[np.float32]]]:
    """Return the products of a batch and their embeddings: the normalised mean of their photos' embeddings."""
    statement = (
        select(PhotoRow.product, EmbeddingRow.vector)
        .join(EmbeddingRow, EmbeddingRow.photo == PhotoRow.number)
        .join(ProductRow, ProductRow.number == PhotoRow.product)
        .where(PhotoRow.batch == batch, EmbeddingRow.model == base, ~ProductRow.removed)
        .order_by(PhotoRow.product)
    )
    rows = connection.execute(statement).all()
    if not rows:
        return [], np.zeros((0, 0), np.float32)
    vectors = np.frombuffer(b"".join(row.vector for row in rows), "<f2").reshape(len(rows), -1)
    owners = np.array([row.product for row in rows])
    numbers, starts = np.unique(owners, return_index=True)
    unit = vectors.astype(np.float32)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-6)
    mean = np.add.reduceat(unit, starts, axis=0)
    mean /= np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-6)
    return numbers.tolist(), mean


def parse_id(text: str, what: str) -> int:
    """Return the number in an id of the API. Raises `NotStoredError`."""
    if text.isascii() and text.isdecimal() and int(text) <= LARGEST_NUMBER:
        return int(text)
    raise NotStoredError(f"there is no {what} {text!r}")
