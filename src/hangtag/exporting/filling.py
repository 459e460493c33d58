"""Turning a product into a row of a template: values from labels, words, the shop's sheet, and computed ones."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.domain.errors import PhotoError
from hangtag.domain.taxonomy import format_path
from hangtag.exporting.colours import dominant_colours
from hangtag.exporting.products import Product, ProductSource
from hangtag.exporting.taxonomy import CategoryMapping, Rule, load_mapping
from hangtag.exporting.template import ALL, Source, Template, TemplateColumn, make_handle
from hangtag.exporting.words import FAMILY, Words, capitalise, colour_family, load_words, shopify_colour
from hangtag.imaging.decode import decode_photo, read_photo_bytes
from hangtag.tables.cells import plain_name


class IssueKind(StrEnum):
    """The severity of an issue. The value is the stable code."""

    ERROR = "error"
    """The destination would refuse the row, so it is left out."""
    DOUBTFUL = "doubtful"
    """A value that the model is not sure of, or a category that is not mapped."""
    WARNING = "warning"
    """The destination accepts the row, but advises against it."""


class Issue(NamedTuple):
    """One thing to check: where it is, what it is, why, and how to fix it."""

    kind: IssueKind
    line: int
    key: str
    column: str
    value: str
    reason: str
    fix: str


_AGE_GROUPS: Final[Mapping[str, str]] = {
    "Men": "adult", "Women": "adult", "Unisex": "adult", "Boys": "kids", "Girls": "kids",
}  # fmt: skip
_SEPARATORS: Final = {"magento": "/"}
_ROOTS: Final = {"magento": "Default Category"}
_PRICE: Final = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?: (?P<currency>[A-Z]{3}))?")
_WITH_CURRENCY: Final = frozenset({"none", "google", "google-supplemental"})
_CHECK: Final = "Look at the photo, and correct the label where it is wrong."


@dataclass(slots=True)
class FilledRow:
    """A row of a template: its values by column, and its issues."""

    product: Product
    sure: dict[str, str]
    values: dict[str, str] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)
    doubted: set[str] = field(default_factory=set)

    def add(self, kind: IssueKind, column: str, reason: str, fix: str) -> None:
        """Add an issue about a column's value."""
        value = self.values.get(column, "")
        self.issues.append(Issue(kind, self.product.line, self.product.key, column, value, reason, fix))

    @property
    def is_refused(self) -> bool:
        """Whether the row has to be left out of the export."""
        return any(issue.kind is IssueKind.ERROR for issue in self.issues)


FindPhoto = Callable[[str], Path]
_Getter = Callable[[FilledRow], str]


