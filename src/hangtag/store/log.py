"""The log of decisions: appending, applying, and finding what can be undone."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy import Row as DatabaseRow

from hangtag.domain.errors import ConflictError
from hangtag.store.derived import follow_shop
from hangtag.store.refresh import refresh_products, restate_products, update_state
from hangtag.store.regroup import mark_rebuilt
from hangtag.store.store import Change, Store, iter_parts, now
from hangtag.store.tables import BatchRow, ChangeRow, DecisionRow, PhotoRow, PredictionRow, ProductRow

_READ_BACK: Final = 5000
"""How many decisions of a person are searched for one to undo."""

_COLUMNS: Final = ProductRow.__table__.columns

Partial = dict[str, Any]
"""Some of the fields that people decide on, with their values."""

ProductChange = tuple[int, Partial, Partial]
"""The change of a product: its number, and the fields before and after."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the log: its kind, the person, and the decision that it undoes or redoes."""

    kind: str
    who: str | None
    target: int | None = None


def append(store: Store, change: Change, changes: Sequence[ProductChange], entry: Entry) -> dict[str, Any]:
    """Append a decision to the log and apply it."""
    values = {
        "batch": change.batch,
        "kind": entry.kind,
        "who": entry.who,
        "at": now(),
        "target": entry.target,
        "products": len(changes),
    }
    decision = change.connection.execute(
        insert(DecisionRow).values(**values).returning(DecisionRow.number)
    ).scalar_one()
    for part in iter_parts(changes):
        rows = [
            {"decision": decision, "product": number, "before": before, "after": after}
            for number, before, after in part
        ]
        change.connection.execute(insert(ChangeRow), rows)
        _apply(store, change, part, entry.who)
    if changes and any("photos" in after or "batch" in after for _, _, after in changes):
        mark_rebuilt(change)
    return {"decision": str(decision), "changed": len(changes)}


def present_entry(row: DatabaseRow[Any], name: str) -> dict[str, Any]:
    """Return the current entry for an attribute. The model's label has the state `predicted`."""
    entry = row.said.get(name)
    return (
        dict(entry)
        if entry is not None
        else {"value": row.labels.get(name), "state": "predicted", "by": None}
    )


def _apply(store: Store, change: Change, changes: Sequence[ProductChange], who: str | None) -> None:
    """Give products the values after a change."""
    after_of = {number: after for number, _, after in changes}
    rows = change.connection.execute(select(*_COLUMNS).where(ProductRow.number.in_(after_of))).all()
    restated: list[dict[str, Any]] = []
    moved: dict[int, list[int]] = defaultdict(list)
    derived: set[int] = set()
    for row in rows:
        after = after_of[row.number]
        values = row._asdict() | {name: after[name] for name in after if name not in {"attributes", "photos"}}
        said = dict(row.said)
        for name, entry in after.get("attributes", {}).items():
            if entry is None or entry["state"] == "predicted":
                said.pop(name, None)
            else:
                said[name] = entry
        values["said"] = said
        restated.append(values)
        if "photos" in after:
            for part in iter_parts(after["photos"]):
                change.connection.execute(
                    update(PhotoRow).where(PhotoRow.number.in_(part)).values(product=row.number)
                )
            derived.add(row.number)
        if "batch" in after:
            moved[after["batch"]].append(row.number)
        elif row.predicted is None:
            derived.add(row.number)
    restate_products(store, change, restated, who)
    for target, numbers in moved.items():
        _move_photos(store, change.of(target), numbers, who)
    if derived:
        refresh_products(store, change, derived, who)


def _move_photos(store: Store, change: Change, numbers: Sequence[int], who: str | None) -> None:
    """Move the photos of products to their new batch, whose model may have to label them first."""
    model = change.connection.execute(
        select(BatchRow.model).where(BatchRow.number == change.batch)
    ).scalar_one()
    answered = select(PredictionRow.photo).where(
        PredictionRow.model == store.base_of(change.connection, model)
    )
    change.connection.execute(
        update(PhotoRow)
        .where(PhotoRow.product.in_(numbers))
        .values(
            batch=change.batch,
            todo=PhotoRow.reason.is_(None) & (PhotoRow.sha256 != "") & PhotoRow.number.not_in(answered),
        )
    )
    follow_shop(store, change)
    refresh_products(store, change, numbers, who)
    update_state(change.connection, change.batch)


