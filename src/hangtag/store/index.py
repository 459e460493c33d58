"""In-memory column indexes for the lists, counts and filters of a batch, updated from the database by revision.

A batch of 100,000 products takes about 20 MB. Only what changed since the last look is read.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, select

from hangtag.domain.errors import InvalidField, InvalidFieldsError
from hangtag.domain.prediction import Flag
from hangtag.store.tables import BatchRow, ProductRow

STATES: Final = ("to_check", "checked", "corrected")
_KEPT_BATCHES: Final = 8
_ROWS_AT_A_TIME: Final = 20_000
_READ: Final = (
    ProductRow.number, ProductRow.batch, ProductRow.position, ProductRow.key, ProductRow.name, ProductRow.removed,
    ProductRow.state, ProductRow.needs, ProductRow.why, ProductRow.labels, ProductRow.confidence,
    ProductRow.overruled, ProductRow.marks, ProductRow.assigned_to, ProductRow.updated_by, ProductRow.search,
    ProductRow.predicted, ProductRow.version, ProductRow.duplicate, ProductRow.near_duplicate,
)  # fmt: skip
_EMPTY: Final = -1
_TENTHS: Final = 10
_ROUNDING: Final = 1e-6
"""The largest rounding error of a confidence as float32, so that 0.7 counts as 0.7 to 0.8."""

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter of products. Fields that are None or empty do not filter.

    `path` is the beginning of a category path, `below` a confidence, and `needs` an attribute, a reason or `any`.
    `text` is searched for in SKU, name, file names and labels.
    """

    state: str | None = None
    needs: str | None = None
    path: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    flag: str | None = None
    who: str | None = None
    below: float | None = None
    text: str | None = None
    ids: tuple[int, ...] | None = None


@dataclass
class _Values:
    """The values of one column as codes, `_EMPTY` for none."""

    codes: Ints
    names: list[str] = field(default_factory=list)
    code_of: dict[str, int] = field(default_factory=dict)

    def encode(self, value: str | None) -> int:
        if value is None:
            return _EMPTY
        code = self.code_of.get(value)
        if code is None:
            code = self.code_of[value] = len(self.names)
            self.names.append(value)
        return code

    def find(self, value: str) -> Mask:
        found: Mask = self.codes == self.code_of.get(value, -2)
        return found

    def count(self, wanted: Mask) -> dict[str, int]:
        codes = self.codes[wanted]
        counts = np.bincount(codes[codes >= 0], minlength=len(self.names)).tolist()
        found = {name: count for name, count in zip(self.names, counts, strict=True) if count}
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


