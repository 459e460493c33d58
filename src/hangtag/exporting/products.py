"""From a table of labels to products: rows grouped by SKU, with doubtful labels separated from certain ones."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from hangtag.domain.columns import (
    ANSWER,
    ANSWER_LEVEL,
    CATEGORY_COLUMNS,
    FLAGS,
    LABEL_COLUMNS,
    MODEL,
    PATH,
    REASON,
    STATUS,
    candidates_of,
    confidence_of,
)
from hangtag.domain.errors import TableError
from hangtag.exporting.words import colour_family
from hangtag.tables.cells import KEY_COLUMNS, plain_name
from hangtag.tables.reading import Table, iter_padded_rows, list_columns

SURE: Final = 0.7
"""A label outside the category is doubtful below this confidence."""

_OWN: Final = frozenset(
    (
        *(PATH, MODEL, STATUS, REASON, ANSWER, ANSWER_LEVEL, FLAGS),
        *LABEL_COLUMNS,
        *map(confidence_of, LABEL_COLUMNS),
        *map(candidates_of, LABEL_COLUMNS),
    )
)
_CANDIDATE: Final = re.compile(r"((?:[^|\\\\:]|\\\\.)+):([01]\.\d+)")
"""A candidate as `predict --top-k` writes it: `Navy Blue:0.5100`."""

_GIVEN: Final = " (given)"
_HARMLESS: Final = frozenset(("", "too_small", "blurred", "too_dark"))
"""Flags that concern only the photo; the labels may still be right."""


@dataclass(slots=True)
class Product:
    """A product or a photo: the line of its first row, its key, its labels, and its row in the shop's sheet.

    `doubts` has by column why a label is doubtful, and under `*` why all are. `sheet` has the other columns of the
    table by their names without case and punctuation. `family` is the colour family shared by the candidates of a
    doubtful colour, if the table has candidates. `title` is the product's name in messages, if that is not its line.
    `id` identifies it if lines do not; a `line` of 0 means none.
    """

    line: int
    key: str
    labels: dict[str, str]
    doubts: dict[str, str] = field(default_factory=dict)
    sheet: dict[str, str] = field(default_factory=dict)
    photos: list[str] = field(default_factory=list)
    family: str = ""
    title: str = ""
    id: str = ""

    @property
    def sure(self) -> dict[str, str]:
        """The labels that are not doubtful."""
        if not self.doubts:
            return self.labels
        if "*" in self.doubts:
            return {}
        return {column: label for column, label in self.labels.items() if column not in self.doubts}


class ProductSource(Protocol):
    """The source of an export's products: its name in messages, the columns of the shop's sheet, the products.

    `titles` has the columns by their plain names, in order. `attributes` are the shop's own.
    """

    where: object
    titles: Mapping[str, str]
    attributes: Sequence[str]

    def read_names(self, language: str) -> Mapping[str, Mapping[str, str]]:
        """Return the shop's names for its classes in a language, by column."""
        ...

    def __iter__(self) -> Iterator[Product]:
        """Iterate the products."""
        ...


class _Layout(NamedTuple):
    """The positions of a table's columns."""

    labels: dict[str, int]
    confidences: dict[str, int]
    reason: int | None
    level: int | None
    flags: int | None
    path: int | None
    key: int | None
    colours: int | None
    sheet: dict[int, str]


