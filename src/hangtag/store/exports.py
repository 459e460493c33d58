"""A batch as a table: one row per product or photo, with the original columns of its sheet."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, select
from sqlalchemy import Row as DatabaseRow

from hangtag.domain.columns import (
    ANSWER,
    ANSWER_LEVEL,
    FAILED,
    FLAGS,
    LABEL_COLUMNS,
    LABELLED,
    PATH,
    REASON,
    STATUS,
    confidence_of,
)
from hangtag.domain.errors import InvalidField, InvalidFieldsError
from hangtag.domain.prediction import Flag
from hangtag.domain.taxonomy import format_path
from hangtag.inference.predictions import category_levels
from hangtag.store.index import Filter
from hangtag.store.labels import decode_flags
from hangtag.store.products import Products, read_cells
from hangtag.store.refresh import IN_ORDER
from hangtag.store.sheet_files import StoredSheet
from hangtag.store.tables import PhotoRow, PredictionRow, ProductRow
from hangtag.tables.cells import Cell, Column, Kind, name_beside, parse_value
from hangtag.tables.writing import Rows

RowKind = Literal["product", "photo"]

SKU: Final = "sku"
NAME: Final = "name"
PHOTOS: Final = "photos"
VIEW: Final = "view"
STATE: Final = "state"
CHANGED: Final = "corrected"
DECIDED_BY: Final = "decided_by"
WAITING: Final = "waiting"
_ROWS_AT_A_TIME: Final = 1000


@dataclass(frozen=True, slots=True)
class ExportedTable:
    """A table to write: its name, its columns, and its rows in batches."""

    name: str
    kinds: dict[str, Kind]
    rows: Iterator[Rows]


def export_batch(
    products: Products,
    batch_id: str,
    wanted: Filter,
    rows: RowKind = "product",
    columns: Sequence[str] | None = None,
) -> ExportedTable:
    """Return the products of a batch that match a filter as a table. `columns` selects columns and their order.

    A column of the sheet is called `NAME (sheet)` if hangtag's own column has that name. Raises `NotStoredError` for
    an unknown batch, and `InvalidFieldsError` for unknown columns.
    """
    store = products.store
    with store.engine.connect() as connection:
        batch = store.find_batch(connection, batch_id)
        levels = category_levels(store.labeller(connection, batch.model).card)
        known = store.vocabulary(connection, batch.model).columns
        numbers = products.find_numbers(connection, batch, wanted)
    sheet = None if batch.sheet is None else StoredSheet.from_json(batch.sheet)
    builder = _Builder((levels, known), () if sheet is None else sheet.columns, rows)
    kinds = builder.kinds
    if columns is not None:
        unknown = [name for name in columns if name not in kinds]
        if unknown:
            message = f"there is no column {', '.join(map(repr, unknown))}"
            raise InvalidFieldsError(InvalidField("columns", message, tuple(kinds)))
        kinds = {name: kinds[name] for name in columns}

    def iter_rows() -> Iterator[Rows]:
        for start in range(0, len(numbers), _ROWS_AT_A_TIME):
            part = numbers[start : start + _ROWS_AT_A_TIME]
            with store.engine.connect() as connection:
                yield builder.build(connection, batch, part)

    return ExportedTable(batch.name, kinds, iter_rows())


class _Builder:
    """Builds the rows of one table, column by column."""

    def __init__(
        self, answered: tuple[Sequence[str], Sequence[str]], sheet: Sequence[Column], rows: RowKind
    ) -> None:
        self._sheet = sheet
        self._rows = rows
        self._levels, known = answered
        self._columns: list[str] = [column for column in LABEL_COLUMNS if column in known]
        self._columns += [column for column in known if column not in LABEL_COLUMNS]
        self._own = self._own_kinds()
        self._sheet_names = name_beside([column.name for column in sheet], self._own, "sheet")

    @property
    def kinds(self) -> dict[str, Kind]:
        """The columns in order with their kinds: those of the sheet, then hangtag's own."""
        kinds = (column.kind for column in self._sheet)
        return dict(zip(self._sheet_names, kinds, strict=True)) | self._own

    def build(self, connection: Connection, batch: DatabaseRow[Any], numbers: Sequence[int]) -> Rows:
        """Return the rows of some products."""
        found = connection.execute(
            select(*ProductRow.__table__.columns).where(
                ProductRow.number.in_(numbers), ProductRow.batch == batch.number, ~ProductRow.removed
            )
        )
        by_number = {product.number: product for product in found}
        products = [by_number[number] for number in numbers if number in by_number]
        photos = _read_photos(connection, batch.model, list(by_number))
        cells = read_cells(connection, batch.number, products)
        entries: list[tuple[DatabaseRow[Any], DatabaseRow[Any] | None]]
        if self._rows == "product":
            entries = [(product, None) for product in products]
        else:
            entries = [
                (product, photo) for product in products for photo in photos.get(product.number, [None])
            ]
        rows: Rows = {name: [] for name in self.kinds}
        for product, photo in entries:
            values = self._describe(product, photos.get(product.number, []), photo)
            values |= self._type(cells.get(product.row))
            for name, cell in rows.items():
                cell.append(values[name])
        return rows

    def _own_kinds(self) -> dict[str, Kind]:
        head = {PATH: Kind.PATH, VIEW: Kind.TEXT} if self._rows == "photo" else {PHOTOS: Kind.NAMES}
        labels = {
            name: kind
            for column in self._columns
            for name, kind in ((column, Kind.TEXT), (confidence_of(column), Kind.CONFIDENCE))
        }
        texts = (STATE, CHANGED, DECIDED_BY, STATUS, REASON)
        return {
            SKU: Kind.TEXT,
            NAME: Kind.TEXT,
            **head,
            **labels,
            ANSWER: Kind.TEXT,
            ANSWER_LEVEL: Kind.TEXT,
            FLAGS: Kind.NAMES,
            **dict.fromkeys(texts, Kind.TEXT),
        }

    def _describe(
        self, product: DatabaseRow[Any], photos: Sequence[DatabaseRow[Any]], photo: DatabaseRow[Any] | None
    ) -> dict[str, Cell]:
        answer = self._find_answer(product)
        corrected = [name for name, entry in product.said.items() if entry["state"] == "corrected"]
        values: dict[str, Cell] = {
            SKU: product.key,
            NAME: product.name,
            ANSWER: format_path(answer) or None,
            ANSWER_LEVEL: self._levels[len(answer) - 1] if answer else None,
            STATE: product.state,
            CHANGED: ", ".join(corrected) or None,
            DECIDED_BY: product.updated_by,
            STATUS: _find_status(product),
            REASON: product.why if product.predicted is None else None,
            FLAGS: tuple(_find_flags(product, photo)),
        }
        if self._rows == "product":
            values[PHOTOS] = tuple(own.name for own in photos)
        else:
            values[PATH] = None if photo is None else photo.name
            values[VIEW] = None if photo is None else photo.view
            if photo is not None and photo.reason is not None:
                values[REASON] = photo.reason
        for column in self._columns:
            values[column], values[confidence_of(column)] = _find_label(product, column)
        return values

    def _find_answer(self, product: DatabaseRow[Any]) -> list[str]:
        """Return the category path, as far as the model is confident of it or a person set it."""
        path = [product.labels[level] for level in self._levels if level in product.labels]
        depth = product.predicted["depth"] if product.predicted else 0
        while depth < len(path) and self._levels[depth] in product.said:
            depth += 1
        return path[:depth]

    def _type(self, cells: Sequence[str] | None) -> Mapping[str, Cell]:
        if cells is None:
            return dict.fromkeys(self._sheet_names)
        return {
            name: parse_value(text, column.kind)
            for name, column, text in zip(self._sheet_names, self._sheet, cells, strict=True)
        }


