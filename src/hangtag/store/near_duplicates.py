"""Near duplicates: photos that show the same picture as an earlier one, in another file.

The difference hashes of all photos are in memory, 72 bytes each. They propose candidates. Thumbnails, which are read
only for the candidates, decide whether two photos show the same picture.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy import Row as DatabaseRow

from hangtag.imaging.fingerprint import CODE_BYTES, are_near, find_candidates
from hangtag.store.store import Change, iter_parts
from hangtag.store.tables import AppearanceRow, PhotoRow, ProductRow

_OVERLAP: Final = 1000
"""How many of the last rows are read again: another service may commit transactions out of order."""

Bytes = npt.NDArray[np.uint8]


class NearDuplicates:
    """Finds near duplicates, for one thread. What other services added is read before each search."""

    def __init__(self) -> None:
        self._last = 0
        self._photos = np.zeros(0, np.int64)
        self._codes = np.zeros((0, CODE_BYTES), np.uint8)

    def keep(self, change: Change, appearances: Mapping[int, Bytes]) -> None:
        """Store the near-duplicate features of a batch's photos, by number, and which earlier photos they repeat.

        Photos whose features are already stored were compared before, and are left unchanged.
        """
        self._read_new(change.connection)
        fresh = _drop_known(change.connection, appearances)
        if not fresh:
            return
        looks = np.stack(list(fresh.values()))
        codes, thumbnails = np.ascontiguousarray(looks[:, :CODE_BYTES]), looks[:, CODE_BYTES:]
        numbers = np.array(list(fresh), np.int64)
        pairs = find_candidates(codes, np.concatenate([self._codes, codes]))
        # Of two that came together, the first one is the original.
        pairs = pairs[pairs[:, 1] < len(self._codes) + pairs[:, 0]]
        candidates = np.concatenate([self._photos, numbers])[pairs[:, 1]]
        rows = _read_photos(change.connection, {*candidates.tolist(), *numbers.tolist()})
        known = _read_thumbnails(change.connection, set(candidates.tolist()) & rows.keys() - fresh.keys())
        known |= dict(zip(numbers.tolist(), thumbnails, strict=True))
        own = {row.sha256 for row in rows.values() if row.batch == change.batch}
        first: dict[int, int] = {}
        for place, candidate in zip(pairs[:, 0].tolist(), candidates.tolist(), strict=True):
            number = int(numbers[place])
            if candidate not in known or not _may_repeat(rows, number, candidate, own):
                continue
            if are_near(thumbnails[place : place + 1], known[candidate][None])[0]:
                first[number] = min(candidate, first.get(number, candidate))
        _write(change.connection, fresh, first)

    def _read_new(self, connection: Connection) -> None:
        after = self._last if connection.dialect.name == "sqlite" else self._last - _OVERLAP
        statement = select(AppearanceRow.number, AppearanceRow.photo, AppearanceRow.code)
        rows = connection.execute(statement.where(AppearanceRow.number > after)).all()
        if not rows:
            return
        self._last = max(self._last, *(row.number for row in rows))
        photos = np.array([row.photo for row in rows], np.int64)
        codes = np.frombuffer(b"".join(row.code for row in rows), np.uint8).reshape(-1, CODE_BYTES)
        is_kept = ~np.isin(self._photos, photos)  # SQLite reuses the numbers of deleted photos
        self._photos = np.concatenate([self._photos[is_kept], photos])
        self._codes = np.concatenate([self._codes[is_kept], codes])


def _drop_known(connection: Connection, appearances: Mapping[int, Bytes]) -> dict[int, Bytes]:
    known: set[int] = set()
    for part in iter_parts(list(appearances)):
        known |= set(
            connection.execute(select(AppearanceRow.photo).where(AppearanceRow.photo.in_(part))).scalars()
        )
    return {number: look for number, look in appearances.items() if number not in known}


def _read_photos(connection: Connection, numbers: set[int]) -> dict[int, DatabaseRow[Any]]:
    """Return the photos that still exist, by number."""
    found: dict[int, DatabaseRow[Any]] = {}
    for part in iter_parts(sorted(numbers)):
        statement = (
            select(PhotoRow.number, PhotoRow.batch, PhotoRow.sha256, PhotoRow.duplicate_of)
            .join(ProductRow, ProductRow.number == PhotoRow.product)
            .where(PhotoRow.number.in_(part), ~ProductRow.removed)
        )
        found |= {row.number: row for row in connection.execute(statement)}
    return found


def _read_thumbnails(connection: Connection, numbers: set[int]) -> dict[int, Bytes]:
    found: dict[int, Bytes] = {}
    for part in iter_parts(sorted(numbers)):
        statement = select(AppearanceRow.photo, AppearanceRow.thumbnail).where(AppearanceRow.photo.in_(part))
        found |= {row.photo: np.frombuffer(row.thumbnail, np.uint8) for row in connection.execute(statement)}
    return found


def _may_repeat(rows: Mapping[int, DatabaseRow[Any]], number: int, candidate: int, own: set[str]) -> bool:
    """Return whether a photo counts as a near duplicate of an earlier one, if they look the same.

    An identical file is an exact duplicate, or belongs to a deliberate copy of a batch. Photos of other batches do not
    count either if this batch has them too.
    """
    photo, earlier = rows.get(number), rows.get(candidate)
    if photo is None or earlier is None or photo.duplicate_of is not None or photo.sha256 == earlier.sha256:
        return False
    return bool(earlier.batch == photo.batch or earlier.sha256 not in own)


def _write(connection: Connection, fresh: Mapping[int, Bytes], first: Mapping[int, int]) -> None:
    looks: Sequence[dict[str, Any]] = [
        {"photo": number, "code": look[:CODE_BYTES].tobytes(), "thumbnail": look[CODE_BYTES:].tobytes()}
        for number, look in fresh.items()
    ]
    connection.execute(insert(AppearanceRow), looks)
    if first:
        table = PhotoRow.__table__
        connection.execute(
            update(table)
            .where(table.c.number == bindparam("b_number"))
            .values(near_duplicate_of=bindparam("b_earlier")),
            [{"b_number": number, "b_earlier": earlier} for number, earlier in first.items()],
        )
