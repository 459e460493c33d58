"""Decisions in a store: exported and imported as a table or for Label Studio, and how far people agree."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, select

from hangtag.adapting.decisions import (
    Decision,
    measure_agreement,
    merge_decisions,
    read_decisions,
    write_decisions,
)
from hangtag.domain.errors import HangtagError, InvalidField, InvalidFieldsError
from hangtag.store.decisions import Decision as StoreDecision
from hangtag.store.decisions import Decisions
from hangtag.store.store import Store, iter_parts
from hangtag.store.tables import BatchRow, ChangeRow, DecisionRow, PhotoRow, ProductRow

SHOWN_PROBLEMS: Final = 200
_SAYING: Final = ("set", "confirm", "undo", "redo")


@dataclass(frozen=True, slots=True)
class _Place:
    """A product and its batch, by number, and the id of the batch."""

    product: int
    batch: str


class DecisionFiles:
    """Writes and reads the decisions of all batches, or of one."""

    def __init__(self, store: Store, decisions: Decisions) -> None:
        self._store = store
        self._decisions = decisions

    def read(self, batch_id: str | None = None) -> list[Decision]:
        """Return each person's last label for each attribute of each product, represented by its first photo.

        Undone decisions are left out. Raises `NotStoredError` for an unknown batch.
        """
        with self._store.engine.connect() as connection:
            batch = None if batch_id is None else self._store.find_batch(connection, batch_id).number
            log = _read_log(connection, batch)
            names = _read_names(connection, sorted({product for _, product, _ in log}))
        said: dict[tuple[str, int, str], Decision] = {}
        for (who, when), product, after in log:
            for column, entry in after.items():
                if entry is not None and entry["state"] != "predicted" and product in names:
                    found = Decision(names[product], column, entry["value"], who, when)
                    said[who, product, column] = found
        return list(said.values())

    def export(self, path: Path, batch_id: str | None = None) -> None:
        """Write the decisions: for Label Studio if the name ends in `.json`, else as CSV."""
        write_decisions(self.read(batch_id), path)

    def agreement(self) -> list[dict[str, Any]]:
        """Return how far people agree on products that two of them decided, by attribute: Cohen's kappa."""
        return [
            {
                "attribute": found.column,
                "people": list(found.reviewers),
                "both": found.photos,
                "agreed": found.agreed,
                "kappa": found.kappa,
            }
            for found in measure_agreement(self.read())
        ]

    def take(self, path: Path, who: str | None, batch_id: str | None = None) -> dict[str, Any]:
        """Apply the decisions in a file, and return the result. Lines are counted without the header.

        A photo is found by name; for a path or address, the last part may be enough. Raises `TableError` for a file
        without decisions, and `NotStoredError` for an unknown batch.
        """
        given = read_decisions(path)
        merged = merge_decisions(given)
        places, present = self._find_places(list(merged), batch_id)
        skipped: list[dict[str, Any]] = []
        wanted: dict[tuple[str, tuple[tuple[str, str], ...]], list[int]] = defaultdict(list)
        unchanged = 0
        lines = {decision.photo: line for line, decision in reversed(list(enumerate(given, 1)))}
        for photo, labels in merged.items():
            place = places.get(photo)
            if isinstance(place, _Place):
                said = present.get(place.product, {})
                new = {column: label for column, label in labels.items() if said.get(column) != label}
                unchanged += len(labels) - len(new)
                if new:
                    wanted[place.batch, tuple(sorted(new.items()))].append(place.product)
            else:
                skipped.append({"line": lines[photo], "reason": place or f"no product has a photo {photo!r}"})
        applied = 0
        for (batch, pairs), products in wanted.items():
            decision = StoreDecision(products=tuple(products), set=dict(pairs))
            try:
                self._decisions.decide(batch, decision, who)
                applied += len(products) * len(pairs)
            except HangtagError as error:
                skipped.append({"line": 0, "reason": f"{len(products)} products: {error.problem}"})
        return {
            "rows": len(given),
            "applied": applied,
            "unchanged": unchanged,
            "skipped": skipped[:SHOWN_PROBLEMS],
            "agreement": self.agreement(),
        }

    def _find_places(
        self, photos: Sequence[str], batch_id: str | None
    ) -> tuple[dict[str, "_Place | str"], dict[int, Mapping[str, str]]]:
        """Return the product of each photo, or why there is none, and the existing labels of these products."""
        with self._store.engine.connect() as connection:
            statement = (
                select(PhotoRow.name, PhotoRow.product, BatchRow.id, ProductRow.said)
                .join(ProductRow, ProductRow.number == PhotoRow.product)
                .join(BatchRow, BatchRow.number == PhotoRow.batch)
                .where(~ProductRow.removed, ~BatchRow.archived)
            )
            if batch_id is not None:
                number = self._store.find_batch(connection, batch_id).number
                statement = statement.where(PhotoRow.batch == number)
            by_name: dict[str, set[tuple[int, str]]] = defaultdict(set)
            present: dict[int, Mapping[str, str]] = {}
            wanted = {name for photo in photos for name in (photo, _last_part(photo))}
            for name, product, batch, said in connection.execute(statement):
                for known in {name, _last_part(name)} & wanted:
                    by_name[known].add((product, batch))
                    present[product] = {column: entry["value"] for column, entry in said.items()}
        return {photo: _choose(photo, by_name) for photo in photos}, present


