"""Regrouping the photos of a batch into products after new files, another mapping or another grouping."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Row as DatabaseRow
from sqlalchemy import bindparam, delete, insert, select, update

from hangtag.store.grouping import Group, Present, group_photos, propose_grouping, reuse_products
from hangtag.store.refresh import refresh_products
from hangtag.store.sheet_files import (
    ParsedSheet,
    StoredSheet,
    read_rows,
    read_sheet,
    use_sheet,
    write_sheet,
)
from hangtag.store.sheets import (
    ColumnMapping,
    SheetRows,
    match_sheet,
    propose_mapping,
    read_known,
)
from hangtag.store.store import Change, Store, iter_parts, now
from hangtag.store.tables import BatchRow, CommentRow, PhotoRow, ProductRow

AUTOMATIC: Final[dict[str, Any]] = {"by": "photo", "pattern": None, "is_chosen": False}
"""How the photos of a new batch are grouped: as their names suggest, until a person chooses."""


def add_sheets(change: Change, parsed: Sequence[ParsedSheet]) -> None:
    """Add tables to a batch. The first one is used until a person chooses another."""
    present = read_sheet(change.connection, change.batch)
    known = () if present is None else present.files
    seen = {file.sha256 for file in known}
    files = list(known)
    for sheet in parsed:
        if sheet.file.sha256 not in seen:
            seen.add(sheet.file.sha256)
            files.append(sheet.file)
    if present is None:
        found = use_sheet(change, files, parsed[0])
    else:
        found = StoredSheet(
            tuple(files),
            present.file,
            present.sheet,
            present.columns,
            present.rows,
            present.mapping,
            present.is_confirmed,
        )
    write_sheet(change.connection, change.batch, found)


def regroup(store: Store, change: Change) -> None:
    """Group the photos of a batch into products, by its sheet if it has one. Decisions stay with their product.

    Photos that were merged or split by hand stay where they are.
    """
    batch = change.connection.execute(
        select(BatchRow.grouping, BatchRow.model).where(BatchRow.number == change.batch)
    ).one()
    photos = _read_free_photos(change)
    names = [photo.name for photo in photos]
    groups, known = _form_groups(store, change, batch, names)
    rows = _read_present(change)
    own: dict[int, list[int]] = {}
    for position, photo in enumerate(photos):
        own.setdefault(photo.product, []).append(position)
    present = [Present(row.number, row.key, frozenset(own.get(row.number, ()))) for row in rows]
    chosen = reuse_products(groups, present)
    numbers, touched = _write_products(change, (groups, known), chosen, {row.number: row for row in rows})
    heirs = _move_photos(change, photos, groups, numbers)
    touched |= set(heirs.values())
    gone = {product.number for product in present} - set(numbers)
    _remove_empty(change, gone, heirs)
    refresh_products(store, change, (touched | heirs.keys()) - gone)


def mark_rebuilt(change: Change) -> None:
    """Record that this change removes products."""
    change.connection.execute(
        update(BatchRow).where(BatchRow.number == change.batch).values(rebuilt=change.revision)
    )


def new_product(change: Change, position: int, name: str) -> dict[str, Any]:
    """Return the row of a new product without photos, label or decisions."""
    return {
        "batch": change.batch,
        "position": position,
        "key": None,
        "name": name,
        "row": None,
        "known": None,
        "predicted": None,
        "said": {},
        "checked": False,
        "overruled": None,
        "marks": {},
        "assigned_to": None,
        "removed": False,
        "duplicate": False,
        "near_duplicate": False,
        "suspected": None,
        "state": "to_check",
        "needs": None,
        "why": None,
        "labels": {},
        "confidence": None,
        "search": "",
        "comments": 0,
        "version": 0,
        "revision": change.revision,
        "updated": now(),
        "updated_by": None,
    }


def _form_groups(
    store: Store, change: Change, batch: DatabaseRow[Any], names: Sequence[str]
) -> tuple[list[Group], list[dict[str, str]]]:
    """Return the products formed by photos and rows, and the labels in the rows. Stores the grouping."""
    sheet = read_sheet(change.connection, change.batch)
    grouping = batch.grouping
    known: list[dict[str, str]] = []
    groups: list[Group] = []
    rest = list(range(len(names)))
    if sheet is not None:
        classes = store.vocabulary(change.connection, batch.model).classes
        rows = SheetRows(sheet.columns, read_rows(change.connection, change.batch))
        mapping = ColumnMapping.from_json(sheet.mapping)
        if not sheet.is_confirmed:
            mapping = propose_mapping(rows, names, classes)
            changed = StoredSheet.from_json(sheet.to_json() | {"mapping": mapping.to_json()})
            write_sheet(change.connection, change.batch, changed)
        matched = match_sheet(rows, mapping, names) if mapping.finds_photos else None
        is_wanted = not grouping["is_chosen"] or grouping["by"] == "sku"
        if matched is not None and is_wanted and (sheet.is_confirmed or matched.counts["matched"]):
            groups, rest = list(matched.groups), matched.rest
            known = read_known(rows, mapping, classes)
            grouping = {"by": "sku", "pattern": None, "is_chosen": grouping["is_chosen"]}
    left = [names[position] for position in rest]
    if not grouping["is_chosen"]:
        by, pattern = propose_grouping(left)
        if not groups:
            grouping = {"by": by, "pattern": pattern, "is_chosen": False}
    else:
        by, pattern = grouping["by"], grouping["pattern"]
    for group in group_photos(left, "photo" if by == "sku" else by, pattern):
        group.photos = [rest[position] for position in group.photos]
        groups.append(group)
    change.connection.execute(
        update(BatchRow).where(BatchRow.number == change.batch).values(grouping=grouping)
    )
    return groups, known


def _read_free_photos(change: Change) -> list[DatabaseRow[Any]]:
    """Return the photos that are neither pinned to their products by hand nor deleted, in order."""
    statement = (
        select(PhotoRow.number, PhotoRow.name, PhotoRow.product, PhotoRow.position)
        .join(ProductRow, ProductRow.number == PhotoRow.product)
        .where(PhotoRow.batch == change.batch, ~PhotoRow.by_hand, ~ProductRow.removed)
        .order_by(PhotoRow.position, PhotoRow.number)
    )
    return list(change.connection.execute(statement))


def _read_present(change: Change) -> list[DatabaseRow[Any]]:
    """Return the products that photos may leave: those without pinned photos, and not deleted."""
    bound = select(PhotoRow.product).where(PhotoRow.batch == change.batch, PhotoRow.by_hand)
    columns = (ProductRow.position, ProductRow.key, ProductRow.name, ProductRow.row, ProductRow.known)
    statement = select(ProductRow.number, *columns).where(
        ProductRow.batch == change.batch, ~ProductRow.removed, ProductRow.number.not_in(bound)
    )
    return list(change.connection.execute(statement))


def _write_products(
    change: Change,
    formed: tuple[Sequence[Group], Sequence[dict[str, str]]],
    chosen: Sequence[int | None],
    present: Mapping[int, DatabaseRow[Any]],
) -> tuple[list[int], set[int]]:
    """Write the products of groups with their rows' labels. Return their numbers, and those that changed."""
    groups, known = formed
    rows = [
        {
            "position": position,
            "key": group.key,
            "name": group.name,
            "row": group.row,
            "known": (known[group.row] if group.row is not None and known else None) or None,
        }
        for position, group in enumerate(groups)
    ]
    changed = []
    for number, row in zip(chosen, rows, strict=True):
        if number is not None and any(getattr(present[number], name) != row[name] for name in row):
            changed.append({"b_number": number, **row})
    if changed:
        table = ProductRow.__table__
        columns: dict[str, Any] = {name: bindparam(name) for name in rows[0]}
        change.connection.execute(
            update(table).where(table.c.number == bindparam("b_number")).values(**columns), changed
        )
    numbers = list(chosen)
    touched = {int(str(row["b_number"])) for row in changed}
    fresh = [position for position, number in enumerate(chosen) if number is None]
    for part in iter_parts(fresh):
        values = [new_product(change, position, "") | rows[position] for position in part]
        made = change.connection.execute(
            insert(ProductRow).returning(ProductRow.number, sort_by_parameter_order=True), values
        ).scalars()
        for position, number in zip(part, made, strict=True):
            numbers[position] = number
            touched.add(number)
    return [number for number in numbers if number is not None], touched


