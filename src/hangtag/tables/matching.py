"""Matching rows to photos by the names that tables use for them.

A table may have a path, a file name, a URL, a name without its extension, or the id that names begin with. An exact
match always wins. A weaker kind of match is tried only if the stronger ones find nothing. If it is ambiguous, the
candidates are reported and none is chosen.
"""

import re
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from pathlib import PurePosixPath
from typing import Final, NamedTuple
from urllib.parse import unquote

from hangtag.imaging.decode import PHOTO_SUFFIXES
from hangtag.tables.values import drop_invisible, single_spaced

SHOWN_CANDIDATES: Final = 5
"""How many candidates a match lists."""

_JPEG_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".jpe", ".jfif"})
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^/?#]*/?")
_DRIVE: Final = re.compile(r"[A-Za-z]:/")
_PLAIN_PATH: Final = re.compile(r"[\w-][\w.-]*(?:/[\w-][\w.-]*)*", re.ASCII)
_WHOLE_NUMBER: Final = re.compile(r"(\d+)\.0+")


class Likeness(IntEnum):
    """How a name was found, from the strongest to the weakest kind of match."""

    EXACT = 0
    SPELLING = 1
    """Equal except for Unicode composition, slashes, spaces and invisible characters."""
    ENDING = 2
    """Equal except for the case of the extension, or .jpeg instead of .jpg."""
    CAPITALS = 3
    ENCODING = 4
    """Equal except for percent-encoding and the query of a URL."""
    FOLDER = 5
    """In a subfolder, or written with more parent folders than exist."""
    NUMBER = 6
    """Equal except for what spreadsheets do to numbers: `15970.0` is 15970, and leading zeros are lost."""
    PREFIX = 7
    """The photo's name begins with the value, such as `SKU-1000_front.jpg`, or its folder has this name."""
    OTHER_FOLDER = 8
    """The only photo of this name, although the table names another folder."""


_YIELDING: Final = frozenset(
    {Likeness.ENDING, Likeness.CAPITALS, Likeness.NUMBER, Likeness.PREFIX, Likeness.OTHER_FOLDER}
)
"""Kinds of match that are wrong if the right photo is missing. The others differ only in spelling."""


class Match(NamedTuple):
    """The photos that a value refers to, by position, and how they were found.

    If there are none, `candidates` are the names that may have been meant: ambiguous or similar ones.
    """

    photos: tuple[int, ...] = ()
    likeness: Likeness | None = None
    candidates: tuple[str, ...] = ()
    is_ambiguous: bool = False

    def explain(self) -> str:
        """Name the candidates in a clause; empty if there are none."""
        if not self.candidates:
            return ""
        shown = ", ".join(self.candidates[:SHOWN_CANDIDATES])
        more = len(self.candidates) - SHOWN_CANDIDATES
        shown += f" and {more} more" if more > 0 else ""
        return f"several photos could be meant: {shown}" if self.is_ambiguous else f"there is {shown}"


def is_photo_name(name: str) -> bool:
    """Return whether a file name looks like a photo. Names that start with a dot are hidden files."""
    path = PurePosixPath(name)
    return not path.name.startswith(".") and path.suffix.lower() in PHOTO_SUFFIXES


def product_id(name: str) -> str:
    """Return the id of the product that a photo shows: its name without the extension, tidied like a table's values.

    `15970.jpg` belongs to 15970, and in a catalogue with subfolders `Shirts/7.jpg` belongs to Shirts/7.
    """
    return single_spaced(drop_invisible(_without_ending(name)))


def has_photo_ending(written: str) -> bool:
    """Return whether a path or an address ends like a photo's name, as written or without its query and fragment."""
    text = written.strip()
    return any(_without_ending(part) != part for part in (text, _drop_query(text)))


