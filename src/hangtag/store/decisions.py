"""Decisions on one or many products: logged with the values before and after, with undo and redo.

The log is append-only, and undo works from it: an undo is itself a decision, which reverts another one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update
from sqlalchemy import Row as DatabaseRow

from hangtag.domain.errors import InvalidField, InvalidFieldsError
from hangtag.domain.prediction import Flag
from hangtag.store.index import Filter
from hangtag.store.log import (
    Entry,
    Partial,
    ProductChange,
    append,
    find_other_batches,
    find_target,
    keep_possible,
    present_entry,
)
from hangtag.store.products import Products
from hangtag.store.regroup import new_product
from hangtag.store.store import Change, find_answer, iter_parts, keep_answer
from hangtag.store.tables import ChangeRow, PhotoRow, ProductRow
from hangtag.store.vocabulary import Vocabulary

SHOWN_PRODUCTS: Final = 200
_COLUMNS: Final = ProductRow.__table__.columns


class Unset:
    """The value of a field that a decision does not touch, since None is a valid value."""


UNSET: Final = Unset()


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's decision about products: those with given numbers, or all that match a filter except `excluded`.

    `each` sets labels that differ from product to product, by number; no other products are changed then. `set` sets
    labels by attribute (None: the model's label again). `confirm` confirms labels (all, or those of some attributes).
    `overrule` says that it is not a product (True), that it is one (False), or withdraws the decision (None).
    `versions` are the versions that the person saw, by product.
    """

    products: tuple[int, ...] | None = None
    matching: Filter | None = None
    excluded: tuple[int, ...] = ()
    each: Mapping[int, Mapping[str, str | None]] = field(default_factory=dict)
    set: Mapping[str, str | None] = field(default_factory=dict)
    confirm: bool | tuple[str, ...] = False
    overrule: bool | Unset | None = UNSET
    flags: Mapping[str, bool] = field(default_factory=dict)
    move_to: str | None = None
    delete: bool = False
    assign_to: str | Unset | None = UNSET
    versions: Mapping[int, int] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The kind of the decision in the log."""
        if self.delete:
            return "delete"
        if self.move_to is not None:
            return "move"
        if self.set or self.each:
            return "set"
        if self.confirm:
            return "confirm"
        if not isinstance(self.overrule, Unset):
            return "not_a_product"
        return "flag" if self.flags else "assign"


class Decisions:
    """Makes, undoes and redoes decisions."""

    def __init__(self, products: Products) -> None:
        self._products = products
        self._store = products.store

    def decide(
        self, batch_id: str, decision: Decision, who: str | None, key: str | None = None
    ) -> dict[str, Any]:
        """Make a decision. Return its id, the number of changed products, and the conflicts with other people.

        Raises `NotStoredError` for an unknown batch and `InvalidFieldsError` for unknown labels.
        """
        with self._store.engine.connect() as connection:
            batch = self._store.find_batch(connection, batch_id)
            others = []
            if decision.move_to is not None:
                others = [self._store.find_batch(connection, decision.move_to)]
            # Before the transaction: an index may only see committed data.
            numbers = self._find_numbers(connection, batch, decision)
        with self._store.changing(batch.number, *(other.number for other in others)) as change:
            known = find_answer(change.connection, key)
            if known is not None:
                return known
            vocabulary = self._store.vocabulary(change.connection, batch.model)
            planner = Planner(decision, vocabulary, who, others[0].number if others else None)
            for row in read_products(change.connection, numbers, batch.number):
                planner.plan(row)
            response = append(self._store, change, planner.changes, Entry(decision.kind, who))
            response["conflicts"] = planner.conflicts
            keep_answer(change.connection, key, response)
        return self._with_products(batch_id, response, [number for number, _, _ in planner.changes])

    def merge(self, batch_id: str, numbers: Sequence[int], who: str | None) -> dict[str, Any]:
        """Merge several products into the first one, which keeps its SKU and name and gets all photos."""
        with self._store.engine.connect() as connection:
            batch = self._store.find_batch(connection, batch_id)
        if len(set(numbers)) < 2:  # noqa: PLR2004 - one alone cannot be merged
            raise InvalidFieldsError(InvalidField("products", "choose two products or more"))
        with self._store.changing(batch.number) as change:
            rows = {row.number: row for row in read_products(change.connection, numbers, batch.number)}
            kept = [number for number in dict.fromkeys(numbers) if number in rows]
            photos = _read_photo_numbers(change.connection, kept)
            first, *rest = kept
            joined = [photo for number in kept for photo in photos[number]]
            changes: list[tuple[int, dict[str, Any], dict[str, Any]]]
            changes = [(first, {"photos": photos[first]}, {"photos": joined})]
            for number in rest:
                before = {"photos": photos[number], "removed": False}
                changes.append((number, before, {"photos": [], "removed": True}))
            _bind_photos(change.connection, joined)
            response = append(self._store, change, changes, Entry("merge", who))
        return self._with_products(batch_id, response | {"conflicts": []}, kept)

    def split(self, batch_id: str, number: int, photos: Sequence[int], who: str | None) -> dict[str, Any]:
        """Move some photos of a product into a new product."""
        with self._store.engine.connect() as connection:
            batch = self._store.find_batch(connection, batch_id)
        with self._store.changing(batch.number) as change:
            own = _read_photo_numbers(change.connection, [number])[number]
            taken = [photo for photo in own if photo in set(photos)]
            if not taken or len(taken) == len(own):
                message = "choose some photos of the product, but not all"
                raise InvalidFieldsError(InvalidField("photos", message))
            made = _copy_product(change, number, taken[0])
            left = [photo for photo in own if photo not in taken]
            changes: list[tuple[int, dict[str, Any], dict[str, Any]]] = [
                (number, {"photos": own}, {"photos": left}),
                (made, {"photos": [], "removed": True}, {"photos": taken, "removed": False}),
            ]
            _bind_photos(change.connection, own)
            response = append(self._store, change, changes, Entry("split", who))
        return self._with_products(batch_id, response | {"conflicts": []}, [number, made])

    def undo(self, batch_id: str, who: str | None) -> dict[str, Any]:
        """Undo this person's last decision in a batch that is not undone. Raises `ConflictError` if there is none."""
        return self._turn(batch_id, who, "undo")

    def redo(self, batch_id: str, who: str | None) -> dict[str, Any]:
        """Redo what this person undid last. Raises `ConflictError` if there is nothing to redo."""
        return self._turn(batch_id, who, "redo")

    def _turn(self, batch_id: str, who: str | None, kind: str) -> dict[str, Any]:
        with self._store.engine.connect() as connection:
            batch = self._store.find_batch(connection, batch_id)
            target = find_target(connection, batch.number, who, kind)
            others = find_other_batches(connection, target, batch.number)
        with self._store.changing(batch.number, *others) as change:
            target = find_target(
                change.connection, batch.number, who, kind
            )  # another request may have been faster
            rows = change.connection.execute(
                select(ChangeRow.product, ChangeRow.before, ChangeRow.after).where(
                    ChangeRow.decision == target
                )
            ).all()
            changes = [
                (row.product, row.after, row.before)
                if kind == "undo"
                else (row.product, row.before, row.after)
                for row in rows
            ]
            possible, conflicts = keep_possible(change.connection, changes)
            response = append(self._store, change, possible, Entry(kind, who, target))
        response["conflicts"] = conflicts
        return self._with_products(batch_id, response, [number for number, _, _ in possible])

    def _find_numbers(self, connection: Connection, batch: DatabaseRow[Any], decision: Decision) -> list[int]:
        if decision.matching is not None:
            excluded = set(decision.excluded)
            found = self._products.find_numbers(connection, batch, decision.matching)
            return [number for number in found if number not in excluded]
        return list(dict.fromkeys(decision.each or decision.products or ()))

    def _with_products(
        self, batch_id: str, response: dict[str, Any], numbers: Sequence[int]
    ) -> dict[str, Any]:
        with self._store.engine.connect() as connection:
            batch = self._store.find_batch(connection, batch_id)
            shown = self._products.describe(connection, batch, list(numbers)[:SHOWN_PRODUCTS])
        return response | {"products": shown}


