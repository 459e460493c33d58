"""Batches: creating, listing, changing, duplicating and deleting them; their sheets and groupings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, func, insert, literal, select, update
from sqlalchemy import Row as DatabaseRow

from hangtag.domain.errors import InvalidField, InvalidFieldsError, NotStoredError
from hangtag.store.database import writing
from hangtag.store.derived import follow_shop
from hangtag.store.fetching import find_missing, plan_fetching
from hangtag.store.grouping import By, group_photos, propose_groupings
from hangtag.store.intake import NewPhoto, insert_photos
from hangtag.store.keeping import measure_usage
from hangtag.store.products import Products, type_row
from hangtag.store.refresh import count_photos, count_waiting, update_state
from hangtag.store.regroup import AUTOMATIC, regroup
from hangtag.store.removal import delete_batch
from hangtag.store.sheet_files import StoredSheet, parse_stored, read_rows, read_sheet, use_sheet, write_sheet
from hangtag.store.sheets import ColumnMapping, MatchedSheet, SheetRows, match_sheet, propose_mapping
from hangtag.store.shop_models import find_labelling
from hangtag.store.shop_settings import read_setting
from hangtag.store.store import Change, Store, StoredModel, find_answer, keep_answer, new_id, now
from hangtag.store.tables import (
    BatchRow,
    ModelRow,
    PhotoRow,
    PredictionRow,
    ProductRow,
    SheetRow,
)

CATALOGUE_REVIEWS: Final = "catalogue_reviews"
"""The shop setting with the batches made from the catalogue's findings."""

_COVER_PHOTOS: Final = 4
_PREVIEWED_ROWS: Final = 20
_SAMPLES: Final = 3
_NAME_CHARACTERS: Final = 200

FindModel = Callable[[str | None], StoredModel]
"""Returns the model with an id, or the default model for None. Raises if there is none."""


@dataclass(frozen=True, slots=True)
class BatchChange:
    """What to change about a batch. `fields` are columns of its row; `model` is the id of another model.

    `labelling` stops or resumes the labelling of its photos.
    """

    fields: Mapping[str, Any]
    model: str | None = None
    labelling: bool | None = None