class BatchIndex:
    """The products of one batch at one revision, by column. Not thread-safe; `BatchIndexes` is."""

    def __init__(self, levels: Sequence[str], attributes: Sequence[str]) -> None:
        self.revision = -1
        self.levels = tuple(levels)
        self._rows: dict[int, int] = {}
        self._capacity = 0
        self.number = np.zeros(0, np.int64)
        self.position = np.zeros(0, np.int64)
        self.version = np.zeros(0, np.int64)
        self.present = np.zeros(0, np.bool_)
        self.confidence = np.zeros(0, np.float32)
        self.depth = np.zeros(0, np.int64)
        self.is_labelled = np.zeros(0, np.bool_)
        self.keys: list[str] = []
        self.names: list[str] = []
        self.search: list[str] = []
        self.attributes = {name: _Values(np.zeros(0, np.int64)) for name in attributes}
        self.coded = {
            name: _Values(np.zeros(0, np.int64))
            for name in ("state", "needs", "why", "assigned_to", "updated_by", "product")
        }
        self.flags: dict[str, Mask] = {}
        self._ranks: dict[str, Ints] = {}

    def update(self, rows: Sequence[Any], batch: int) -> None:
        """Update products that changed."""
        self._grow(len(self._rows) + len(rows))
        for row in rows:
            place = self._rows.get(row.number)
            if place is None:
                if row.batch != batch:
                    continue
                place = self._rows[row.number] = len(self._rows)
                self.number[place] = row.number
                self.keys.append("")
                self.names.append("")
                self.search.append("")
            self._put(place, row, is_present=row.batch == batch and not row.removed)

    def _put(self, place: int, row: Any, *, is_present: bool) -> None:  # noqa: ANN401 - a row of the database
        self.position[place], self.version[place] = row.position, row.version
        self.present[place] = is_present
        self.confidence[place] = np.nan if row.confidence is None else row.confidence
        self.is_labelled[place] = row.predicted is not None
        self.depth[place] = row.predicted["depth"] if row.predicted else 0
        if (self.keys[place], self.names[place]) != (row.key or "", row.name):
            self.keys[place], self.names[place] = row.key or "", row.name
            self._ranks.clear()
        self.search[place] = row.search
        for name, values in self.attributes.items():
            values.codes[place] = values.encode(row.labels.get(name))
        for name in ("state", "needs", "why", "assigned_to", "updated_by"):
            self.coded[name].codes[place] = self.coded[name].encode(getattr(row, name))
        flags = set(row.predicted["flags"]) if row.predicted else set()
        is_product = Flag.NOT_A_PRODUCT not in flags if row.overruled is None else not row.overruled
        self.coded["product"].codes[place] = self.coded["product"].encode("yes" if is_product else "no")
        flags |= {name for name, is_set in row.marks.items() if is_set}
        flags -= {name for name, is_set in row.marks.items() if not is_set}
        if row.duplicate:
            flags.add("duplicate")
        if row.near_duplicate:
            flags.add("near_duplicate")
        if row.why in {"no_photo", "unreadable"}:
            flags.add(row.why)
        flags.discard(Flag.NOT_A_PRODUCT.value)
        if not is_product:
            flags.add(Flag.NOT_A_PRODUCT.value)
        for name in flags | self.flags.keys():
            if name not in self.flags:
                self.flags[name] = np.zeros(self._capacity, np.bool_)
            self.flags[name][place] = name in flags

    def _grow(self, size: int) -> None:
        if size <= self._capacity:
            return
        capacity = max(1024, size, self._capacity * 3 // 2)

        def widen(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return np.concatenate([values, np.zeros(capacity - len(values), values.dtype)])

        for name in ("number", "position", "version", "present", "confidence", "depth", "is_labelled"):
            setattr(self, name, widen(getattr(self, name)))
        for values in (*self.attributes.values(), *self.coded.values()):
            values.codes = widen(values.codes)
        self.flags = {name: widen(values) for name, values in self.flags.items()}
        self._capacity = capacity

    def find(self, wanted: Filter) -> Mask:
        """Return the rows that match a filter."""
        found = self.present.copy()
        if wanted.ids is not None:
            found &= np.isin(self.number, np.array(wanted.ids, np.int64))
        if wanted.state is not None:
            found &= self.coded["state"].find(wanted.state)
        if wanted.needs is not None:
            found &= self._find_needs(wanted.needs)
        for level, value in zip(self.levels, wanted.path, strict=False):
            found &= self.attributes[level].find(value)
        for name, value in wanted.attributes.items():
            found &= self._attribute(name).find(value)
        if wanted.flag is not None:
            found &= self.flags.get(wanted.flag, np.zeros(self._capacity, np.bool_))
        if wanted.who is not None:
            found &= self.coded["updated_by"].find(wanted.who) | self.coded["assigned_to"].find(wanted.who)
        if wanted.below is not None:
            found &= self.confidence < wanted.below
        if wanted.text:
            self._keep_matching(found, wanted.text.casefold().split())
        return found

    def sort(self, found: Mask, by: str, *, descending: bool) -> Ints:
        """Return the positions of the rows in sorted order. Ties keep the order of the batch."""
        places = np.flatnonzero(found)
        places = places[np.lexsort((self.number[places], self.position[places]))]
        if by == "added":
            return places[::-1] if descending else places
        if by in {"name", "key"}:
            keys = self._rank_texts(by)[places].astype(np.float32)
            return places[np.argsort(-keys if descending else keys, kind="stable")]
        if by == "confidence":
            keys = self.confidence[places]
            keys = np.where(np.isnan(keys), np.inf if not descending else -np.inf, keys)
        else:
            values = self._attribute(by)
            rank = np.argsort(np.argsort(values.names)) if values.names else np.zeros(0, np.int64)
            codes = values.codes[places]
            keys = np.where(codes < 0, len(rank), rank[codes] if len(rank) else 0).astype(np.float32)
        return places[np.argsort(-keys if descending else keys, kind="stable")]

    def count(self, found: Mask) -> dict[str, Any]:
        """Count the rows by state, path, value, flag and person."""
        paths: dict[str, int] = {}
        answered = [self.attributes[level] for level in self.levels]
        if answered:
            code = np.zeros(self._capacity, np.int64)
            for values in answered:
                code = code * (len(values.names) + 1) + values.codes + 1
            for place, count in _count_first(code, found):
                labels = [
                    values.names[values.codes[place]] for values in answered if values.codes[place] >= 0
                ]
                paths["/".join(labels)] = count
        flags = {name: int((values & found).sum()) for name, values in self.flags.items()}
        states = self.coded["state"].count(found)
        return {
            "total": int(found.sum()),
            "states": {state: states.get(state, 0) for state in STATES},
            "needs": self.coded["needs"].count(found) | self.coded["why"].count(found),
            "paths": dict(sorted(paths.items(), key=lambda item: -item[1])),
            "attributes": {name: values.count(found) for name, values in self.attributes.items()},
            "flags": {name: count for name, count in flags.items() if count},
            "who": self.coded["updated_by"].count(found),
            "confidences": self._count_confidences(found),
            "answers": self._count_answers(found),
        }

    def _count_confidences(self, found: Mask) -> list[int]:
        """Return how many rows have a confidence from 0 to 0.1, from 0.1 to 0.2, and so on."""
        values = self.confidence[found]
        tenths = np.minimum((values[~np.isnan(values)] * _TENTHS + _ROUNDING).astype(np.int64), _TENTHS - 1)
        counts: list[int] = np.bincount(tenths, minlength=_TENTHS).tolist()
        return counts

    def _count_answers(self, found: Mask) -> dict[str, int]:
        """Return at which category level the model's confident answers end, by the level's name."""
        counts = np.bincount(self.depth[found & self.is_labelled], minlength=len(self.levels) + 1).tolist()
        return {
            level: count for level, count in zip(("", *self.levels), counts, strict=False) if count and level
        }

    def find_unreadable(self, found: Mask) -> list[int]:
        """Return the numbers of those products of which no photo can be read."""
        numbers: list[int] = self.number[self.coded["why"].find("unreadable") & found].tolist()
        return numbers

    def summarise(self) -> dict[str, int]:
        """Return the counts for a list of batches."""
        found = self.present
        states = self.coded["state"].count(found)
        is_failed = (self.coded["why"].find("no_photo") | self.coded["why"].find("unreadable")) & found
        return {
            "products": int(found.sum()),
            "labelled": int((self.is_labelled & found).sum()),
            **{state: states.get(state, 0) for state in STATES},
            "not_a_product": int((self.coded["product"].find("no") & found).sum()),
            "failed": int(is_failed.sum()),
        }

    def _rank_texts(self, by: str) -> Ints:
        """Return the rank of each row by its name or SKU, ignoring case."""
        if by not in self._ranks:
            texts = [text.casefold() for text in (self.names if by == "name" else self.keys)]
            self._ranks[by] = np.unique(np.array(texts), return_inverse=True)[1].reshape(-1)
        return self._ranks[by]

    def _find_needs(self, needs: str) -> Mask:
        if needs == "any":
            return self.coded["why"].codes >= 0
        return self.coded["needs"].find(needs) | self.coded["why"].find(needs)

    def _attribute(self, name: str) -> _Values:
        values = self.attributes.get(name)
        if values is None:
            message = f"there is no attribute {name!r}"
            raise InvalidFieldsError(InvalidField("attribute", message, tuple(self.attributes)))
        return values

    def _keep_matching(self, found: Mask, words: Sequence[str]) -> None:
        places, search = np.flatnonzero(found), self.search
        for word in words:
            holds = np.fromiter((word in search[place] for place in places.tolist()), np.bool_, len(places))
            found[places[~holds]] = False
            places = places[holds]


def _count_first(codes: Ints, found: Mask) -> Iterator[tuple[int, int]]:
    """Iterate the distinct codes of some rows: the position of one row with each, and how often each occurs."""
    places = np.flatnonzero(found)
    if len(places):
        _, first, counts = np.unique(codes[places], return_index=True, return_counts=True)
        yield from zip(places[first].tolist(), counts.tolist(), strict=True)


class BatchIndexes:
    """The indexes of the batches that were used last. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._indexes: OrderedDict[int, tuple[threading.Lock, BatchIndex]] = OrderedDict()

    def using(
        self, connection: Connection, batch: int, levels: Sequence[str], attributes: Sequence[str]
    ) -> "UsedIndex":
        """Yield the updated index of a batch, for exclusive use by this thread."""
        with self._lock:
            known = self._indexes.get(batch)
            if known is None or set(known[1].attributes) != set(attributes):
                known = (threading.Lock(), BatchIndex(levels, attributes))
                self._indexes[batch] = known
            self._indexes.move_to_end(batch)
            while len(self._indexes) > _KEPT_BATCHES:
                self._indexes.popitem(last=False)
        return UsedIndex(connection, batch, known)


@dataclass(frozen=True, slots=True)
class UsedIndex:
    """The index of a batch while a thread uses it."""

    connection: Connection
    batch: int
    known: tuple[threading.Lock, BatchIndex]

    def __enter__(self) -> BatchIndex:
        lock, index = self.known
        lock.acquire()
        try:
            _bring_up_to_date(self.connection, self.batch, index)
        except BaseException:
            lock.release()
            raise
        return index

    def __exit__(self, *_: object) -> None:
        self.known[0].release()


def _bring_up_to_date(connection: Connection, batch: int, index: BatchIndex) -> None:
    statement = select(BatchRow.revision, BatchRow.rebuilt).where(BatchRow.number == batch)
    revision, rebuilt = connection.execute(statement).one()
    if revision == index.revision:
        return
    since = index.revision
    if since >= 0 and rebuilt > since:
        fresh = BatchIndex(index.levels, list(index.attributes))
        index.__dict__.update(fresh.__dict__)
        since = -1
    changed = select(*_READ).where(ProductRow.batch == batch)
    if since >= 0:
        changed = changed.where(ProductRow.revision > since)
    rows = connection.execute(changed, execution_options={"yield_per": _ROWS_AT_A_TIME})
    for part in rows.partitions():
        index.update(part, batch)
    index.revision = revision
