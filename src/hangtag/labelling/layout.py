"""Which columns a table of labels has, and what kind of value stands in each."""

from collections.abc import Mapping
from dataclasses import dataclass

from hangtag.bundle.card import Card
from hangtag.domain.columns import LABEL_COLUMNS
from hangtag.inference.frames import label_kinds
from hangtag.tables.cells import Kind, name_beside


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