class NameMatcher:
    """Finds photos by the names that a table uses for them. A name may occur twice; a match then has both positions.

    >>> matcher = NameMatcher(["IMG_1.JPG", "shop/SKU-7_front.jpg", "shop/SKU-7_back.jpg"])
    >>> matcher.find("IMG_1.jpg").photos
    (0,)
    >>> matcher.find("SKU-7").photos
    (2, 1)
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self._files: dict[Likeness, dict[str, list[int]]] = {}
        self._stems: dict[Likeness, dict[str, list[int]]] = {}
        self._by_prefix: tuple[list[str], list[int]] | None = None
        self._by_folder: dict[str, list[int]] = {}
        self._loose: dict[str, list[int]] | None = None

    def find(self, value: str, weakest: Likeness = Likeness.PREFIX) -> Match:
        """Return the photos that a value refers to, matched no more weakly than `weakest`.

        A value with a photo's extension refers to one photo. One without may refer to several views of a product.
        """
        written = value.strip()
        if not written:
            return Match()
        is_file = has_photo_ending(written)
        for likeness, key in _iter_keys(written, weakest):
            found = self._look_up(self._files, likeness, key)
            if not found and not is_file:
                found = self._look_up(self._stems, likeness, key)
            if found:
                return self._accept(found, likeness, is_file=is_file)
        in_folders = list(_iter_folder_keys(written, is_file=is_file))
        for likeness, key in in_folders:
            found = self._find_in_folders(key, likeness, is_file=is_file) if likeness <= weakest else []
            if found:
                return self._accept(found, likeness, is_file=is_file)
        if weakest >= Likeness.PREFIX and not is_file and (found := self._find_by_prefix(written)):
            return Match(tuple(found), Likeness.PREFIX)
        if weakest >= Likeness.OTHER_FOLDER:
            found = self._look_up_base(in_folders[0][1], in_folders[0][0], is_file=is_file)
            if found:
                return self._accept(found, Likeness.OTHER_FOLDER, is_file=is_file)
        return Match(candidates=self._find_alike(written))

    def match_all(self, values: Iterable[str], weakest: Likeness = Likeness.PREFIX) -> dict[str, Match]:
        """Return the match of each value. A photo that several values match goes to the strongest match."""
        matches = {value: self.find(value, weakest) for value in dict.fromkeys(values)}
        if all(match.likeness in (None, Likeness.EXACT) for match in matches.values()):
            return matches
        surest: dict[int, Likeness] = {}
        for match in matches.values():
            for photo in match.photos:
                surest[photo] = min(
                    surest.get(photo, Likeness.OTHER_FOLDER), match.likeness or Likeness.EXACT
                )
        keys = {_prefix_key(value) for value in matches}
        return {
            value: self._drop_weaker(_prefix_key(value), match, surest, keys)
            for value, match in matches.items()
        }

    def _drop_weaker(
        self, key: str, match: Match, surest: Mapping[int, Likeness], keys: Collection[str]
    ) -> Match:
        """Drop photos that another value matches more strongly, or with a longer prefix."""
        kept = tuple(
            photo
            for photo in match.photos
            if (surest[photo] == match.likeness or match.likeness not in _YIELDING)
            and not (match.likeness is Likeness.PREFIX and self._begins_longer(photo, key, keys))
        )
        if kept or not match.photos:
            return match._replace(photos=kept)
        return Match(candidates=tuple(self.names[photo] for photo in match.photos))

    def _begins_longer(self, photo: int, key: str, keys: Collection[str]) -> bool:
        base = _base_key(self.names[photo])
        ends = range(len(key) + 1, len(base) + 1)
        return any(base[:end] in keys for end in ends if not base[end : end + 1].isalnum())

    def _accept(self, found: Sequence[int], likeness: Likeness, *, is_file: bool) -> Match:
        """Accept a match unless it is ambiguous. Photos of one product may differ in their extension."""
        names = {self.names[position] for position in found}
        if len(names if is_file else {product_id(name) for name in names}) > 1:
            return Match(candidates=tuple(sorted(names)), is_ambiguous=True)
        return Match(tuple(found), likeness)

    def _look_up(
        self, indexes: dict[Likeness, dict[str, list[int]]], likeness: Likeness, key: str
    ) -> list[int]:
        if likeness not in indexes:
            shorten = _without_ending if indexes is self._stems else _unchanged
            index: defaultdict[str, list[int]] = defaultdict(list)
            make_key = _KEYS[likeness]
            for position, name in enumerate(self.names):
                index[shorten(make_key(name))].append(position)
            if indexes is self._stems and likeness is Likeness.EXACT:
                for position, name in enumerate(self.names):
                    tidy = product_id(name)
                    if position not in index[tidy]:
                        index[tidy].append(position)
            indexes[likeness] = dict(index)
        return indexes[likeness].get(key, [])

    def _find_in_folders(self, key: str, likeness: Likeness, *, is_file: bool) -> list[int]:
        """Find photos by file name, where one path is a suffix of the other."""
        folders = key.split("/")[:-1]
        found = []
        for position in self._look_up_base(key, likeness, is_file=is_file):
            own = _encoding_key(self.names[position]).split("/")[:-1]
            shared = min(len(folders), len(own))
            if folders[len(folders) - shared :] == own[len(own) - shared :]:
                found.append(position)
        return found

    def _look_up_base(self, key: str, likeness: Likeness, *, is_file: bool) -> list[int]:
        indexes = self._files if is_file else self._stems
        if likeness not in indexes:
            index: defaultdict[str, list[int]] = defaultdict(list)
            for position, name in enumerate(self.names):
                base = _encoding_key(name).rpartition("/")[2]
                base = base if is_file else _without_ending(base)
                is_number = likeness is Likeness.NUMBER and base.isdecimal()
                index[base.lstrip("0") if is_number else base].append(position)
            indexes[likeness] = dict(index)
        return indexes[likeness].get(key.rpartition("/")[2], [])

    def _find_by_prefix(self, written: str) -> list[int]:
        """Return the photos whose name begins with this text, or whose folder has this name."""
        if self._by_prefix is None:
            bases = sorted((_base_key(name), position) for position, name in enumerate(self.names))
            self._by_prefix = [base for base, _ in bases], [position for _, position in bases]
            folders: defaultdict[str, list[int]] = defaultdict(list)
            for position, name in enumerate(self.names):
                for part in set(_encoding_key(name).split("/")[:-1]):
                    folders[part].append(position)
            self._by_folder = dict(folders)
        key = _prefix_key(written)
        found: list[int] = []
        if not key:
            return found
        sorted_bases, positions = self._by_prefix
        for place in range(bisect_left(sorted_bases, key), len(sorted_bases)):
            base = sorted_bases[place]
            if not base.startswith(key):
                break
            if not base[len(key) :][:1].isalnum():
                found.append(positions[place])
        return sorted(found or self._by_folder.get(key, []), key=lambda position: self.names[position])

    def _find_alike(self, written: str) -> tuple[str, ...]:
        """Return names with the same letters and digits. They are only suggestions, never matches."""
        if self._loose is None:
            loose: defaultdict[str, list[int]] = defaultdict(list)
            for position, name in enumerate(self.names):
                loose[_loose_key(name)].append(position)
            self._loose = dict(loose)
        found = self._loose.get(_loose_key(written), [])
        return tuple(sorted(self.names[position] for position in found))


class ProductPhotos(NamedTuple):
    """Which photos show which products of a catalogue.

    - `photo_of`: the photo used for each product
    - `id_of`: the product that each photo shows, whether the photo is used or not
    - `candidates`: for products without a photo, the names that may have been meant
    """

    photo_of: dict[str, str]
    id_of: dict[str, str]
    candidates: dict[str, Match]


def match_products(ids: Iterable[str], names: Collection[str]) -> ProductPhotos:
    """Find the photos of products by id. Of several photos, JPEG is preferred, then the first by name."""
    ordered = sorted(names, key=lambda name: (not name.lower().endswith((".jpg", ".jpeg")), name))
    matches = NameMatcher(ordered).match_all(ids)
    photo_of: dict[str, str] = {}
    id_of: dict[str, str] = {}
    for id_, match in matches.items():
        found = [ordered[position] for position in sorted(match.photos)]
        if found:
            photo_of[id_] = found[0]
        for name in found:
            id_of.setdefault(name, id_)
    _add_unused(id_of, photo_of, ordered)
    candidates = {id_: match for id_, match in matches.items() if match.candidates}
    return ProductPhotos(photo_of, id_of, candidates)


def _add_unused(id_of: dict[str, str], photo_of: Mapping[str, str], names: Sequence[str]) -> None:
    """Add the unused photos that show a product whose better match is in another folder."""
    for name in names:
        if name not in id_of and (base := product_id(name).rpartition("/")[2]) in photo_of:
            id_of[name] = base


def _iter_keys(written: str, weakest: Likeness) -> Iterator[tuple[Likeness, str]]:
    for likeness, make_key in _KEYS.items():
        if likeness > weakest:
            return
        yield likeness, make_key(written)
        if likeness is Likeness.ENCODING:
            yield likeness, make_key(_drop_query(written))


def _iter_folder_keys(written: str, *, is_file: bool) -> Iterator[tuple[Likeness, str]]:
    """Yield the keys of a path, and the key of the number into which a spreadsheet may have turned an id."""
    is_address = _ADDRESS.match(written) is not None
    for text in dict.fromkeys((written, _drop_query(written))):
        key = _encoding_key(text)
        yield Likeness.FOLDER, key.rpartition("/")[2] if is_address else key
    if not is_file:
        folder, slash, base = _whole_number(key).rpartition("/")
        if base.isdecimal():
            yield Likeness.NUMBER, folder + slash + base.lstrip("0")


def _unchanged(text: str) -> str:
    return text


def _tidy_path(text: str) -> str:
    """Normalise a path: composed Unicode, forward slashes, single spaces, no drive, `.` or `..`."""
    text = text.strip()
    if _PLAIN_PATH.fullmatch(text):
        return text
    path = unicodedata.normalize("NFC", single_spaced(drop_invisible(text))).replace("\\", "/")
    path = _DRIVE.sub("", path, count=1) if _DRIVE.match(path) else path
    return "/".join(part for part in path.split("/") if part not in ("", ".", ".."))


def _ending_key(text: str) -> str:
    path = _tidy_path(text)
    stem, dot, ending = path.rpartition(".")
    suffix = f".{ending.lower()}"
    if not dot or suffix not in PHOTO_SUFFIXES | _JPEG_SUFFIXES:
        return path
    return stem + (".jpg" if suffix in _JPEG_SUFFIXES else suffix)


def _capitals_key(text: str) -> str:
    return unicodedata.normalize("NFC", _ending_key(text).casefold())


def _encoding_key(text: str) -> str:
    address = _ADDRESS.match(text)
    path = text[address.end() :] if address else text
    return _capitals_key(unquote(path) if "%" in path else path)


def _drop_query(text: str) -> str:
    """Return an address, or a path written like one, without its query and fragment."""
    return re.split(r"[?#]", text, maxsplit=1)[0]


_KEYS: Final[Mapping[Likeness, Callable[[str], str]]] = {
    Likeness.EXACT: _unchanged,
    Likeness.SPELLING: _tidy_path,
    Likeness.ENDING: _ending_key,
    Likeness.CAPITALS: _capitals_key,
    Likeness.ENCODING: _encoding_key,
}


def _without_ending(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    is_ending = dot and f".{ending.lower()}" in PHOTO_SUFFIXES | _JPEG_SUFFIXES
    return stem if is_ending else name


def _whole_number(key: str) -> str:
    folder, slash, base = key.rpartition("/")
    found = _WHOLE_NUMBER.fullmatch(base)
    return folder + slash + found.group(1) if found else key


def _base_key(name: str) -> str:
    """Return a file name without its folders and extension."""
    return _without_ending(_encoding_key(name).rpartition("/")[2])


def _prefix_key(value: str) -> str:
    """Return the prefix that the names of a product's photos share."""
    return _whole_number(_encoding_key(value)).rpartition("/")[2]


def _loose_key(text: str) -> str:
    base = _without_ending(_encoding_key(_drop_query(text)).rpartition("/")[2])
    return "".join(sign for sign in base if sign.isalnum()) or base