class ProductReader:
    """Iterates the products of a table of labels, ordered by their last rows.

    `table` is the output of `hangtag predict`, or any table with columns of labels. `key` names the SKU column; by
    default it is the first column with a usual name, or else the photo's path. With `by_photo` each row is a product.
    Raises `TableError` for a table without labels.
    """

    def __init__(
        self, table: Table, *, key: str | None = None, by_photo: bool = False, sure: float = SURE
    ) -> None:
        self.table = table
        self.where: object = table.where
        self._sure = sure
        self._by_photo = by_photo
        self._layout = _read_layout(table, key)
        self.titles: Mapping[str, str] = {
            name: table.names[place].removesuffix(_GIVEN) for place, name in self._layout.sheet.items()
        }
        self.attributes: Sequence[str] = [name for name in self._layout.labels if name not in LABEL_COLUMNS]

    def read_names(self, language: str) -> Mapping[str, Mapping[str, str]]:
        """Return nothing: a table does not have the shop's names for classes."""
        del language
        return {}

    @property
    def key(self) -> str | None:
        """The column with the products' keys."""
        place = self._layout.key
        return None if place is None else self.table.names[place]

    def __iter__(self) -> Iterator[Product]:
        place = self._layout.key
        if place is None or self._by_photo:
            for line, cells in iter_padded_rows(self.table):
                yield self._read(line, cells)
            return
        left = Counter(cells[place] for _, cells in iter_padded_rows(self.table))
        waiting: defaultdict[str, list[Product]] = defaultdict(list)
        for line, cells in iter_padded_rows(self.table):
            product = self._read(line, cells)
            key = cells[place]
            left[key] -= 1
            if not key or (not left[key] and key not in waiting):
                yield product
                continue
            waiting[key].append(product)
            if not left[key]:
                yield join_photos(waiting.pop(key))

    def _read(self, line: int, cells: Sequence[str]) -> Product:
        layout = self._layout
        labels = {column: cells[place] for column, place in layout.labels.items() if cells[place]}
        product = Product(
            line,
            _key_of(layout, cells, line),
            labels,
            sheet={name: cells[place] for place, name in layout.sheet.items() if cells[place]},
        )
        if layout.path is not None and cells[layout.path]:
            product.photos.append(cells[layout.path])
        self._doubt(product, cells)
        return product

    def _doubt(self, product: Product, cells: Sequence[str]) -> None:
        layout = self._layout
        if not product.labels:
            reason = "" if layout.reason is None else cells[layout.reason]
            product.doubts["*"] = f"the photo has no labels ({reason})" if reason else "there are no labels"
            return
        flags = "" if layout.flags is None else cells[layout.flags]
        if serious := set(re.split(r"[;,|]", flags)) - _HARMLESS:
            product.doubts["*"] = f"the photo is flagged: {', '.join(sorted(serious))}"
        depth = len(CATEGORY_COLUMNS)
        if layout.level is not None:
            level = cells[layout.level]
            depth = CATEGORY_COLUMNS.index(level) + 1 if level in CATEGORY_COLUMNS else 0
        for column in CATEGORY_COLUMNS[depth:]:
            if column in product.labels:
                product.doubts[column] = "the model is not confident of this level of the category"
        for column, place in layout.confidences.items():
            is_level = column in CATEGORY_COLUMNS and layout.level is not None
            if column in product.labels and not is_level and (value := _number(cells[place])) < self._sure:
                product.doubts[column] = f"the confidence is {value:.2f}, under {self._sure:.2f}"
        if "baseColour" in product.doubts and "*" not in product.doubts and layout.colours is not None:
            product.family = find_family(_read_candidates(cells[layout.colours]), self._sure)


def join_photos(photos: Sequence[Product]) -> Product:
    """Combine the photos of a product: each label is the most frequent one, with certain ones before doubtful ones.

    The category is chosen as a whole, so that its levels never contradict each other.
    """
    usable = [photo for photo in photos if "*" not in photo.doubts] or list(photos)
    first = photos[0]
    joined = Product(first.line, first.key, {}, sheet=dict(first.sheet))
    for photo in photos:
        joined.photos += photo.photos
        for name, value in photo.sheet.items():
            joined.sheet.setdefault(name, value)
    if "*" in usable[0].doubts:
        joined.doubts["*"] = usable[0].doubts["*"]
    attributes = dict.fromkeys((*LABEL_COLUMNS, *(column for photo in usable for column in photo.labels)))
    for columns in (
        CATEGORY_COLUMNS,
        *((column,) for column in attributes if column not in CATEGORY_COLUMNS),
    ):
        _choose(joined, usable, columns)
    return joined


