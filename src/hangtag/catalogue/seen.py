"""Which ids were seen, and on which line first: ten million of them in bounded memory."""

import sqlite3
from collections.abc import Sequence
from operator import itemgetter
from typing import Final, Self

MAX_IN_MEMORY: Final = 200_000
"""Up to so many ids stay in memory, about 30 MB; more of them spill to disk."""

_CACHE_KIB = 32 * 1024


class SeenIds:
    """Ids and the lines that had them first: a few in a dictionary, many in a private temporary database."""

    def __init__(self) -> None:
        self._few: dict[str, int] = {}
        self._database: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._database is not None:
            self._database.close()

    def add(self, ids: Sequence[tuple[str, int]]) -> dict[int, int]:
        """Remember pairs of an id and its line, lines ascending.

        Return for each line whose id was seen before the line that has it first.
        """
        if self._database is None and len(self._few) + len(ids) > MAX_IN_MEMORY:
            self._database = _open_database()
            _insert(self._database, list(self._few.items()))
            self._few.clear()
        if self._database is None:
            return {line: first for id_, line in ids if (first := self._few.setdefault(id_, line)) != line}
        database = self._database
        if _insert(database, ids) == len(ids):
            return {}
        return {line: first for id_, line in ids if (first := _first_line(database, id_)) != line}


def _open_database() -> sqlite3.Connection:
    # The empty name means a temporary file that only this connection sees, and that vanishes with it.
    database = sqlite3.connect("")
    database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute("CREATE TABLE seen (id TEXT PRIMARY KEY, line INTEGER NOT NULL) WITHOUT ROWID")
    return database


def _insert(database: sqlite3.Connection, ids: Sequence[tuple[str, int]]) -> int:
    """Insert the ids that are new, the first line of each, and return how many were."""
    before = database.total_changes
    # Sorted by id, neighbours fall on the same database page: several times faster on random ids.
    database.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", sorted(ids, key=itemgetter(0)))
    return database.total_changes - before


def _first_line(database: sqlite3.Connection, id_: str) -> int:
    (line,) = database.execute("SELECT line FROM seen WHERE id = ?", (id_,)).fetchone()
    return int(line)
