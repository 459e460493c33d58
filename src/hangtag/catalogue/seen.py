"""Which ids were seen, and on which line first: ten million of them in bounded memory."""

import sqlite3
from collections.abc import Sequence
from operator import itemgetter
from typing import Self

_CACHE_KIB = 32 * 1024


class SeenIds:
    """A private temporary database of ids, which spills to disk and vanishes when closed."""

    def __init__(self) -> None:
        # The empty name means a temporary file that only this connection sees.
        self._database = sqlite3.connect("")
        self._database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("CREATE TABLE seen (id TEXT PRIMARY KEY, line INTEGER NOT NULL) WITHOUT ROWID")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def add(self, ids: Sequence[tuple[str, int]]) -> dict[int, int]:
        """Remember pairs of an id and its line, lines ascending.

        Return for each line whose id was seen before the line that has it first.
        """
        before = self._database.total_changes
        # Sorted by id, neighbours fall on the same database page: several times faster on random ids.
        self._database.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", sorted(ids, key=itemgetter(0)))
        if self._database.total_changes - before == len(ids):
            return {}
        return {line: first for id_, line in ids if (first := self._first_line(id_)) != line}

    def _first_line(self, id_: str) -> int:
        (line,) = self._database.execute("SELECT line FROM seen WHERE id = ?", (id_,)).fetchone()
        return int(line)
