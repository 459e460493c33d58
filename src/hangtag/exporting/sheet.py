"""Filling a shop's own sheet: columns are recognised, and empty cells filled by SKU in the sheet's own words."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from hangtag.domain.columns import ATTRIBUTE_COLUMNS, CATEGORY_COLUMNS
from hangtag.domain.errors import TableError
from hangtag.exporting.products import Product, join_photos
from hangtag.exporting.taxonomy import load_mapping
from hangtag.exporting.words import (
    FAMILY,
    LANGUAGES,
    Words,
    capitalise,
    colour_family,
    iter_names,
    load_words,
)
from hangtag.tables.cells import plain_name
from hangtag.tables.matching import Likeness, NameMatcher
from hangtag.tables.reading import Table, iter_padded_rows, list_columns

_PATH: Final = "path"
_AGE: Final = "age_group"
_GOOGLE: Final = "google"
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "articleType": (
        "article type", "product type", "item type", "type", "artikeltyp", "artikelart", "produktart", "produkttyp",
        "type d'article", "tipo de artículo",
    ),
    "gender": (
        "gender", "sex", "target gender", "geschlecht", "zielgruppe", "sexe", "genre", "sexo", "género", "für wen",
    ),
    "baseColour": (
        "base colour", "colour", "color", "main colour", "main color", "primary color", "colour name", "farbe",
        "grundfarbe", "hauptfarbe", "couleur", "couleur principale", "color principal",
    ),
    "season": ("season", "saison", "temporada", "collection season"),
    "usage": ("usage", "occasion", "use", "anlass", "ocasión", "style occasion"),
    FAMILY: (
        "colour family", "color family", "colour group", "color group", "filter colour", "farbfamilie", "farbgruppe",
        "famille de couleurs", "familia de color",
    ),
    _PATH: (
        "category", "category path", "product category", "kategorie", "warengruppe", "catégorie", "categoría",
    ),
    _AGE: ("age group", "altersgruppe", "tranche d'âge", "grupo de edad"),
    _GOOGLE: ("google product category", "google category", "google shopping category"),
    "masterCategory": ("master category", "department", "abteilung"),
    "subCategory": ("sub category", "unterkategorie", "subcategoría", "sous-catégorie"),
}  # fmt: skip
"""Shops' names for columns that labels can fill, compared without case and punctuation."""

_LANGUAGE_MARKS: Final[Mapping[str, tuple[str, ...]]] = {
    "de": (
        "farbe",
        "geschlecht",
        "kategorie",
        "saison",
        "artikel",
        "größe",
        "preis",
        "marke",
        "anlass",
        "bezeichnung",
    ),
    "fr": ("couleur", "sexe", "catégorie", "taille", "prix", "marque", "désignation", "référence"),
    "es": ("género", "categoría", "temporada", "talla", "precio", "marca", "referencia", "descripción"),
    "en-US": ("color", "main color", "primary color", "color family"),
}
_MORE_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "Men": ("m", "male", "mens", "men's", "man", "herren", "h"),
    "Women": ("f", "w", "female", "womens", "women's", "ladies", "damen", "d"),
    "Boys": ("boy", "boys'"),
    "Girls": ("girl", "girls'"),
    "Unisex": ("u", "uni"),
    "Grey": ("gray",),
    "Navy Blue": ("navy", "navy blue", "dark blue", "dunkelblau"),
    "Fall": ("fall", "autumn", "aw", "fw"),
}
_AGES: Final = {"Men": "adult", "Women": "adult", "Unisex": "adult", "Boys": "kids", "Girls": "kids"}
_LEAST_OVERLAP: Final = 0.02


@dataclass(frozen=True, slots=True)
class SheetPlan:
    """How a sheet is filled: its key column, the source of each column by position, and the language.

    `spelling` has the sheet's own spelling of a value, by position and class.
    """

    key: int
    columns: Mapping[int, str]
    language: str
    spelling: Mapping[int, Mapping[str, str]]


@dataclass(slots=True)
class SheetResult:
    """The result of filling a sheet: the columns by name, the number of rows found and of cells filled.

    `kept` counts cells that had a value, `doubtful` those left empty because the label is doubtful. `unknown` are the
    keys without a product.
    """

    columns: dict[str, str]
    language: str
    key: str
    rows: int = 0
    matched: int = 0
    filled: int = 0
    kept: int = 0
    doubtful: int = 0
    unknown: list[str] = field(default_factory=list)