class Filler:
    """Fills the rows of a template.

    A shop's own names for classes override hangtag's words, and a template's synonyms override both. `find_photo`
    returns the file of a photo by name, for colours as hex codes; without it there are none.
    """

    def __init__(
        self,
        template: Template,
        products: ProductSource,
        mapping: CategoryMapping | None = None,
        find_photo: FindPhoto | None = None,
    ) -> None:
        self.template = template
        words = load_words(template.language).with_synonyms(products.read_names(template.language))
        self.words: Words = words.with_synonyms(template.synonyms)
        self.mapping = mapping
        if mapping is None and template.taxonomy:
            self.mapping = load_mapping(template.taxonomy)
        self._find_photo = find_photo
        self._paths: dict[tuple[str, ...], str] = {}
        self._computed: dict[str, _Getter] = {
            "age_group": lambda row: _AGE_GROUPS.get(self._label(row, "gender"), ""),
            "category_id": lambda row: self._category(row, 0),
            "category_path": lambda row: self._category(row, 1),
            "category_leaf": lambda row: self._category(row, 1).rpartition(" > ")[2],
            "confidence": lambda row: self._category(row, 2),
            "doubts": _list_doubts,
            "family": self._family,
            "handle": self._handle,
            "hex": self._hex,
            "key": lambda row: row.product.key,
            "path": self._path,
            "photo": lambda row: (row.product.photos or [""])[0],
            "photos": lambda row: ";".join(row.product.photos),
            "shopify_colour": lambda row: shopify_colour(self._label(row, "baseColour")) or "",
            "tags": self._tags,
            "title": lambda row: self.words.suggest_title(row.sure),
        }
        self._columns = [
            (column, [self._compile(source, column) for source in column.sources])
            for column in expand_columns(template, products.titles, products.attributes)
        ]

    @property
    def names(self) -> list[str]:
        """The columns of the export, in order."""
        return [column.name for column, _ in self._columns]

    def fill(self, product: Product) -> FilledRow:
        """Return the row of a product with its doubtful values. The destination's rules are not checked here."""
        row = FilledRow(product, product.sure)
        for column, getters in self._columns:
            value = ""
            for get in getters:
                if value := get(row):
                    break
            value = column.values.get(value, value) if column.values else value
            row.values[column.name] = value or column.default
        self._note_doubts(row)
        for column, _ in self._columns:
            if column.required and not row.values[column.name]:
                row.add(IssueKind.ERROR, column.name, "the value is missing", _how_to_supply(column))
        return row

    def _compile(self, source: Source, column: TemplateColumn) -> _Getter:
        if source.kind == "text":
            return lambda _: source.argument
        if source.kind == "computed":
            return self._computed[source.argument]
        if source.kind in {"sheet", "price"}:
            names = [plain_name(name) for name in source.argument.split("|")]
            tidy = self._price if source.kind == "price" else str
            return lambda row: tidy(
                next((value for name in names if (value := row.product.sheet.get(name))), "")
            )
        return self._compile_label(source, column)

    def _price(self, value: str) -> str:
        """Return a price in the destination's form: for Google with the currency, for others without.

        The digits stay unchanged, and so does anything that is not a plain price: the rules report it.
        """
        found = _PRICE.fullmatch(value.strip())
        if found is None:
            return value
        currency = found["currency"] or self.template.currency
        if self.template.destination not in _WITH_CURRENCY:
            return found["number"]
        return f"{found['number']} {currency}" if currency else value

    def _compile_label(self, source: Source, column: TemplateColumn) -> _Getter:
        name, plural, marks = source.argument, self.template.plural, self.template.doubtful == "mark"
        is_word = source.kind == "word"

        def get(row: FilledRow) -> str:
            label = self._label(row, name)
            is_doubtful = not label
            if is_doubtful:
                label = row.product.labels.get(name, "") if marks else ""
                if not label:
                    return ""
            word = self.words.heading(name, label, plural=plural) if is_word else label
            return column.values.get(word, word) + (self.template.mark if is_doubtful else "")

        return get

    def _label(self, row: FilledRow, column: str) -> str:
        """Return a label. A doubtful one is left empty and reported."""
        label = row.sure.get(column, "")
        if not label and column in row.product.labels:
            row.doubted.add(column)
        return label

    def _rule(self, row: FilledRow) -> Rule | None:
        for column in CATEGORY_COLUMNS:
            self._label(row, column)
        return None if self.mapping is None else self.mapping.find(row.sure)

    def _category(self, row: FilledRow, part: int) -> str:
        rule = self._rule(row)
        return "" if rule is None else rule.category[part]

    def _family(self, row: FilledRow) -> str:
        family = colour_family(row.sure.get("baseColour", "")) or row.product.family
        if not family:
            self._label(row, "baseColour")
        return "" if not family else capitalise(self.words.name(FAMILY, family))

    def _path(self, row: FilledRow) -> str:
        labels = tuple([self._label(row, column) for column in CATEGORY_COLUMNS])
        if labels not in self._paths:
            self._paths[labels] = self._join_path(labels)
        return self._paths[labels]

    def _join_path(self, labels: Sequence[str]) -> str:
        named = zip(CATEGORY_COLUMNS, labels, strict=True)
        words = [self.words.heading(column, label, plural=True) for column, label in named if label]
        names = list(dict.fromkeys(words))
        if not names:
            return ""
        destination = self.template.destination
        separator = _SEPARATORS.get(destination, " > ")
        names = [name.replace(separator.strip(), "-") for name in names]
        return separator.join([_ROOTS[destination], *names] if destination in _ROOTS else names)

    def _tags(self, row: FilledRow) -> str:
        words = [
            self.words.name(column, label)
            for column in ("season", "usage")
            if (label := self._label(row, column))
        ]
        return ", ".join(words)

    def _handle(self, row: FilledRow) -> str:
        title = row.values.get("Title") or row.values.get("name") or self.words.suggest_title(row.sure)
        return "-".join(part for part in (make_handle(title), make_handle(row.product.key)) if part)

    def _hex(self, row: FilledRow) -> str:
        if self._find_photo is None:
            return ""
        for name in row.product.photos:
            try:
                image = decode_photo(read_photo_bytes(self._find_photo(name)))
            except (PhotoError, OSError):
                continue
            return " ".join(colour.hex for colour in dominant_colours(image))
        return ""

    def _note_doubts(self, row: FilledRow) -> None:
        product = row.product
        if self.mapping is not None and row.sure:
            self._note_mapping(row, self.mapping)
        if not product.doubts:
            return
        kind = IssueKind.ERROR if self.template.doubtful == "refuse" else IssueKind.DOUBTFUL
        if "*" in product.doubts and (row.doubted or not product.labels):
            row.issues.append(Issue(kind, product.line, product.key, "", "", product.doubts["*"], _CHECK))
        else:
            row.issues.extend(
                Issue(
                    kind,
                    product.line,
                    product.key,
                    column,
                    product.labels[column],
                    product.doubts[column],
                    _CHECK,
                )
                for column in product.labels
                if column in row.doubted
            )

    def _note_mapping(self, row: FilledRow, mapping: CategoryMapping) -> None:
        rule = mapping.find(row.sure)
        if rule is not None and not rule.category.is_open:
            return
        path = format_path([row.sure[column] for column in CATEGORY_COLUMNS if column in row.sure])
        reason = f"{mapping.name} has no category for {path or 'these labels'}"
        if rule is not None and rule.category.note:
            reason += f": {rule.category.note}"
        fix = "Set the category by hand, or map the path in your own table (--taxonomy)."
        product = row.product
        row.issues.append(Issue(IssueKind.DOUBTFUL, product.line, product.key, "category", path, reason, fix))