def _choose(joined: Product, photos: Sequence[Product], columns: Sequence[str]) -> None:
    votes: Counter[tuple[str | None, ...]] = Counter()
    for photo in photos:
        sure = sum(column in photo.labels and column not in photo.doubts for column in columns)
        votes[tuple(map(photo.labels.get, columns))] += 1 + len(photos) * sure
    chosen = votes.most_common(1)[0][0]
    holders = [photo for photo in photos if tuple(map(photo.labels.get, columns)) == chosen]
    for column, label in zip(columns, chosen, strict=True):
        if label is None:
            continue
        joined.labels[column] = label
        doubts = [photo.doubts.get(column) for photo in holders]
        if all(doubts) and doubts[0]:
            joined.doubts[column] = doubts[0]
            joined.family = joined.family or (holders[0].family if column == "baseColour" else "")


def _read_layout(table: Table, key: str | None) -> _Layout:
    names = {name: place for place, name in enumerate(table.names)}
    columns = (*LABEL_COLUMNS, *find_attributes(table.names))
    own: dict[str, int] = {column: names[column] for column in columns if column in names}
    if not own:
        fix = f"Name a table that `hangtag predict` wrote. {list_columns(table.names)}"
        raise TableError("the table has no labels", where=table.where, fix=fix)
    sheet = {
        place: plain_name(name.removesuffix(_GIVEN))
        for name, place in names.items()
        if name not in _OWN
        and not any(name in {column, confidence_of(column), candidates_of(column)} for column in own)
    }
    confidences: dict[str, int] = {
        column: names[confidence_of(column)] for column in own if confidence_of(column) in names
    }
    return _Layout(
        own,
        confidences,
        names.get(REASON),
        names.get(ANSWER_LEVEL),
        names.get(FLAGS),
        names.get(PATH),
        _find_key(table, key, sheet),
        names.get(candidates_of("baseColour")),
        sheet,
    )


def find_attributes(names: Sequence[str]) -> list[str]:
    """Return the shop's own attributes among the columns of a table of labels: those with a confidence column."""
    return [name for name in names if name not in LABEL_COLUMNS and confidence_of(name) in names]


def _find_key(table: Table, key: str | None, sheet: Mapping[int, str]) -> int | None:
    if key is not None:
        return table.place(key)
    found = [place for place, name in sheet.items() if name in KEY_COLUMNS]
    return min(found, key=lambda place: KEY_COLUMNS.index(sheet[place]), default=None)


def _key_of(layout: _Layout, cells: Sequence[str], line: int) -> str:
    if layout.key is not None:
        return cells[layout.key]
    return cells[layout.path] if layout.path is not None else str(line)


def _number(text: str) -> float:
    """Read a confidence, also as a spreadsheet may have saved it: `0,9312` or `93.12%`."""
    plain = text.strip().replace(",", ".")
    try:
        return float(plain.removesuffix("%")) / (100 if plain.endswith("%") else 1)
    except ValueError:
        return 1.0


def find_family(candidates: Iterable[tuple[str, float]], sure: float) -> str:
    """Return the colour family if it is certain but no single colour is: blue, for navy or blue. Otherwise empty."""
    confidences: defaultdict[str, float] = defaultdict(float)
    for colour, confidence in candidates:
        if family := colour_family(colour):
            confidences[family] += confidence
    best = max(confidences, key=lambda family: confidences[family], default="")
    return best if best and confidences[best] >= sure else ""


def _read_candidates(text: str) -> list[tuple[str, float]]:
    return [
        (re.sub(r"\\(.)", r"\1", colour), float(confidence))
        for colour, confidence in _CANDIDATE.findall(text)
    ]
