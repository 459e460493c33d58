"""Grouping photos into products, with their views: by name, by folder, or by a sheet."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from hangtag.domain.errors import InvalidField, InvalidFieldsError
from hangtag.tables.matching import product_id

By = Literal["sku", "name", "folder", "photo"]

_VIEW_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "front": ("front", "frontal", "main", "face", "vorne", "vorderseite", "devant", "frente"),
    "back": ("back", "rear", "hinten", "rueckseite", "rückseite", "dos", "arriere", "arrière", "espalda"),
    "side": ("side", "left", "right", "profile", "seite", "links", "rechts", "cote", "côté", "lado"),
    "detail": (
        "detail",
        "details",
        "closeup",
        "close-up",
        "close",
        "zoom",
        "macro",
        "label",
        "sole",
        "texture",
    ),
}
"""The words in file names that state a view, in English, German, French and Spanish."""

_VIEW_OF: Final = {word: view for view, words in _VIEW_WORDS.items() for word in words}
_SEPARATOR: Final = r"[_\-. ]+"
_VIEW: Final = "|".join(sorted(map(re.escape, _VIEW_OF), key=len, reverse=True))
_PARTS: Final = {
    "key": r"(?P<key>.+)",
    "view": rf"(?:{_VIEW})(?:[_\-. ]?\d{{1,2}})?",
    "n": r"(?:\(?\d{1,3}\)?|[a-h])",
    "any": r".+?",
}
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_WORDS: Final = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)?")

BY_VIEW: Final = "{key}_{view}"
BY_NUMBER: Final = "{key}_{n}"
_MOST_VIEWS: Final = 16
"""More photos than this under one key are a series of products, such as `IMG_1` to `IMG_40`."""

_SHOWN_EXAMPLES: Final = 3


@dataclass(slots=True)
class Group:
    """The photos of one product, by position; its SKU, and the position of its row in the sheet."""

    key: str | None
    name: str
    photos: list[int] = field(default_factory=list)
    row: int | None = None


def find_view(name: str) -> str | None:
    """Return the view that a photo's name states: `front`, `back`, `side` or `detail`.

    >>> find_view("SKU-1000_front.jpg"), find_view("shirt.jpg")
    ('front', None)
    """
    words = _WORDS.findall(product_id(name).rpartition("/")[2].casefold().replace("_", " "))
    parts = [part for word in words for part in (word, *word.split("-"))]
    return next((_VIEW_OF[word] for word in reversed(parts) if word in _VIEW_OF), None)


def group_photos(names: Sequence[str], by: By, pattern: str | None = None) -> list[Group]:
    """Group photos into products by their names alone, in the order of their first photos.

    A `pattern` such as `{key}_{view}` describes the names; a separator in it matches any of `_`, `-`, `.` and space. A
    name that does not match is a product by itself. Raises `InvalidFieldsError` for a pattern without `{key}`.
    """
    if by == "photo":
        return [Group(None, _file_name(name), [position]) for position, name in enumerate(names)]
    matcher = _compile(pattern or BY_VIEW) if by == "name" else None
    groups: dict[tuple[str, str], Group] = {}
    for position, name in enumerate(names):
        folder, _, file = product_id(name).rpartition("/")
        if by == "folder":
            key = folder.rpartition("/")[2] or None
            place = (folder, "") if folder else (folder, file)
        else:
            found = matcher.fullmatch(file) if matcher is not None else None
            key = found["key"] if found else None
            place = (folder, file if key is None else f"\0{key.casefold()}")
        group = groups.setdefault(place, Group(key, key or _file_name(name)))
        group.photos.append(position)
    return list(groups.values())


def propose_groupings(names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the ways to group these photos into products, most likely first."""
    options: list[tuple[By, str | None]] = [
        ("name", BY_VIEW),
        ("name", BY_NUMBER),
        ("folder", None),
        ("photo", None),
    ]
    found = []
    for by, pattern in options:
        groups = group_photos(names, by, pattern)
        if by != "photo" and len(groups) == len(names):
            continue  # it groups nothing
        found.append((_is_likely(groups, by, pattern), by, pattern, groups))
    found.sort(key=lambda option: not option[0])
    return [
        {
            "by": by,
            "pattern": pattern,
            "products": len(groups),
            "examples": list(_iter_examples(groups, names)),
        }
        for _, by, pattern, groups in found
    ]


def propose_grouping(names: Sequence[str]) -> tuple[By, str | None]:
    """Return the most likely way to group these photos into products."""
    proposals = propose_groupings(names)
    return (proposals[0]["by"], proposals[0]["pattern"]) if proposals else ("photo", None)


def _is_likely(groups: Sequence[Group], by: By, pattern: str | None) -> bool:
    """Return whether a grouping is plausible: several photos per product, but not all in one series."""
    if by == "photo":
        return True
    sizes = [len(group.photos) for group in groups]
    joined = sum(size for size in sizes if size > 1)
    if max(sizes) > _MOST_VIEWS or joined * 2 < sum(sizes):
        return False
    if by == "folder":
        return len(groups) > 1
    if pattern == BY_VIEW:
        return True
    has_number = [
        any(sign.isdigit() for sign in group.key or "") for group in groups if len(group.photos) > 1
    ]
    return len(groups) > 1 and all(has_number)


def _iter_examples(groups: Sequence[Group], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    largest = sorted(groups, key=lambda group: -len(group.photos))
    for group in largest[:_SHOWN_EXAMPLES]:
        yield {"name": group.name, "photos": [names[position] for position in group.photos]}


def _compile(pattern: str) -> re.Pattern[str]:
    counted = Counter(_PLACEHOLDER.findall(pattern))
    unknown = sorted(counted.keys() - _PARTS.keys())
    if counted["key"] != 1 or unknown:
        message = "a pattern has one {key}, and may have {view}, {n} and {any}"
        raise InvalidFieldsError(InvalidField("pattern", message))
    pieces = _PLACEHOLDER.split(pattern)
    parts = [
        _PARTS[piece] if position % 2 else re.sub(r"(?:\\?[_\-. ])+", lambda _: _SEPARATOR, re.escape(piece))
        for position, piece in enumerate(pieces)
    ]
    return re.compile("".join(parts), re.IGNORECASE)


def _file_name(name: str) -> str:
    return name.rpartition("/")[2] or name


@dataclass(frozen=True, slots=True)
class Present:
    """An existing product: its number, SKU, and the positions of its photos."""

    number: int
    key: str | None
    photos: frozenset[int]


def reuse_products(groups: Sequence[Group], present: Sequence[Present]) -> list[int | None]:
    """Return for each group the existing product that it continues; None for a new one.

    A product goes to the group with its SKU, or else to the one with most of its photos, so that decisions stay with
    their product.
    """
    by_key = {product.key: product for product in present if product.key is not None}
    owner = {photo: product for product in present for photo in product.photos}
    chosen: list[int | None] = [None] * len(groups)
    used: set[int] = set()
    for position, group in enumerate(groups):
        known = by_key.get(group.key) if group.key is not None else None
        if known is not None and known.number not in used:
            chosen[position] = known.number
            used.add(known.number)
    shared: defaultdict[tuple[int, int], int] = defaultdict(int)
    for position, group in enumerate(groups):
        for photo in group.photos:
            if photo in owner:
                shared[position, owner[photo].number] += 1
    for (position, number), _ in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        if chosen[position] is None and number not in used:
            chosen[position] = number
            used.add(number)
    return chosen