def _move_photos(
    change: Change, photos: Sequence[DatabaseRow[Any]], groups: Sequence[Group], numbers: Sequence[int]
) -> dict[int, int]:
    """Move photos to their products. Return for each product that lost one where it went."""
    moves: list[dict[str, Any]] = []
    heirs: dict[int, int] = {}
    for group, number in zip(groups, numbers, strict=True):
        for position in group.photos:
            photo = photos[position]
            if photo.product != number:
                moves.append({"b_number": photo.number, "product": number})
                heirs.setdefault(photo.product, number)
    if moves:
        table = PhotoRow.__table__
        change.connection.execute(
            update(table).where(table.c.number == bindparam("b_number")).values(product=bindparam("product")),
            moves,
        )
    return heirs


def _remove_empty(change: Change, gone: set[int], heirs: dict[int, int]) -> None:
    """Remove products without photos or a row. Their decisions and comments go to their heirs."""
    if gone:
        mark_rebuilt(change)
    for part in iter_parts(sorted(gone)):
        decided = select(
            ProductRow.number, ProductRow.said, ProductRow.checked, ProductRow.overruled, ProductRow.marks
        ).where(ProductRow.number.in_(part), ProductRow.version > 0)
        for number, said, checked, overruled, marks in change.connection.execute(decided).all():
            heir = heirs.get(number)
            if heir is None or not (said or checked or marks or overruled is not None):
                continue
            change.connection.execute(
                update(ProductRow)
                .where(ProductRow.number == heir, ProductRow.updated_by.is_(None))
                .values(said=said, checked=checked, overruled=overruled, marks=marks)
            )
        moved = [{"b_product": number, "product": heirs[number]} for number in part if number in heirs]
        if moved:
            table = CommentRow.__table__
            change.connection.execute(
                update(table)
                .where(table.c.product == bindparam("b_product"))
                .values(product=bindparam("product")),
                moved,
            )
        change.connection.execute(delete(ProductRow).where(ProductRow.number.in_(part)))
