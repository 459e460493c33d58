"""People's checks in a store: examples that heads learn from, and random ones that only measure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np
from sqlalchemy import Connection, Text, cast, func, select
from sqlalchemy import Row as DatabaseRow

from hangtag.adapting.effort import draw_control
from hangtag.adapting.examples import Examples
from hangtag.inference.predictions import Floats
from hangtag.store.derived import read_vectors
from hangtag.store.labels import Labeller
from hangtag.store.shop_tables import ShopModelRow
from hangtag.store.store import Store, iter_parts, now
from hangtag.store.tables import (
    BatchRow,
    ChangeRow,
    DecisionRow,
    EmbeddingRow,
    ModelRow,
    PhotoRow,
    PredictionRow,
    ProductRow,
)

_TEACHING = ("set", "confirm")


@dataclass(frozen=True, slots=True)
class Checks:
    """The checked products of a base's batches.

    `learnt` are examples to learn from, `control` the random ones to measure with; either is None if there are none.
    `batches` holds the id, name and number of learned checks of each batch, and `decision` is the last decision among
    them.
    """

    learnt: Examples | None
    control: Examples | None
    batches: list[dict[str, Any]]
    decision: int

    @property
    def count(self) -> int:
        """How many products there are to learn from."""
        return 0 if self.learnt is None else len(self.learnt)


@dataclass(frozen=True, slots=True)
class NewChecks:
    """How many products were checked since a version last learned, and how long ago the last decision was.

    `last` is the newest of these decisions, `learned` how many checks the newest version learned from.
    """

    count: int
    quiet_s: float
    last: int
    learned: int


def read_checks(store: Store, base: int) -> Checks:
    """Return the checks of all batches that a base, or a version adapted from it, labels.

    Control products are never learned from. They count only once all before them in their order are checked: otherwise
    people would check the doubtful ones first, and the figures would describe only those.
    """
    with store.engine.connect() as connection:
        decision = connection.execute(select(func.max(DecisionRow.number))).scalar_one() or 0
        rows = _read_checked(connection, base)
        batches = {row.batch: (row.batch_id, row.batch_name) for row in rows}
        control: list[int] = []
        counted: list[int] = []
        for batch in batches:
            drawn = read_control(connection, batch)
            control += drawn
            counted += take_checked(connection, drawn)
        labeller = store.labeller(connection, base)
        kept = set(control)
        learnt = [row for row in rows if row.number not in kept and row.overruled is not True]
        by_number = {row.number: row for row in rows}
        tested = [by_number[number] for number in counted if number in by_number]
        examples = _build_examples(connection, labeller, base, learnt)
        measured = _build_examples(connection, labeller, base, tested)
    counts = Counter(row.batch for row in learnt)
    described = [
        {"id": id_, "name": name, "checks": counts[number]} for number, (id_, name) in batches.items()
    ]
    return Checks(examples, measured, described, int(decision))


def read_control(connection: Connection, batch: int) -> list[int]:
    """Return the control products of a batch, in the order in which they are checked."""
    statement = (
        select(PhotoRow.product, PhotoRow.sha256)
        .join(ProductRow, ProductRow.number == PhotoRow.product)
        .where(
            PhotoRow.batch == batch,
            PhotoRow.sha256 != "",
            PhotoRow.reason.is_(None),
            ~PhotoRow.todo,
            ~ProductRow.removed,
            ProductRow.overruled.is_not(True),
        )
        .order_by(PhotoRow.product, PhotoRow.position, PhotoRow.number)
    )
    firsts = [next(own) for _, own in groupby(connection.execute(statement), attrgetter("product"))]
    drawn = draw_control([row.sha256 for row in firsts])
    return [int(firsts[position].product) for position in drawn.tolist()]


def find_new_checks(connection: Connection, base: int) -> NewChecks:
    """Return how many products of a base's batches were checked since a version learned from them."""
    newest = (
        select(ShopModelRow.decision, ShopModelRow.learnt_from)
        .where(ShopModelRow.base == base)
        .order_by(ShopModelRow.version.desc())
    )
    row = connection.execute(newest.limit(1)).first()
    since, learned = (0, 0) if row is None else (row.decision, row.learnt_from["checks"])
    statement = (
        select(
            func.count(ChangeRow.product.distinct()), func.max(DecisionRow.at), func.max(DecisionRow.number)
        )
        .join(DecisionRow, DecisionRow.number == ChangeRow.decision)
        .join(BatchRow, BatchRow.number == DecisionRow.batch)
        .join(ModelRow, ModelRow.number == BatchRow.model)
        .where(ChangeRow.decision > since, DecisionRow.kind.in_(_TEACHING), _is_of(base))
    )
    count, last_at, last = connection.execute(statement).one()
    if not count:
        return NewChecks(0, 0.0, since, learned)
    return NewChecks(int(count), (now() - last_at).total_seconds(), int(last), learned)