class KeyedProducts(Protocol):
    """Products to look up for a sheet's rows. Without a key column, their keys are their photos' names.

    `attributes` are the shop's own.
    """

    attributes: Sequence[str]

    def read_names(self, language: str) -> Mapping[str, Mapping[str, str]]:
        """Return the shop's names for its classes in a language, by column."""
        ...

    @property
    def key(self) -> str | None:
        """The name of the key column; None if there is none."""
        ...

    def __iter__(self) -> Iterator[Product]:
        """Iterate the products."""
        ...


class ProductFinder:
    """Finds the product of a sheet's row: by key, or by its photos' names if there are no keys."""

    def __init__(self, reader: KeyedProducts) -> None:
        self.products = list(reader)
        self.attributes = reader.attributes
        self.read_names = reader.read_names
        self._by_key = {product.key.strip(): product for product in self.products}
        self._matcher = (
            None if reader.key is not None else NameMatcher([product.key for product in self.products])
        )
        shortened: defaultdict[str, list[Product]] = defaultdict(list)
        for key, product in self._by_key.items():
            shortened[key.lstrip("0")].append(product)
        self._shortened = {key: found[0] for key, found in shortened.items() if len(found) == 1 and key}

    def find(self, key: str) -> Product | None:
        """Return the product with a key; None if there is none or it is ambiguous."""
        written = key.strip()
        if not written:
            return None
        if self._matcher is None:
            return self._by_key.get(written) or self._shortened.get(written.lstrip("0"))
        match = self._matcher.find(written, Likeness.PREFIX)
        if not match.photos:
            return None
        return join_photos([self.products[place] for place in sorted(match.photos)])


def plan_sheet(
    table: Table, finder: ProductFinder, *, key: str | None = None, language: str | None = None
) -> SheetPlan:
    """Recognise the columns of a sheet. Raises `TableError` if there is no key column or nothing to fill."""
    columns = recognise_columns(table.header, finder.attributes)
    place = table.place(key) if key is not None else _find_key(table, finder)
    columns.pop(place, None)
    if not columns:
        names = "Colour, Gender, Product type, Category, Season or Occasion"
        fix = f"Name the columns {names}. {list_columns(table.names)}"
        raise TableError("the sheet has no column that labels can fill", where=table.where, fix=fix)
    return SheetPlan(place, columns, language or guess_language(table.header), find_spelling(table, columns))


def recognise_columns(header: Sequence[str], attributes: Sequence[str] = ()) -> dict[int, str]:
    """Return what fills each column of a header, by position. Each label fills the first column with a matching name.

    The shop's own `attributes` fill the columns with their names.
    """
    known = {plain_name(name): target for target, names in _NAMES.items() for name in (*names, target)}
    for _, column, name in iter_names((*CATEGORY_COLUMNS, *ATTRIBUTE_COLUMNS)):
        known.setdefault(plain_name(name), column if column != "masterCategory" else _PATH)
    known |= {plain_name(name): name for name in attributes}
    found: dict[int, str] = {}
    for place, name in enumerate(header):
        target = known.get(plain_name(name))
        if target is not None and target not in found.values():
            found[place] = target
    return found


def guess_language(header: Sequence[str]) -> str:
    """Return the language of a header, from names that only one language has; English (UK) if none decides."""
    names = {plain_name(name) for name in header}
    votes = {
        language: sum(plain_name(mark) in names for mark in marks)
        for language, marks in _LANGUAGE_MARKS.items()
    }
    best = max(votes, key=lambda language: votes[language])
    return best if votes[best] else LANGUAGES[0]


def _find_key(table: Table, finder: ProductFinder) -> int:
    """Return the column most of whose values are keys of products."""
    found: Counter[int] = Counter()
    rows = 0
    for _, cells in iter_padded_rows(table):
        rows += 1
        found.update(place for place, cell in enumerate(cells) if cell and finder.find(cell) is not None)
    if not found or found.most_common(1)[0][1] < _LEAST_OVERLAP * rows:
        fix = f"Give the SKU column with --key. {list_columns(table.names)}"
        raise TableError(
            "no column of the sheet contains the keys of the labelled products", where=table.where, fix=fix
        )
    return found.most_common(1)[0][0]


def find_spelling(table: Table, columns: Mapping[int, str]) -> dict[int, dict[str, str]]:
    """Return the sheet's own spelling of the classes that it already contains, by column and class."""
    written: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for _, cells in iter_padded_rows(table):
        for place in columns:
            if cells[place]:
                written[place].setdefault(plain_name(cells[place]), cells[place])
    return {
        place: {
            label: written[place][name]
            for label, names in _all_words(target).items()
            for name in names
            if name in written[place]
        }
        for place, target in columns.items()
        if target in {*CATEGORY_COLUMNS, *ATTRIBUTE_COLUMNS}
    }


