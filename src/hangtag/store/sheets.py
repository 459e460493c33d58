"""The mapping of a sheet: which column is the SKU, which list photos, which have labels."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.domain.errors import InvalidField, InvalidFieldsError
from hangtag.store.grouping import Group
from hangtag.tables.cells import KEY_COLUMNS, Column, plain_name
from hangtag.tables.delimited import split_photos
from hangtag.tables.matching import Likeness, Match, NameMatcher, has_photo_ending
from hangtag.tables.values import RuinedNumbers, drop_zero_fraction

_LOOKED_AT: Final = 2000
_ADDRESS: Final = re.compile(r"https?://", re.IGNORECASE)
_PROPOSED_KEYS: Final = (*KEY_COLUMNS, "code", "ean", "gtin")
"""Names of SKU columns to propose, the most certain first. The last ones are only good enough because a person sees the
proposal: a code may be anything, and an export must not write SKUs into a column of barcodes."""

_NAME_NAMES: Final = (
    "productdisplayname", "productname", "title", "name", "description", "producttitle", "stylename", "itemname",
    "bezeichnung", "titel", "nom", "designation", "nombre",
)  # fmt: skip
_LABEL_NAMES: Final[Mapping[str, str]] = {
    "mastercategory": "masterCategory",
    "subcategory": "subCategory",
    "articletype": "articleType",
    "producttype": "articleType",
    "category": "articleType",
    "gender": "gender",
    "targetgender": "gender",
    "basecolour": "baseColour",
    "basecolor": "baseColour",
    "colour": "baseColour",
    "color": "baseColour",
    "season": "season",
    "usage": "usage",
    "occasion": "usage",
}
_MOST_OF: Final = 0.6
_FEW_OF: Final = 0.3


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """The meaning of a sheet's columns: the SKU, photo names or addresses, labels, the name."""

    key: str | None = None
    photos: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the mapping as stored and shown."""
        return {
            "key": self.key,
            "photos": list(self.photos),
            "addresses": list(self.addresses),
            "labels": dict(self.labels),
            "name": self.name,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "ColumnMapping":
        """Build from the result of `to_json`."""
        return cls(
            values.get("key"),
            tuple(values.get("photos") or ()),
            tuple(values.get("addresses") or ()),
            dict(values.get("labels") or {}),
            values.get("name"),
        )

    def check(self, columns: Sequence[Column], attributes: Sequence[str]) -> None:
        """Raise `InvalidFieldsError` for unknown columns and attributes, or if there is no way to find photos."""
        names = tuple(column.name for column in columns)
        used = [("key", self.key), ("name", self.name)]
        used += [("photos", name) for name in self.photos] + [("addresses", name) for name in self.addresses]
        used += [(f"labels.{attribute}", name) for attribute, name in self.labels.items()]
        wrong = [
            InvalidField(f"mapping.{where}", f"the sheet has no column {name!r}", names)
            for where, name in used
            if name is not None and name not in names
        ]
        wrong += [
            InvalidField(f"mapping.labels.{attribute}", "the model has no such attribute", tuple(attributes))
            for attribute in self.labels
            if attribute not in attributes
        ]
        if wrong:
            raise InvalidFieldsError(*wrong)

    @property
    def finds_photos(self) -> bool:
        """Whether rows can be told apart and matched with photos."""
        return self.key is not None or bool(self.photos)


@dataclass(frozen=True, slots=True)
class SheetRows:
    """The rows of a sheet as text, and its columns."""

    columns: tuple[Column, ...]
    rows: Sequence[tuple[int, list[str]]]

    def texts(self, name: str) -> list[str]:
        """Return the cells of a column. Ids that pandas wrote as `15970.0` are restored to whole numbers."""
        place = [column.name for column in self.columns].index(name)
        texts = [cells[place].strip() for _, cells in self.rows]
        return [drop_zero_fraction(text) for text in texts] if RuinedNumbers.find(texts).is_certain else texts


@dataclass(frozen=True, slots=True)
class MatchedSheet:
    """The products formed by the rows of a sheet, the photos that no row names, and counts for display."""

    groups: list[Group]
    rest: list[int]
    counts: dict[str, int]
    without_photo: list[int]
    ambiguous: list[tuple[int, str]]


def propose_mapping(
    sheet: SheetRows, names: Sequence[str], classes: Mapping[str, Sequence[str]]
) -> ColumnMapping:
    """Guess the meaning of a sheet's columns, given the names of the photos and the classes by attribute."""
    head = SheetRows(sheet.columns, sheet.rows[:_LOOKED_AT])
    matcher = NameMatcher(names)
    cells = {column.name: [text for text in head.texts(column.name) if text] for column in sheet.columns}
    photos = tuple(name for name, texts in cells.items() if _share_of_photos(texts, matcher) >= _FEW_OF)
    addresses = tuple(
        name
        for name, texts in cells.items()
        if name not in photos and _share(texts, _ADDRESS.match) >= _MOST_OF
    )
    rest = [name for name in cells if name not in photos and name not in addresses]
    key = _find_key({name: cells[name] for name in rest}, matcher, len(head.rows))
    labels = _find_labels({name: cells[name] for name in rest if name != key}, classes)
    taken = {key, *labels.values()}
    named = [name for name in rest if name not in taken and plain_name(name) in _NAME_NAMES]
    named.sort(key=lambda name: _NAME_NAMES.index(plain_name(name)))
    return ColumnMapping(key, photos, addresses, labels, named[0] if named else None)


