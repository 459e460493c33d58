"""Chunks on their way: handed out in any order, given back when a worker is lost, and passed on in their own order."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

from hangtag.domain.errors import UsageError
from hangtag.domain.reasons import Reason
from hangtag.inference.predictions import Predictions
from hangtag.labelling.cluster.handing import Chunk, HandedPhoto


class ChunkWindow:
    """The chunks that were taken from an input and not yet passed on: those under way, lost, or waiting for others."""

    def __init__(self, chunks: Iterator[Chunk]) -> None:
        self._chunks = chunks
        self._next: Chunk | None = None
        self._kept: deque[Chunk] = deque()
        self._lost: deque[Chunk] = deque()
        self._done: dict[Chunk, Sequence[Predictions]] = {}

    @property
    def is_complete(self) -> bool:
        """Whether all chunks of the input were passed on; looks for another one when none is kept."""
        if not self._kept and self._next is None:
            self._next = next(self._chunks, None)
        return not self._kept and self._next is None

    @property
    def has_ready(self) -> bool:
        """Whether the first chunk that is kept can be passed on."""
        return bool(self._kept) and self._kept[0] in self._done

    def take(self, most: int) -> Chunk | None:
        """Return the next chunk to hand out, None when `most` are kept or there is none. Lost ones go first."""
        if self._lost:
            return self._lost.popleft()
        if len(self._kept) >= most:
            return None
        chunk, self._next = self._next or next(self._chunks, None), None
        if chunk is not None:
            self._kept.append(chunk)
        return chunk

    def give_back(self, chunks: Sequence[Chunk]) -> None:
        """Take chunks back whose worker was lost."""
        self._lost.extend(chunks)

    def finish(self, chunk: Chunk, answers: Sequence[Predictions]) -> None:
        """Keep the answers to a chunk until it can be passed on."""
        self._done[chunk] = answers

    def iter_ready(self) -> Iterator[tuple[Predictions, ...]]:
        """Yield the answers to the first chunks, as far as they are there, with what their rows carry.

        Raises `UsageError` for a file that is here and that the worker did not see.
        """
        while self.has_ready:
            chunk = self._kept.popleft()
            yield _complete(chunk, self._done.pop(chunk))


def _complete(chunk: Chunk, answers: Sequence[Predictions]) -> tuple[Predictions, ...]:
    names = tuple(photo.name for photo in chunk.photos)
    for predictions in answers:
        if len(predictions) != len(names):
            raise AssertionError(f"{len(names)} photos were handed over, and {len(predictions)} answered")
    _check_seen(chunk.photos, answers[0].reasons)
    extra = chunk.extra if any(chunk.extra) else ()
    return tuple(replace(predictions, names=names, extra=extra) for predictions in answers)


def _check_seen(photos: Sequence[HandedPhoto], reasons: Sequence[Reason | None]) -> None:
    for photo, reason in zip(photos, reasons, strict=True):
        if photo.is_hidden_there(reason):
            raise UsageError(
                "this machine can read the photo, and another one of the cluster cannot",
                where=photo.name,
                fix="Name photos in a folder that all machines share, or at addresses; see docs/scaling.md.",
            )
