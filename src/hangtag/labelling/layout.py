"""The table of labels: its columns, the kinds of their values, and its rows from `Predictions`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hangtag.bundle.card import Card
from hangtag.domain.columns import LABEL_COLUMNS, MODEL
from hangtag.inference.frames import build_columns, label_kinds
from hangtag.inference.predictions import Predictions
from hangtag.tables.cells import Cell, Kind, as_kind, name_beside
from hangtag.tables.writing import Rows


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
        return label_kinds(self.label_columns, self.top_k, with_model=self.compares_models)


def build_rows(batch: Sequence[Predictions], layout: Layout) -> Rows:
    """Return the rows of a batch: for each photo a row for each model, in the order of the layout's models."""
    tables = [
        _build_rows(predictions, model, layout)
        for predictions, model in zip(batch, layout.models, strict=True)
    ]
    if len(tables) == 1:
        return tables[0]
    return {
        name: [cell for cells in zip(*(table[name] for table in tables), strict=True) for cell in cells]
        for name in layout.kinds
    }


def _build_rows(predictions: Predictions, model: str, layout: Layout) -> Rows:
    """Return the rows of one model; columns that it does not answer stay empty."""
    extra = predictions.extra or ({},) * len(predictions)
    titles = layout.given_names
    given = {
        titles[name]: [as_kind(values.get(name), kind) for values in extra] for name, kind in layout.given
    }
    found = build_columns(predictions, layout.top_k) | {MODEL: [model] * len(predictions)}
    empty: list[Cell] = [None] * len(predictions)
    return {name: given[name] if name in given else found.get(name, empty) for name in layout.kinds}