def read_upload(path: Path, files: DecisionFiles, who: str | None, batch_id: str | None) -> dict[str, Any]:
    """Apply an uploaded file, as `DecisionFiles.take`. An invalid file is reported as an invalid field."""
    try:
        return files.take(path, who, batch_id)
    except HangtagError as error:
        if error.code != "table":
            raise
        raise InvalidFieldsError(InvalidField("file", error.problem), fix=error.fix) from None


def _choose(photo: str, by_name: Mapping[str, set[tuple[int, str]]]) -> "_Place | str":
    for name in (photo, _last_part(photo)):
        found = by_name.get(name, set())
        if len(found) > 1:
            return f"several products have a photo {name!r}; choose a batch"
        if found:
            ((product, batch),) = found
            return _Place(product, batch)
    return ""


def _last_part(name: str) -> str:
    return name.rpartition("/")[2]


def _read_log(connection: Connection, batch: int | None) -> list[tuple[tuple[str, str], int, dict[str, Any]]]:
    """Return who set which label when, for which product, in order, without undone decisions."""
    statement = select(
        DecisionRow.number, DecisionRow.kind, DecisionRow.target, DecisionRow.who, DecisionRow.at
    ).where(DecisionRow.kind.in_(_SAYING))
    if batch is not None:
        statement = statement.where(DecisionRow.batch == batch)
    counted: dict[int, tuple[str, str]] = {}
    undone: dict[int, tuple[str, str]] = {}
    for row in connection.execute(statement.order_by(DecisionRow.number)):
        if row.kind == "undo" and row.target in counted:
            undone[row.target] = counted.pop(row.target)
        elif row.kind == "redo" and row.target in undone:
            counted[row.target] = undone.pop(row.target)
        elif row.target is None:
            counted[row.number] = (row.who or "", row.at.isoformat(timespec="seconds"))
    found = []
    for part in iter_parts(sorted(counted)):
        changes = connection.execute(
            select(ChangeRow.decision, ChangeRow.product, ChangeRow.after)
            .where(ChangeRow.decision.in_(part))
            .order_by(ChangeRow.decision, ChangeRow.product)
        )
        found += [(counted[row.decision], row.product, row.after.get("attributes", {})) for row in changes]
    return found


def _read_names(connection: Connection, products: Sequence[int]) -> dict[int, str]:
    """Return the name of the first photo of each product."""
    names: dict[int, str] = {}
    for part in iter_parts(products):
        statement = (
            select(PhotoRow.product, PhotoRow.name)
            .where(PhotoRow.product.in_(part))
            .order_by(PhotoRow.product, PhotoRow.position, PhotoRow.number)
        )
        for product, name in connection.execute(statement):
            names.setdefault(product, name)
    return names