def match_sheet(sheet: SheetRows, mapping: ColumnMapping, names: Sequence[str]) -> MatchedSheet:
    """Return the products of a sheet: rows with the same SKU are one product, with all photos that they name.

    Photos are found by the columns that name them. For a product that names none, they are found by its SKU as a
    prefix of their names.
    """
    matcher = NameMatcher(names)
    keys = sheet.texts(mapping.key) if mapping.key is not None else [""] * len(sheet.rows)
    titles = sheet.texts(mapping.name) if mapping.name is not None else [""] * len(sheet.rows)
    named = _match_named(sheet, mapping, matcher)
    groups: dict[str, Group] = {}
    for position, (key, title) in enumerate(zip(keys, titles, strict=True)):
        place = key.casefold() if key else f"\0{position}"
        group = groups.setdefault(place, Group(key or None, title or key, row=position))
        group.photos += [photo for photo in named[position].photos if photo not in group.photos]
    by_key = _match_keys(groups, matcher)
    taken: set[int] = set()
    ambiguous: list[tuple[int, str]] = []
    for place, group in groups.items():
        if not group.photos and place in by_key:
            group.photos += by_key[place].photos
        group.photos = [photo for photo in group.photos if photo not in taken]
        taken.update(group.photos)
        row = group.row or 0
        doubt = named[row] if named[row].candidates else by_key.get(place, Match())
        if not group.photos and doubt.candidates:
            ambiguous.append((row, doubt.explain()))
        if not group.name:
            group.name = (
                names[group.photos[0]].rpartition("/")[2] if group.photos else f"row {sheet.rows[row][0]}"
            )
    found = list(groups.values())
    rest = [position for position in range(len(names)) if position not in taken]
    without = [group.row or 0 for group in found if not group.photos]
    counts = {
        "rows": len(sheet.rows),
        "products": len(found),
        "matched": len(found) - len(without),
        "without_photo": len(without),
        "without_row": len(rest),
        "ambiguous": len(ambiguous),
    }
    return MatchedSheet(found, rest, counts, without, ambiguous)


def list_addresses(sheet: SheetRows, mapping: ColumnMapping) -> list[str]:
    """Return the photo addresses in the cells of a sheet, each once."""
    texts = (text for name in (*mapping.photos, *mapping.addresses) for text in sheet.texts(name) if text)
    return list(dict.fromkeys(part for text in texts for part in split_photos(text) if _ADDRESS.match(part)))


