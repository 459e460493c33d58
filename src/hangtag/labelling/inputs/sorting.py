"""Names in their order, however many: sorted in pieces that are merged from a temporary file."""

import heapq
import os
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from tempfile import TemporaryFile
from typing import IO, Final, NamedTuple

HELD_ENTRIES: Final = 20_000
"""How many entries are held in memory at a time, a few megabytes; a folder with more is sorted on disk."""

_BLOCK_BYTES: Final = 16_384
_KIND: Final = b"/"
_END: Final = b"\0"


class Entry(NamedTuple):
    """The name of something in a folder, and one letter for what it is."""

    name: str
    kind: str


def sort_entries(entries: Iterable[Entry], held: int = HELD_ENTRIES) -> Iterator[Entry]:
    """Return the entries in the order of their names. All are taken from `entries` before this returns.

    At most `held` are in memory at a time; the others wait, in sorted runs, in a temporary file that has no name.
    Names may hold any bytes but the slash and the zero, as file systems have it.
    """
    remaining = iter(entries)
    chunk = sorted(islice(remaining, held))
    after = next(remaining, None)
    if after is None:
        return iter(chunk)
    remaining = chain([after], remaining)
    file = TemporaryFile(prefix="hangtag-")  # noqa: SIM115 - closed when the last entry has been taken
    runs: list[range] = []
    while chunk:
        runs.append(_write_run(file, chunk))
        chunk.clear()  # before the next is held beside it
        chunk += islice(remaining, held)
        chunk.sort()
    return _merge(file, runs)


def _merge(file: IO[bytes], runs: list[range]) -> Iterator[Entry]:
    with file:
        yield from heapq.merge(*(_read_run(file, run) for run in runs))


def _write_run(file: IO[bytes], entries: Iterable[Entry]) -> range:
    start = file.tell()
    file.writelines(os.fsencode(name) + _KIND + kind.encode() + _END for name, kind in entries)
    return range(start, file.tell())


def _read_run(file: IO[bytes], run: range) -> Iterator[Entry]:
    """Read a run block by block; the file is shared with the other runs, so each block is sought."""
    tail = b""
    for position in run[::_BLOCK_BYTES]:
        file.seek(position)
        block = tail + file.read(min(_BLOCK_BYTES, run.stop - position))
        *records, tail = block.split(_END)
        for record in records:
            name, _, kind = record.rpartition(_KIND)
            yield Entry(os.fsdecode(name), kind.decode())