def _all_words(column: str) -> dict[str, list[str]]:
    """Return every spelling of each class of a column, in any language, compared without case and punctuation."""
    words: defaultdict[str, list[str]] = defaultdict(list)
    for language in LANGUAGES:
        for label, names in load_words(language).names.get(column, {}).items():
            words[label] += [plain_name(name) for name in (label, *names, *_MORE_WORDS.get(label, ()))]
    return words


class SheetFiller:
    """Computes the values for the empty cells of a sheet's rows, and counts."""

    def __init__(
        self, table: Table, finder: ProductFinder, plan: SheetPlan, *, overwrite: bool = False
    ) -> None:
        self._finder = finder
        self._plan = plan
        self._overwrite = overwrite
        self._words: Words = load_words(plan.language).with_synonyms(finder.read_names(plan.language))
        names = {table.names[place]: target for place, target in plan.columns.items()}
        self.result = SheetResult(names, plan.language, table.names[plan.key])

    def fill(self, cells: Sequence[str]) -> dict[int, str]:
        """Return the new values of a row by position. A row without a product stays unchanged."""
        key = cells[self._plan.key] if self._plan.key < len(cells) else ""
        self.result.rows += 1
        product = self._finder.find(key)
        if product is None:
            if key.strip():
                self.result.unknown.append(key)
            return {}
        self.result.matched += 1
        values: dict[int, str] = {}
        for place, target in self._plan.columns.items():
            if place < len(cells) and cells[place].strip() and not self._overwrite:
                self.result.kept += 1
            elif value := self._value(product, place, target):
                values[place] = value
            elif target in product.doubts or "*" in product.doubts:
                self.result.doubtful += 1
        self.result.filled += len(values)
        return values

    def count_formulas(self, count: int) -> None:
        """Subtract cells that turned out to contain a formula, which they keep."""
        self.result.filled -= count
        self.result.kept += count

    def _value(self, product: Product, place: int, target: str) -> str:
        sure = product.sure
        if target in self._computed:
            return self._computed[target](self, sure)
        label = sure.get(target)
        if label is None:
            return ""
        spelled = self._plan.spelling.get(place, {}).get(label)
        return spelled or self._words.heading(target, label)

    def _path(self, sure: Mapping[str, str]) -> str:
        names = (
            self._words.heading(column, sure[column], plural=True)
            for column in CATEGORY_COLUMNS
            if column in sure
        )
        return " > ".join(dict.fromkeys(names))

    def _family(self, sure: Mapping[str, str]) -> str:
        family = colour_family(sure.get("baseColour", ""))
        return "" if family is None else capitalise(self._words.name(FAMILY, family))

    def _google(self, sure: Mapping[str, str]) -> str:
        rule = load_mapping(_GOOGLE).find(sure)
        return "" if rule is None else rule.category.path

    def _age(self, sure: Mapping[str, str]) -> str:
        return _AGES.get(sure.get("gender", ""), "")

    _computed: Final[Mapping[str, Callable[["SheetFiller", Mapping[str, str]], str]]] = {
        _PATH: _path,
        FAMILY: _family,
        _GOOGLE: _google,
        _AGE: _age,
    }


def iter_filled(table: Table, filler: SheetFiller) -> Iterator[tuple[int, dict[int, str]]]:
    """Yield the rows with new values: the row number, and the values by position."""
    for number, cells in iter_padded_rows(table):
        if values := filler.fill(cells):
            yield number, values


def describe_filling(result: SheetResult) -> list[str]:
    """Return remarks on a filled sheet, one per line."""
    columns = ", ".join(f"{name} ({target})" for name, target in result.columns.items())
    lines = [
        f"{result.filled:,} cells filled in {result.matched:,} of {result.rows:,} rows, found by {result.key}",
        f"columns: {columns}; words in {result.language}",
    ]
    if result.kept:
        lines.append(f"{result.kept:,} cells had a value and keep it (--overwrite replaces them)")
    if result.doubtful:
        lines.append(f"{result.doubtful:,} cells stay empty because the label is doubtful")
    if result.unknown:
        lines.append(f"{len(result.unknown):,} rows have no labelled product: {_list_some(result.unknown)}")
    return lines


def _list_some(keys: Iterable[str]) -> str:
    shown = list(keys)
    return ", ".join(shown[:5]) + (", ..." if len(shown) > 5 else "")  # noqa: PLR2004 - enough to recognise them