class Batches:
    """Reads and changes the batches of a store."""

    def __init__(self, products: Products, find_model: FindModel) -> None:
        self._products = products
        self._store = products.store
        self._find_model = find_model

    def create(
        self, name: str | None, model: str | None, who: str | None, key: str | None = None
    ) -> dict[str, Any]:
        """Create an empty batch. A repeated `Idempotency-Key` returns the batch created before."""
        chosen = self._find_model(model)
        with writing(self._store.engine) as connection:
            known = find_answer(connection, key)
            if known is None:
                batch_id = new_id()
                called = (name or f"{now():%d %B %Y, %H:%M}")[:_NAME_CHARACTERS]
                values = {"id": batch_id, "name": called, "created_by": who}
                insert_batch(self._store, connection, chosen, values)
                keep_answer(connection, key, {"id": batch_id})
            else:
                batch_id = known["id"]
        return self.get(batch_id)

    def get(self, batch_id: str) -> dict[str, Any]:
        """Return a batch; raises `NotStoredError`."""
        with self._store.engine.connect() as connection:
            return self._describe(connection, self._store.find_batch(connection, batch_id))

    def page(self, *, archived: bool, text: str, page: tuple[int, int]) -> tuple[list[dict[str, Any]], int]:
        """Return a page (offset, limit) of the batches, most recently changed first, and their total."""
        offset, limit = page
        wanted = [BatchRow.archived == archived]
        if text:
            wanted.append(BatchRow.name.icontains(text, autoescape=True))
        with self._store.engine.connect() as connection:
            total = connection.execute(select(func.count()).select_from(BatchRow).where(*wanted)).scalar_one()
            rows = connection.execute(
                select(*BatchRow.__table__.columns)
                .where(*wanted)
                .order_by(BatchRow.updated.desc(), BatchRow.number.desc())
                .offset(offset)
                .limit(limit)
            ).all()
            return [self._describe(connection, row) for row in rows], int(total)

    def change(self, batch_id: str, wanted: BatchChange) -> dict[str, Any]:
        """Change a batch. Another model labels all photos that it has not labelled yet."""
        batch = self._find(batch_id)
        model = None if wanted.model is None else self._find_model(wanted.model)
        with self._store.changing(batch.number) as change:
            if wanted.fields:
                change.connection.execute(
                    update(BatchRow).where(BatchRow.number == batch.number).values(**wanted.fields)
                )
            if model is not None:
                self._set_model(change, batch, model)
            if wanted.labelling is not None:
                _rest_or_resume(change.connection, batch.number, is_labelling=wanted.labelling)
        return self.get(batch_id)

    def delete(self, batch_id: str) -> None:
        """Delete a batch with its products, and the photos that are in no other batch. Works on a full disk, too."""
        batch = self._find(batch_id)
        delete_batch(self._store, batch)
        self._store.on_change(batch.number)

    def duplicate(self, batch_id: str, who: str | None) -> dict[str, Any]:
        """Create a batch with the same photos and sheet but no decisions. Its photos are labelled again.

        Raises `QuotaError` if there is no room for it.
        """
        batch = self._find(batch_id)
        with self._store.engine.connect() as connection:
            adding = measure_usage(connection, BatchRow.number == batch.number)
            self._store.quotas.check(connection, who, adding)
        made = self.create(f"{batch.name} (copy)"[:_NAME_CHARACTERS], None, who)
        copy = self._find(made["id"])
        with self._store.folder.receiving(), self._store.changing(copy.number) as change:
            _copy_content(change, batch)
            regroup(self._store, change)
            update_state(change.connection, copy.number)
        return self.get(made["id"])

    def describe_sheet(
        self, batch_id: str, sheet: str | None = None, mapping: ColumnMapping | None = None
    ) -> dict[str, Any]:
        """Return how a batch's sheet is interpreted, or would be with another sheet or mapping.

        Raises `NotStoredError` if the batch has no sheet.
        """
        batch = self._find(batch_id)
        with self._store.engine.connect() as connection:
            stored = self._read_sheet(connection, batch)
            rows = SheetRows(stored.columns, read_rows(connection, batch.number))
            vocabulary = self._store.vocabulary(connection, batch.model)
            names = _read_names(connection, batch.number)
        if sheet is not None and sheet != stored.chosen:
            place, wanted = stored.find(sheet)
            parsed = parse_stored(self._store, stored.files[place], wanted)
            rows = SheetRows(parsed.columns, parsed.rows)
            stored = replace(
                stored, file=place, sheet=wanted, columns=parsed.columns, mapping={}, is_confirmed=False
            )
        if mapping is None:
            proposed = propose_mapping(rows, names, vocabulary.classes)
            mapping = ColumnMapping.from_json(stored.mapping) if stored.is_confirmed else proposed
        mapping.check(rows.columns, vocabulary.columns)
        missing = find_missing(rows, mapping, names)
        names = missing.extend(names, self._store.fetching)
        described = _describe_sheet(stored, rows, mapping, (match_sheet(rows, mapping, names), names))
        return described | {"fetching": missing.describe(self._store.fetching)}

    def use_sheet(self, batch_id: str, sheet: str | None, mapping: ColumnMapping | None) -> dict[str, Any]:
        """Use a sheet with a mapping to form products. Without a mapping, the proposed one is used."""
        described = self.describe_sheet(batch_id, sheet, mapping)
        chosen = ColumnMapping.from_json(described["mapping"])
        batch = self._find(batch_id)
        parsed = None
        if batch.sheet is not None:
            stored = StoredSheet.from_json(batch.sheet)
            if sheet is not None and sheet != stored.chosen:
                place, wanted = stored.find(sheet)
                parsed = parse_stored(self._store, stored.files[place], wanted)
        with self._store.changing(batch.number) as change:
            present = read_sheet(change.connection, batch.number)
            assert present is not None  # noqa: S101 - `describe_sheet` has looked
            if parsed is not None:
                present = use_sheet(change, present.files, parsed)
            confirmed = replace(present, mapping=chosen.to_json(), is_confirmed=True)
            write_sheet(change.connection, batch.number, confirmed)
            grouping = {"by": "sku", "pattern": None, "is_chosen": True}
            change.connection.execute(
                update(BatchRow).where(BatchRow.number == batch.number).values(grouping=grouping)
            )
            rows = SheetRows(present.columns, read_rows(change.connection, batch.number))
            plan_fetching(self._store, change, rows, chosen)
            regroup(self._store, change)
        return described

    def list_groupings(self, batch_id: str) -> list[dict[str, Any]]:
        """Return the ways to group a batch's photos into products, most likely first."""
        batch = self._find(batch_id)
        with self._store.engine.connect() as connection:
            names = _read_names(connection, batch.number)
            sheet = read_sheet(connection, batch.number)
        found = propose_groupings(names)
        if sheet is not None and ColumnMapping.from_json(sheet.mapping).finds_photos:
            described = self.describe_sheet(batch_id)
            products = described["counts"]["products"]
            found.insert(0, {"by": "sku", "pattern": None, "products": products, "examples": []})
        return found

    def group(self, batch_id: str, by: By, pattern: str | None) -> dict[str, Any]:
        """Group the photos of a batch in another way. Raises `InvalidFieldsError` for an invalid pattern."""
        batch = self._find(batch_id)
        if by == "sku" and batch.sheet is None:
            raise InvalidFieldsError(InvalidField("by", "the batch has no sheet to take SKUs from"))
        if by != "sku":
            group_photos([], by, pattern)
        with self._store.changing(batch.number) as change:
            grouping = {"by": by, "pattern": pattern, "is_chosen": True}
            change.connection.execute(
                update(BatchRow).where(BatchRow.number == batch.number).values(grouping=grouping)
            )
            regroup(self._store, change)
        return self.get(batch_id)

    def _find(self, batch_id: str) -> DatabaseRow[Any]:
        with self._store.engine.connect() as connection:
            return self._store.find_batch(connection, batch_id)

    def _read_sheet(self, connection: Connection, batch: DatabaseRow[Any]) -> StoredSheet:
        stored = read_sheet(connection, batch.number)
        if stored is None:
            raise NotStoredError("the batch has no sheet", fix="Add one with its files.")
        return stored

    def _set_model(self, change: Change, batch: DatabaseRow[Any], model: StoredModel) -> None:
        """Set the model that labels a batch. If a shop model adapted from it is in use, that one labels."""
        connection = change.connection
        base = self._store.base_of(connection, self._store.keep_model(connection, model))
        answered = select(PredictionRow.photo).where(PredictionRow.model == base)
        connection.execute(
            update(PhotoRow)
            .where(PhotoRow.batch == batch.number, PhotoRow.sha256 != "")
            .values(todo=PhotoRow.reason.is_(None) & PhotoRow.number.not_in(answered))
        )
        connection.execute(update(BatchRow).where(BatchRow.number == batch.number).values(model=base))
        follow_shop(self._store, change)
        update_state(connection, batch.number, resume=True)

    def _describe_progress(self, connection: Connection, batch: DatabaseRow[Any]) -> dict[str, Any] | None:
        """Return how much of a batch is left to label; None if nothing is."""
        waiting, to_fetch = (0, 0) if batch.state == "ready" else count_waiting(connection, batch.number)
        if not waiting:
            return None
        pace = self._store.photos_per_s.get(batch.number) if batch.state == "labelling" else None
        return {
            "waiting": waiting,
            "to_fetch": to_fetch,
            "photos_per_s": None if pace is None else round(pace, 1),
            "seconds_left": None if pace is None else round(waiting / pace, 1),
        }

    def _describe(self, connection: Connection, batch: DatabaseRow[Any]) -> dict[str, Any]:
        model = connection.execute(
            select(ModelRow.id, ModelRow.name, ModelRow.version).where(ModelRow.number == batch.model)
        ).one()
        sheet = None if batch.sheet is None else StoredSheet.from_json(batch.sheet)
        counts = self._products.summarise(connection, batch)
        return {
            "id": batch.id,
            "name": batch.name,
            "model": {"id": model.id, "name": model.name, "version": model.version},
            "created": batch.created,
            "updated": batch.updated,
            "created_by": batch.created_by,
            "assigned_to": batch.assigned_to,
            "archived": batch.archived,
            "state": batch.state,
            "message": batch.message,
            "counts": {"photos": count_photos(connection, batch.number), **counts},
            "progress": self._describe_progress(connection, batch),
            "sheet": None
            if sheet is None
            else {"name": sheet.chosen, "rows": sheet.rows, "mapped": sheet.is_confirmed},
            "grouping": {"by": batch.grouping["by"], "pattern": batch.grouping["pattern"]},
            "cover": _read_cover(connection, batch.number),
            "revision": batch.revision,
            "from_catalogue": batch.id in read_setting(connection, CATALOGUE_REVIEWS),
        }