class Planner:
    """Works out how a decision changes each product."""

    def __init__(
        self, decision: Decision, vocabulary: Vocabulary, who: str | None, target: int | None
    ) -> None:
        self.changes: list[ProductChange] = []
        self.conflicts: list[dict[str, Any]] = []
        self._decision = decision
        self._vocabulary = vocabulary
        self._who = who
        self._target = target

    def plan(self, row: DatabaseRow[Any]) -> None:
        """Plan the change of one product, or record a conflict if another person has changed it."""
        wanted = self._find_labels(row)
        rival = self._find_conflict(row, wanted)
        if rival is not None:
            self.conflicts.append({"product": str(row.number), "by": rival["by"], "value": rival["value"]})
            return
        before: Partial = {}
        after: Partial = {}
        attributes = {name: self._entry(row, name, value) for name, value in wanted.items()}
        changed = {
            name: entry for name, entry in attributes.items() if not _is_same(entry, row.said.get(name))
        }
        if changed:
            before["attributes"] = {name: present_entry(row, name) for name in changed}
            after["attributes"] = changed
        for name, value in self._find_fields(row):
            if getattr(row, name) != value:
                before[name], after[name] = getattr(row, name), value
        if after:
            self.changes.append((row.number, before, after))

    def _find_labels(self, row: DatabaseRow[Any]) -> dict[str, str | None]:
        """Return the labels that the decision gives a product: those set, with their path, and those confirmed."""
        decision = self._decision
        wanted = {**decision.set, **decision.each.get(row.number, {})}
        given = {name: value for name, value in wanted.items() if value is not None}
        found: dict[str, str | None] = dict.fromkeys(wanted, None)
        found |= self._vocabulary.complete(given, row.labels) if given else {}
        confirmed = row.labels if decision.confirm is True else decision.confirm or ()
        found |= {name: row.labels[name] for name in confirmed if name in row.labels and name not in found}
        return found

    def _entry(self, row: DatabaseRow[Any], name: str, value: str | None) -> dict[str, Any] | None:
        """Return how a person's label is stored: as confirmed if the model says so too.

        If another person said the same, both names are kept, so that agreement can be measured.
        """
        if value is None:
            return None
        own = row.predicted["values"].get(name, [None])[0] if row.predicted else None
        state = "confirmed" if value == own else "corrected"
        known = row.said.get(name)
        if known is not None and known["value"] == value:
            agreed = known.get("agreed", [])
            is_another = self._who is not None and self._who not in {known["by"], *agreed}
            return {**known, "agreed": [*agreed, self._who]} if is_another else dict(known)
        return {"value": value, "state": state, "by": self._who, "version": row.version + 1}

    def _find_conflict(
        self, row: DatabaseRow[Any], wanted: Mapping[str, str | None]
    ) -> dict[str, Any] | None:
        """Return a different label that another person set for an attribute since this person looked."""
        seen = self._decision.versions.get(row.number)
        if seen is None:
            return None
        for name, value in wanted.items():
            entry = row.said.get(name)
            is_newer = entry is not None and entry["version"] > seen and entry["by"] != self._who
            if entry is not None and is_newer and entry["value"] != value:
                return dict(entry)
        return None

    def _gives_category(self, row: DatabaseRow[Any]) -> bool:
        """Whether the decision sets a category, which implies that it is a product."""
        wanted = {**self._decision.set, **self._decision.each.get(row.number, {})}
        return any(wanted.get(level) is not None for level in self._vocabulary.taxonomy.levels)

    def _find_fields(self, row: DatabaseRow[Any]) -> Iterable[tuple[str, Any]]:
        decision = self._decision
        if decision.confirm is True:
            yield "checked", True
        if not isinstance(decision.overrule, Unset):
            yield "overruled", decision.overrule
        elif self._gives_category(row) and _is_no_product(row):
            yield "overruled", False
        if decision.flags:
            yield "marks", {**row.marks, **decision.flags}
        if not isinstance(decision.assign_to, Unset):
            yield "assigned_to", decision.assign_to
        if decision.delete:
            yield "removed", True
        if self._target is not None:
            yield "batch", self._target
            yield "row", None