def keep_possible(
    connection: Connection, changes: Sequence[ProductChange]
) -> tuple[list[ProductChange], list[dict[str, Any]]]:
    """Return the changes whose products still have the expected values, and the conflicts of the others."""
    possible, conflicts = [], []
    present: dict[int, DatabaseRow[Any]] = {}
    for part in iter_parts([number for number, _, _ in changes]):
        rows = connection.execute(select(*_COLUMNS).where(ProductRow.number.in_(part)))
        present |= {row.number: row for row in rows}
    for number, before, after in changes:
        row = present.get(number)
        if row is None:
            continue
        rival = _find_changed(row, before)
        if rival is None:
            possible.append((number, before, after))
        else:
            conflicts.append({"product": str(number), "by": row.updated_by, "value": rival})
    return possible, conflicts


def _find_changed(row: DatabaseRow[Any], expected: Partial) -> str | None:
    """Return what a product has instead of the expected values; None if it has them."""
    for name, entry in expected.get("attributes", {}).items():
        present = present_entry(row, name)
        wanted = entry or {"value": None, "state": "predicted"}
        if present["state"] != wanted["state"] or (
            wanted["state"] != "predicted" and present["value"] != wanted["value"]
        ):
            return str(present["value"])
    for name, value in expected.items():
        if name not in {"attributes", "photos", "row"} and getattr(row, name) != value:
            return str(getattr(row, name))
    return None


def find_target(connection: Connection, batch: int, who: str | None, kind: str) -> int:
    """Return the decision to undo or redo, from the log of one person."""
    statement = (
        select(DecisionRow.number, DecisionRow.kind, DecisionRow.target)
        .where(
            DecisionRow.batch == batch, DecisionRow.who.is_(None) if who is None else DecisionRow.who == who
        )
        .order_by(DecisionRow.number.desc())
        .limit(_READ_BACK)
    )
    done: list[int] = []
    undone: list[int] = []
    for entry in reversed(connection.execute(statement).all()):
        if entry.kind == "undo":
            if done and done[-1] == entry.target:
                undone.append(done.pop())
        elif entry.kind == "redo":
            if undone and undone[-1] == entry.target:
                done.append(undone.pop())
        else:
            done.append(entry.number)
            undone.clear()
    stack = done if kind == "undo" else undone
    if not stack:
        raise ConflictError(f"there is nothing to {kind}")
    return stack[-1]


def find_other_batches(connection: Connection, decision: int, batch: int) -> set[int]:
    """Return the other batches that a decision moved products to."""
    statement = select(ChangeRow.before, ChangeRow.after).where(ChangeRow.decision == decision)
    found = set()
    for before, after in connection.execute(statement):
        found |= {values["batch"] for values in (before, after) if "batch" in values}
    return found - {batch}


def list_decisions(
    store: Store, batch_id: str, product: int | None, page: tuple[int, int]
) -> tuple[list[dict[str, Any]], int]:
    """Return a page (offset, limit) of the log of a batch, newest first, and the total number of decisions.

    For one `product`, each comes with what it changed.
    """
    offset, limit = page
    with store.engine.connect() as connection:
        batch = store.find_batch(connection, batch_id)
        statement = select(DecisionRow).where(DecisionRow.batch == batch.number)
        columns: list[Any] = list(DecisionRow.__table__.columns)
        if product is not None:
            columns += [ChangeRow.before, ChangeRow.after]
        statement = select(*columns).where(DecisionRow.batch == batch.number)
        if product is not None:
            statement = statement.join(ChangeRow, ChangeRow.decision == DecisionRow.number)
            statement = statement.where(ChangeRow.product == product)
        total = connection.execute(select(func.count()).select_from(statement.subquery())).scalar_one()
        rows = connection.execute(
            statement.order_by(DecisionRow.number.desc()).offset(offset).limit(limit)
        ).all()
    return [
        {
            "id": str(row.number),
            "kind": row.kind,
            "who": row.who,
            "when": row.at,
            "products": row.products,
            "target": None if row.target is None else str(row.target),
            "before": row.before if product is not None else None,
            "after": row.after if product is not None else None,
        }
        for row in rows
    ], int(total)