def insert_batch(store: Store, connection: Connection, model: StoredModel, values: Mapping[str, Any]) -> int:
    """Insert an empty batch with an id, a name and other values of its row. Return its number."""
    moment = now()
    base = store.base_of(connection, store.keep_model(connection, model))
    usual = {
        "model": find_labelling(connection, base),
        "state": "ready",
        "created": moment,
        "updated": moment,
        "archived": False,
        "revision": 0,
        "rebuilt": 0,
        "grouping": AUTOMATIC,
    }
    made = connection.execute(insert(BatchRow).values(**usual | dict(values)).returning(BatchRow.number))
    return int(made.scalar_one())


def _rest_or_resume(connection: Connection, batch: int, *, is_labelling: bool) -> None:
    state = update_state(connection, batch, resume=True)
    if not is_labelling and state == "labelling":
        connection.execute(update(BatchRow).where(BatchRow.number == batch).values(state="stopped"))


def _copy_content(change: Change, source: DatabaseRow[Any]) -> None:
    """Copy the photos and the sheet of a batch. They are grouped afterwards."""
    connection = change.connection
    values = {"sheet": source.sheet, "grouping": source.grouping}
    connection.execute(update(BatchRow).where(BatchRow.number == change.batch).values(**values))
    rows = select(literal(change.batch), SheetRow.position, SheetRow.line, SheetRow.cells)
    names = ["batch", "position", "line", "cells"]
    connection.execute(insert(SheetRow).from_select(names, rows.where(SheetRow.batch == source.number)))
    photos = connection.execute(
        select(*PhotoRow.__table__.columns)
        .join(ProductRow, ProductRow.number == PhotoRow.product)
        .where(PhotoRow.batch == source.number, ~ProductRow.removed)
        .order_by(PhotoRow.position, PhotoRow.number)
    ).all()
    copies = [
        NewPhoto(
            photo.name,
            photo.sha256,
            photo.size_bytes,
            photo.width,
            photo.height,
            None if photo.sha256 else photo.reason,
            None if photo.sha256 else photo.detail,
            photo.address,
        )
        for photo in photos
    ]
    insert_photos(change, [(copy, None) for copy in copies])


