"""Labels from a shop's own system, matched by SKU. They never overwrite a person's newer decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select
from sqlalchemy import Row as DatabaseRow

from hangtag.domain.errors import InvalidField, InvalidFieldsError
from hangtag.store.decisions import Decision, Planner, read_products
from hangtag.store.log import Entry, ProductChange, append
from hangtag.store.products import parse_id
from hangtag.store.store import Store, find_answer, iter_parts, keep_answer
from hangtag.store.tables import ProductRow
from hangtag.store.vocabulary import Vocabulary

MOST_PUSHED: Final = 1000
SYSTEM: Final = "system"
"""The author of pushed labels."""


@dataclass(frozen=True, slots=True)
class PushedLabels:
    """The system's labels for a product, found by its id or its SKU; None takes a label back.

    `version` is that of the product which the system saw. Without one, no decision of a person is changed.
    """

    labels: Mapping[str, str | None]
    product: str | None = None
    key: str | None = None
    version: int | None = None


def push_labels(
    store: Store, batch_id: str, pushed: Sequence[PushedLabels], who: str | None, once: str | None = None
) -> dict[str, Any]:
    """Set labels of many products in one decision. Return the outcome for each.

    Outcomes are `changed`, `unchanged`, `conflict` (a person decided otherwise since that version), `refused` (there
    is no such label) and `unknown` (there is no such product). `once` is an `Idempotency-Key`. Raises `NotStoredError`.

    Pushed labels are stored as decisions by a person's system, not by the person, so that the same person's decisions
    on the page are protected from them, too.
    """
    pusher = SYSTEM if who is None else f"{who} ({SYSTEM})"
    if len(pushed) > MOST_PUSHED:
        raise InvalidFieldsError(InvalidField("items", f"send at most {MOST_PUSHED} products at a time"))
    with store.engine.connect() as connection:
        batch = store.find_batch(connection, batch_id)
    with store.changing(batch.number) as change:
        known = find_answer(change.connection, once)
        if known is not None:
            return known
        numbers = _find_numbers(change.connection, batch.number, pushed)
        found = {number for number in numbers if number is not None}
        rows = {row.number: row for row in read_products(change.connection, sorted(found), batch.number)}
        vocabulary = store.labeller(change.connection, batch.model).vocabulary
        results: list[dict[str, Any]] = []
        changes: list[ProductChange] = []
        changed: set[int | None] = set()
        for item, number in zip(pushed, numbers, strict=True):
            result, own = _plan(item, rows.get(number or 0), vocabulary, pusher)
            if number in changed and own:
                result, own = result | {"outcome": "refused", "reason": "the product occurs twice"}, []
            changed.add(number)
            results.append(result)
            changes += own
        done = (
            append(store, change, changes, Entry("set", pusher))
            if changes
            else {"decision": None, "changed": 0}
        )
        response = {**done, "results": results}
        keep_answer(change.connection, once, response)
    return response


def _plan(
    item: PushedLabels,
    row: DatabaseRow[Any] | None,
    vocabulary: Vocabulary,
    who: str | None,
) -> tuple[dict[str, Any], list[ProductChange]]:
    """Return the outcome of one item, and its changes."""
    result: dict[str, Any] = {
        "product": item.product if row is None else str(row.number),
        "key": item.key if row is None else row.key,
        "outcome": "unknown",
        "version": None if row is None else row.version,
        "by": None,
        "value": None,
        "reason": None,
    }
    if row is None:
        return result, []
    versions = {row.number: 0 if item.version is None else item.version}
    planner = Planner(Decision(set=item.labels, versions=versions), vocabulary, who, None)
    try:
        planner.plan(row)
    except InvalidFieldsError as error:
        return result | {"outcome": "refused", "reason": error.problem}, []
    if planner.conflicts:
        rival = planner.conflicts[0]
        return result | {"outcome": "conflict", "by": rival["by"], "value": rival["value"]}, []
    if not planner.changes:
        return result | {"outcome": "unchanged"}, []
    return result | {"outcome": "changed", "version": row.version + 1}, planner.changes


def _find_numbers(connection: Connection, batch: int, pushed: Sequence[PushedLabels]) -> list[int | None]:
    """Return the numbers of the products that items refer to; None if there is none, or more than one."""
    keys = list({item.key for item in pushed if item.product is None and item.key})
    by_key: dict[str, list[int]] = {}
    for part in iter_parts(keys):
        own = (ProductRow.batch == batch) & ~ProductRow.removed & ProductRow.key.in_(part)
        for number, key in connection.execute(select(ProductRow.number, ProductRow.key).where(own)):
            by_key.setdefault(str(key), []).append(number)
    return [
        parse_id(item.product, "product")
        if item.product is not None
        else found[0]
        if len(found := by_key.get(item.key or "", [])) == 1
        else None
        for item in pushed
    ]