def expand_columns(
    template: Template, titles: Mapping[str, str], attributes: Sequence[str] = ()
) -> list[TemplateColumn]:
    """Return the columns of a template.

    The columns of the shop's sheet replace `sheet:*`, the shop's own `attributes` replace `label:*` or `word:*`. If
    there is no label for such an attribute, a column of the sheet with its name fills it.
    """
    columns: list[TemplateColumn] = []
    taken = {column.name.casefold() for column in template.columns}
    named = {source.argument for column in template.columns for source in column.sources}
    own = [name for name in attributes if name.casefold() not in taken and name not in named]
    if any(column.every in {"label", "word"} for column in template.columns):
        taken |= {name.casefold() for name in own}
    for column in template.columns:
        if column.every is None:
            columns.append(column)
        elif column.every == "sheet":
            columns += [
                TemplateColumn(title, (Source("sheet", name),))
                for name, title in titles.items()
                if title.casefold() not in taken and name != ALL
            ]
        else:
            columns += [
                TemplateColumn(name, (Source(column.every, name), Source("sheet", plain_name(name))))
                for name in own
            ]
    return columns


def _list_doubts(row: FilledRow) -> str:
    doubts = row.product.doubts
    if "*" in doubts:
        return doubts["*"]
    return ", ".join(column for column in doubts if column in row.product.labels)


def _how_to_supply(column: TemplateColumn) -> str:
    names = [
        name
        for source in column.sources
        if source.kind in {"sheet", "price"}
        for name in source.argument.split("|")
    ]
    if not names:
        return "Correct the labels of the product."
    return (
        f"Fill the column {names[0]} of your sheet, or one called {', '.join(names[1:4])}."
        if names[1:]
        else (f"Fill the column {names[0]} of your sheet.")
    )


def list_missing(columns: Sequence[TemplateColumn], titles: Mapping[str, str]) -> list[TemplateColumn]:
    """Return the required columns that no row can have, since the sheet lacks all their source columns."""
    return [column for column in columns if column.required and not _can_be_filled(column, titles)]


def _can_be_filled(column: TemplateColumn, titles: Mapping[str, str]) -> bool:
    if column.default or any(source.kind not in {"sheet", "price"} for source in column.sources):
        return True
    names = (plain_name(name) for source in column.sources for name in source.argument.split("|"))
    return any(name in titles for name in names)
