"""What to check next in a batch: what teaches most, with some random products in between, to measure."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, func, select
from sqlalchemy import Row as DatabaseRow

from hangtag.adapting.suggesting import Suggester, Suggestion
from hangtag.inference.predictions import Floats, category_levels
from hangtag.learning.checks import read_control, read_outputs, take_checked
from hangtag.store.derived import shift_outputs
from hangtag.store.store import Store
from hangtag.store.tables import PhotoRow, ProductRow

CONTROL_EVERY: Final = 8
"""One in this many checks is a random one, as long as there are any."""

MOST_PRODUCTS: Final = 3000
"""In a larger batch, only this many products are considered."""

_KEPT_BATCHES: Final = 2

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Looks:
    """The base's outputs for the products of a batch, `numbers` (n,), and what follows from them alone."""

    stamp: tuple[int, ...]
    numbers: Ints
    outputs: Mapping[str, Floats]
    suggester: Suggester


class Suggestions:
    """Chooses what to check next. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[tuple[int, int], _Looks] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, batch_id: str, limit: int) -> dict[str, Any]:
        """Return up to `limit` products of a batch to check, in order, and how many are worth checking.

        Each comes with those that look the same, which can be settled with it. Raises `NotStoredError`.
        """
        with self._store.engine.connect() as connection:
            batch = self._store.find_batch(connection, batch_id)
            rows = {row.number: row for row in _read_states(connection, batch.number)}
            control = [number for number in read_control(connection, batch.number) if number in rows]
            asked = control[len(take_checked(connection, control)) :]
            is_checked = [row.state != "to_check" for row in rows.values()]
            looks = self._find_looks(connection, batch)
            teaching = (
                [] if looks is None else self._suggest(connection, batch, looks, (rows, set(control)), limit)
            )
        items = list(_mix(teaching, asked, sum(is_checked), limit))
        doubtful = sum(row.state == "to_check" and row.why is not None for row in rows.values())
        return {"items": items, "left": max(doubtful, len(items))}

    def _suggest(
        self,
        connection: Connection,
        batch: DatabaseRow[Any],
        looks: _Looks,
        known: tuple[Mapping[int, DatabaseRow[Any]], set[int]],
        limit: int,
    ) -> list[dict[str, Any]]:
        rows, control = known
        places = [place for place, number in enumerate(looks.numbers.tolist()) if number in rows]
        numbers = [int(looks.numbers[place]) for place in places]
        is_open = {number: rows[number].state == "to_check" and number not in control for number in numbers}
        checked = [place for place, number in zip(places, numbers, strict=True) if not is_open[number]]
        probabilities = self._read_probabilities(connection, batch, looks)
        found, why = looks.suggester.suggest_with_reason(probabilities, np.array(checked, np.int64), limit)

        def describe(suggestion: Suggestion) -> dict[str, Any]:
            alike = [int(looks.numbers[place]) for place in suggestion.alike]
            return {
                "product": str(looks.numbers[suggestion.photo]),
                "alike": [str(number) for number in alike if is_open.get(number, False)],
                "why": why,
            }

        return [
            describe(suggestion) for suggestion in found if is_open.get(int(looks.numbers[suggestion.photo]))
        ]

    def _find_looks(self, connection: Connection, batch: DatabaseRow[Any]) -> _Looks | None:
        base = self._store.base_of(connection, batch.model)
        stamp = _read_stamp(connection, batch.number)
        key = (batch.number, base)
        with self._lock:
            known = self._known.get(key)
            if known is not None and known.stamp == stamp:
                self._known.move_to_end(key)
                return known
        found = read_outputs(
            connection, self._store.labeller(connection, base), base, _choose(connection, batch.number)
        )
        if found is None or len(found[0]) < 2:  # noqa: PLR2004 - of one there is nothing to choose
            return None
        numbers, outputs = found
        card = self._store.labeller(connection, base).card
        assert card.embedding is not None  # noqa: S101 - else there are no outputs
        looks = _Looks(stamp, np.array(numbers), outputs, Suggester(outputs[card.embedding.output]))
        with self._lock:
            self._known[key] = looks
            while len(self._known) > _KEPT_BATCHES:
                self._known.popitem(last=False)
        return looks

    def _read_probabilities(self, connection: Connection, batch: DatabaseRow[Any], looks: _Looks) -> Floats:
        """Return the probabilities (n, classes) of the category's leaf, from the model in use."""
        labeller = self._store.labeller(connection, batch.model)
        outputs = looks.outputs
        base = self._store.base_of(connection, batch.model)
        if base != batch.model:
            card = self._store.labeller(connection, base).card
            assert card.embedding is not None  # noqa: S101 - else it could not have been adapted
            shifts = self._store.shifts.read(connection, batch.model, labeller.card.columns)
            outputs = shift_outputs(labeller.card.columns, outputs, outputs[card.embedding.output], shifts)
        found = labeller.builder.build(outputs)
        levels = category_levels(labeller.card)
        return found.probabilities[levels[-1] if levels else labeller.card.columns[0]]


def _mix(
    teaching: Sequence[Mapping[str, Any]], control: Sequence[int], checked: int, limit: int
) -> Iterator[dict[str, Any]]:
    """Yield what teaches most, and every so often the next control product. Both keep their order."""
    waiting, drawn = iter(teaching), iter(control)
    for place in range(checked, checked + limit):
        is_turn = place % CONTROL_EVERY == CONTROL_EVERY - 1
        number = next(drawn, None) if is_turn else None
        found = None if number is not None else next(waiting, None)
        if number is None and found is None:
            number = next(drawn, None)
        if number is not None:
            yield {"product": str(number), "alike": [], "why": "control"}
        elif found is not None:
            yield dict(found)
        else:
            return


def _read_states(connection: Connection, batch: int) -> Sequence[DatabaseRow[Any]]:
    columns: list[Any] = [ProductRow.number, ProductRow.state, ProductRow.why]
    return connection.execute(select(*columns).where(ProductRow.batch == batch, ~ProductRow.removed)).all()


def _read_stamp(connection: Connection, batch: int) -> tuple[int, ...]:
    """Return numbers that change if and only if the photos of a batch or their grouping change."""
    statement = select(
        func.count(),
        func.coalesce(func.sum(PhotoRow.product), 0),
        func.coalesce(func.max(PhotoRow.number), 0),
    ).where(PhotoRow.batch == batch, ~PhotoRow.todo)
    return tuple(int(value) for value in connection.execute(statement).one())


def _choose(connection: Connection, batch: int) -> list[int]:
    """Return the products to consider: all of them or, in a large batch, an even sample."""
    statement = (
        select(ProductRow.number)
        .where(ProductRow.batch == batch, ~ProductRow.removed)
        .order_by(ProductRow.number)
    )
    numbers = list(connection.execute(statement).scalars())
    if len(numbers) <= MOST_PRODUCTS:
        return numbers
    places = np.random.default_rng(0).permutation(len(numbers))[:MOST_PRODUCTS]
    return [numbers[place] for place in sorted(places.tolist())]
