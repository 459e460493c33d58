"""Which columns a table of labels has, and what kind of value stands in each."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, cast

from hangtag.bundle.card import Card
from hangtag.domain.columns import (
    ANSWER,
    ANSWER_LEVEL,
    FAILED,
    FLAGS,
    LABEL_COLUMNS,
    LABELLED,
    MODEL,
    PATH,
    REASON,
    STATUS,
    candidates_of,
    confidence_of,
)

__all__ = [
    "ANSWER",
    "ANSWER_LEVEL",
    "FAILED",
    "FLAGS",
    "GIVEN_KINDS",
    "LABELLED",
    "MODEL",
    "PATH",
    "REASON",
    "STATUS",
    "Candidates",
    "Cell",
    "Kind",
    "Layout",
    "Names",
    "Rows",
    "as_kind",
    "candidates_of",
    "confidence_of",
    "join_names",
    "name_beside",
    "render_given",
]

Candidates = list[tuple[str, float]]
"""Labels with their confidences (0 to 1), the chosen one first."""

Names = tuple[str, ...]
"""Several codes in one cell."""

Cell = str | float | dt.date | Candidates | Names | None
"""A value of a table; None where there is none."""

Rows = dict[str, list[Cell]]
"""Some rows of a table, column by column, all columns of the same length."""


class Kind(Enum):
    """What stands in a column. Moments are dates with a time, which belongs to no time zone."""

    TEXT = auto()
    CONFIDENCE = auto()
    CANDIDATES = auto()
    NAMES = auto()
    INTEGER = auto()
    NUMBER = auto()
    BOOLEAN = auto()
    DATE = auto()
    MOMENT = auto()


GIVEN_KINDS: Final = frozenset({Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN, Kind.DATE, Kind.MOMENT})
"""The kinds that only columns have which came with the photos."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a table of labels.

    `label_columns` are the usual columns, and any others that a model answers; `answered` are those that some model
    does answer, the rest stay empty. With several `models`, by name, a row speaks of one photo and one model; with
    `top_k` over 1 each label has a column of its candidates. `given` are the columns that came with the photos, with
    their kinds: they stand first, with `(given)` after their names where the table has such a column itself.
    """

    label_columns: tuple[str, ...] = LABEL_COLUMNS
    answered: frozenset[str] = frozenset(LABEL_COLUMNS)
    models: tuple[str, ...] = ("default",)
    top_k: int = 1
    given: tuple[tuple[str, Kind], ...] = ()

    @classmethod
    def for_models(
        cls, cards: Mapping[str, Card], top_k: int = 1, given: tuple[tuple[str, Kind], ...] = ()
    ) -> "Layout":
        """Lay out the columns of a table for these models, given by name, and for what came with the photos."""
        answered = dict.fromkeys(column for card in cards.values() for column in card.columns)
        others = tuple(column for column in answered if column not in LABEL_COLUMNS)
        return cls(LABEL_COLUMNS + others, frozenset(answered), tuple(cards), top_k, given)

    @property
    def compares_models(self) -> bool:
        """Whether a row needs to say which model it speaks of."""
        return len(self.models) > 1

    @property
    def kinds(self) -> dict[str, Kind]:
        """The kind of each column by its name, in the order of the table."""
        names, kinds = self.given_names, dict(self.given)
        return {names[name]: kinds[name] for name in names} | self._own_kinds

    @property
    def given_names(self) -> dict[str, str]:
        """What each column that came with the photos is called in the table, by its own name."""
        own = [name for name, _ in self.given]
        return dict(zip(own, name_beside(own, self._own_kinds, "given"), strict=True))

    @property
    def _own_kinds(self) -> dict[str, Kind]:
        kinds = dict.fromkeys((PATH, MODEL) if self.compares_models else (PATH,), Kind.TEXT)
        kinds |= {STATUS: Kind.TEXT, REASON: Kind.TEXT}
        for column in self.label_columns:
            kinds |= {column: Kind.TEXT, confidence_of(column): Kind.CONFIDENCE}
            if self.top_k > 1:
                kinds[candidates_of(column)] = Kind.CANDIDATES
        return kinds | {ANSWER: Kind.TEXT, ANSWER_LEVEL: Kind.TEXT, FLAGS: Kind.NAMES}


def name_beside(names: Iterable[str], taken: Iterable[str], mark: str) -> list[str]:
    """Return what columns are called beside those that have their names, one by one: `path (given)`.

    Capital letters make no difference, since they make none in a spreadsheet's formulas or in SQL.
    """
    used = {name.casefold() for name in taken}
    found = []
    for own in names:
        name = own
        while name.casefold() in used:
            name = f"{name} ({mark})"
        used.add(name.casefold())
        found.append(name)
    return found


def as_kind(value: object, kind: Kind) -> Cell:
    """Return a value that came with a photo as what its column holds; in a column of text everything is text."""
    if kind is not Kind.TEXT or value is None or isinstance(value, str):
        return cast("Cell", value)
    return render_given(value)


def render_given(value: object) -> str:
    """Write a number, a truth, a date or a moment as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def join_names(cell: Cell) -> str:
    """Write several codes into one cell of text: `blank;too_dark`."""
    return ";".join(cell) if isinstance(cell, tuple) else ""