def _find_label(product: DatabaseRow[Any], column: str) -> tuple[Cell, Cell]:
    """Return the current label and the model's confidence in it, which is None if a person set another label."""
    value = product.labels.get(column)
    own = product.predicted["values"].get(column) if product.predicted else None
    return value, own[1] if own is not None and own[0] == value else None


def _find_status(product: DatabaseRow[Any]) -> str:
    if product.predicted is not None or product.said:
        return LABELLED
    return FAILED if product.why is not None else WAITING


def _find_flags(product: DatabaseRow[Any], photo: DatabaseRow[Any] | None) -> list[str]:
    flags = set(product.predicted["flags"]) if product.predicted else set()
    if photo is not None:
        flags = set(decode_flags(photo.flags or 0))
    if product.overruled is not None:
        flags -= {Flag.NOT_A_PRODUCT.value}
        flags |= {Flag.NOT_A_PRODUCT.value} if product.overruled else set()
    flags |= {name for name, is_set in product.marks.items() if is_set}
    return sorted(flags - {name for name, is_set in product.marks.items() if not is_set})


def _read_photos(
    connection: Connection, model: int, products: Sequence[int]
) -> dict[int, list[DatabaseRow[Any]]]:
    joined = (PredictionRow.photo == PhotoRow.number) & (PredictionRow.model == model)
    columns: list[Any] = [
        PhotoRow.product,
        PhotoRow.name,
        PhotoRow.view,
        PhotoRow.reason,
        PredictionRow.flags,
    ]
    statement = (
        select(*columns)
        .outerjoin(PredictionRow, joined)
        .where(PhotoRow.product.in_(products))
        .order_by(*IN_ORDER)
    )
    found: dict[int, list[DatabaseRow[Any]]] = {}
    for photo in connection.execute(statement):
        found.setdefault(photo.product, []).append(photo)
    return found