def _is_no_product(row: DatabaseRow[Any]) -> bool:
    """Whether a person, or else the model, says that it is not a product."""
    if row.overruled is not None:
        return bool(row.overruled)
    return row.predicted is not None and Flag.NOT_A_PRODUCT in row.predicted["flags"]


def _is_same(entry: Mapping[str, Any] | None, known: Mapping[str, Any] | None) -> bool:
    if entry is None or known is None:
        return entry is known
    return all(entry.get(name) == known.get(name) for name in ("value", "state", "agreed"))


def read_products(connection: Connection, numbers: Sequence[int], batch: int) -> Iterable[DatabaseRow[Any]]:
    """Yield the rows of a batch's products in the order of their numbers, without deleted ones."""
    for part in iter_parts(numbers):
        yield from connection.execute(
            select(*_COLUMNS)
            .where(ProductRow.number.in_(part), ProductRow.batch == batch, ~ProductRow.removed)
            .order_by(ProductRow.number)
        ).all()


def _read_photo_numbers(connection: Connection, products: Sequence[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {number: [] for number in products}
    statement = (
        select(PhotoRow.product, PhotoRow.number)
        .where(PhotoRow.product.in_(products))
        .order_by(PhotoRow.position, PhotoRow.number)
    )
    for product, photo in connection.execute(statement):
        found[product].append(photo)
    return found


def _bind_photos(connection: Connection, photos: Sequence[int]) -> None:
    """Pin photos to the products that a person chose, so that regrouping does not move them."""
    for part in iter_parts(photos):
        connection.execute(update(PhotoRow).where(PhotoRow.number.in_(part)).values(by_hand=True))


def _copy_product(change: Change, number: int, photo: int) -> int:
    """Create a product next to another one, named after a photo. Return its number."""
    place = select(ProductRow.position).where(ProductRow.number == number)
    position = change.connection.execute(place).scalar_one()
    name = change.connection.execute(select(PhotoRow.name).where(PhotoRow.number == photo)).scalar_one()
    values = new_product(change, position, name.rpartition("/")[2])
    made = change.connection.execute(insert(ProductRow).values(**values).returning(ProductRow.number))
    return int(made.scalar_one())