def _is_of(base: int) -> Any:  # noqa: ANN401 - a condition
    return func.coalesce(ModelRow.base, ModelRow.number) == base


def _read_checked(connection: Connection, base: int) -> Sequence[DatabaseRow[Any]]:
    statement = (
        select(
            ProductRow.number,
            ProductRow.batch,
            ProductRow.said,
            ProductRow.overruled,
            BatchRow.id.label("batch_id"),
            BatchRow.name.label("batch_name"),
        )
        .join(BatchRow, BatchRow.number == ProductRow.batch)
        .join(ModelRow, ModelRow.number == BatchRow.model)
        .where(_is_of(base), ~ProductRow.removed, cast(ProductRow.said, Text) != "{}")
        .order_by(ProductRow.number)
    )
    return connection.execute(statement).all()


def take_checked(connection: Connection, drawn: Sequence[int]) -> list[int]:
    """Return the completely checked products, up to the first one that is not."""
    checked: set[int] = set()
    for part in iter_parts(drawn):
        statement = select(ProductRow.number).where(ProductRow.number.in_(part), ProductRow.checked)
        checked.update(connection.execute(statement).scalars())
    first = next((place for place, number in enumerate(drawn) if number not in checked), len(drawn))
    return list(drawn[:first])


def _build_examples(
    connection: Connection, labeller: Labeller, base: int, products: Sequence[DatabaseRow[Any]]
) -> Examples | None:
    """Return a base's outputs for products, averaged over their photos, with people's labels."""
    found = read_outputs(connection, labeller, base, [row.number for row in products])
    if found is None:
        return None
    numbers, outputs = found
    by_number = {row.number: row for row in products}
    said = [by_number[number].said for number in numbers]
    columns = dict.fromkeys([*labeller.card.columns, *(column for entry in said for column in entry)])
    labels = {
        column: [entry[column]["value"] if column in entry else None for entry in said] for column in columns
    }
    return Examples(outputs, {column: values for column, values in labels.items() if any(values)})


def read_outputs(
    connection: Connection, labeller: Labeller, base: int, products: Sequence[int]
) -> tuple[list[int], Mapping[str, Floats]] | None:
    """Return the products with outputs of the base, and these outputs averaged over their photos.

    None if there are none.
    """
    card = labeller.card
    numbers: list[int] = []
    parts: list[dict[str, Floats]] = []
    for part in iter_parts(products):
        rows = _read_answers(connection, base, part)
        if not rows or card.embedding is None:
            continue
        outputs, _ = labeller.read_outputs([dict(row._mapping) for row in rows])  # noqa: SLF001 - SQLAlchemy's name
        outputs[card.embedding.output] = read_vectors(rows)
        owners, starts, counts = np.unique(
            np.array([row.product for row in rows]), return_index=True, return_counts=True
        )
        numbers += owners.tolist()
        parts.append(
            {
                name: (np.add.reduceat(values, starts, axis=0) / counts[:, None]).astype(np.float32)
                for name, values in outputs.items()
            }
        )
    if not numbers:
        return None
    return numbers, {name: np.concatenate([found[name] for found in parts]) for name in parts[0]}


def _read_answers(connection: Connection, base: int, products: Sequence[int]) -> Sequence[DatabaseRow[Any]]:
    joined = (EmbeddingRow.photo == PredictionRow.photo) & (EmbeddingRow.model == PredictionRow.model)
    columns: list[Any] = [PhotoRow.product, PredictionRow.logits, PredictionRow.ood_score]
    columns += [PredictionRow.flags, EmbeddingRow.vector]
    return connection.execute(
        select(*columns)
        .join(PredictionRow, PredictionRow.photo == PhotoRow.number)
        .join(EmbeddingRow, joined)
        .where(PhotoRow.product.in_(products), PredictionRow.model == base)
        .order_by(PhotoRow.product, PhotoRow.position, PhotoRow.number)
    ).all()