def read_known(
    sheet: SheetRows, mapping: ColumnMapping, classes: Mapping[str, Sequence[str]]
) -> list[dict[str, str]]:
    """Return the labels in each row, in the spelling of the model's classes. Others are left unchanged."""
    known: list[dict[str, str]] = [{} for _ in sheet.rows]
    for attribute, name in mapping.labels.items():
        spelt = {value.casefold(): value for value in classes.get(attribute, ())}
        for row, text in zip(known, sheet.texts(name), strict=True):
            if text:
                row[attribute] = spelt.get(text.casefold(), text)
    return known


def _match_named(sheet: SheetRows, mapping: ColumnMapping, matcher: NameMatcher) -> list[Match]:
    """Return the photos that each row names; a cell may name several."""
    written: list[list[str]] = [[] for _ in sheet.rows]
    for name in (*mapping.photos, *mapping.addresses):
        for parts, text in zip(written, sheet.texts(name), strict=True):
            parts.extend(split_photos(text) if text else ())
    matches = matcher.match_all((text for row in written for text in row), Likeness.OTHER_FOLDER)
    joined = []
    for row in written:
        found = [matches[text] for text in row]
        photos = tuple(dict.fromkeys(photo for match in found for photo in match.photos))
        doubt = next((match for match in found if match.candidates), Match())
        joined.append(Match(photos) if photos else doubt)
    return joined


def _match_keys(groups: Mapping[str, Group], matcher: NameMatcher) -> dict[str, Match]:
    """Return the photos whose names begin with the SKUs of products that name none."""
    wanted = {place: group.key for place, group in groups.items() if group.key and not group.photos}
    matches = matcher.match_all(wanted.values(), Likeness.PREFIX)
    return {place: matches[key] for place, key in wanted.items()}


def _share_of_photos(texts: Sequence[str], matcher: NameMatcher) -> float:
    """Return the share of cells that name an existing photo, or at least look like a photo's name."""

    def names_photo(text: str) -> bool:
        parts = split_photos(text)
        return any(
            has_photo_ending(part) and bool(matcher.find(part, Likeness.OTHER_FOLDER).photos)
            for part in parts
        )

    return _share(texts, names_photo)


def _find_key(cells: Mapping[str, Sequence[str]], matcher: NameMatcher, rows: int) -> str | None:
    """Return the SKU column: one whose values match photos, or else one with an SKU column's name."""
    matched = {name: _share(texts, lambda text: matcher.find(text).photos) for name, texts in cells.items()}
    best = max(matched, key=lambda name: (matched[name], len(set(cells[name]))), default=None)
    if best is not None and matched[best] >= _FEW_OF and len(set(cells[best])) > 1:
        return best
    called = [
        name for name in cells if plain_name(name) in _PROPOSED_KEYS and len(cells[name]) >= _MOST_OF * rows
    ]
    called.sort(key=lambda name: _PROPOSED_KEYS.index(plain_name(name)))
    if called:
        return called[0]
    return best if best is not None and matched[best] > 0 and len(set(cells[best])) > 1 else None


def _find_labels(cells: Mapping[str, Sequence[str]], classes: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the label columns: named like an attribute, or with its classes as values."""
    labels: dict[str, str] = {}
    for name, texts in cells.items():
        attribute = _LABEL_NAMES.get(plain_name(name))
        if attribute is not None and attribute in classes and attribute not in labels and texts:
            labels[attribute] = name
    for attribute in classes:
        if attribute in labels or (attribute in CATEGORY_COLUMNS and "articleType" in labels):
            continue
        spelt = {value.casefold() for value in classes[attribute]}
        fits = {
            name: _share(texts, lambda text, spelt=spelt: text.casefold() in spelt)
            for name, texts in cells.items()
            if name not in labels.values()
        }
        best = max(fits, key=lambda name: fits[name], default=None)
        if best is not None and fits[best] >= _MOST_OF:
            labels[attribute] = best
    return labels


def _share(texts: Sequence[str], holds: Any) -> float:  # noqa: ANN401 - anything that is true or not
    """Return the share of the distinct texts that meet a condition."""
    distinct = Counter(texts)
    return sum(bool(holds(text)) for text in distinct) / len(distinct) if distinct else 0.0