def _describe_sheet(
    stored: StoredSheet, rows: SheetRows, mapping: ColumnMapping, matching: tuple[MatchedSheet, Sequence[str]]
) -> dict[str, Any]:
    matched, names = matching
    ambiguous = dict(matched.ambiguous)
    preview = [
        {
            "key": group.key,
            "name": group.name,
            "row": type_row(rows.rows[group.row or 0][1], rows.columns),
            "photos": [names[position] for position in group.photos],
            "problem": ambiguous.get(group.row or 0),
        }
        for group in sorted(matched.groups, key=lambda group: bool(group.photos))[:_PREVIEWED_ROWS]
    ]
    columns = []
    for place, column in enumerate(rows.columns):
        filled = dict.fromkeys(cells[place] for _, cells in rows.rows[:200] if cells[place])
        columns.append(
            {"name": column.name, "type": column.kind.name.lower(), "samples": list(filled)[:_SAMPLES]}
        )
    return {
        "sheets": stored.names,
        "chosen": stored.chosen,
        "columns": columns,
        "mapping": mapping.to_json(),
        "counts": matched.counts,
        "preview": preview,
        "without_row": [names[position] for position in matched.rest[:_PREVIEWED_ROWS]],
        "mapped": stored.is_confirmed,
    }


def _read_names(connection: Connection, batch: int) -> list[str]:
    """Return the names of the photos that are grouped automatically, in order."""
    statement = (
        select(PhotoRow.name)
        .join(ProductRow, ProductRow.number == PhotoRow.product)
        .where(PhotoRow.batch == batch, ~PhotoRow.by_hand, ~ProductRow.removed)
        .order_by(PhotoRow.position, PhotoRow.number)
    )
    return list(connection.execute(statement).scalars())


def _read_cover(connection: Connection, batch: int) -> list[str]:
    """Return the first photos that show a front or have no known view, or else simply the first photos."""
    readable = (PhotoRow.batch == batch, PhotoRow.reason.is_(None), PhotoRow.sha256 != "")
    statement = select(PhotoRow.number).where(*readable).order_by(PhotoRow.position).limit(_COVER_PHOTOS)
    fronts = statement.where(PhotoRow.view.is_(None) | (PhotoRow.view == "front"))
    found = connection.execute(fronts).scalars().all() or connection.execute(statement).scalars().all()
    return [str(number) for number in found]
