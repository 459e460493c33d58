"""Distributing chunks of photos to workers, with predictions in order. Workers may be lost; photos are not."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from hangtag.domain.errors import UsageError
from hangtag.domain.reasons import Reason
from hangtag.inference.predictions import Predictions
from hangtag.labelling.cluster.worker import Chunk, HandedPhoto, Identity, Refusal, iter_chunks
from hangtag.labelling.inputs.photo import InputPhoto

CHUNK_PHOTOS: Final = 1024
"""About a second of work for two processors: the transfer costs little, and so does redoing a lost chunk."""


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """The cluster to use, the number of workers, and their resources.

    `address` is that of a running cluster, `auto` for the one that this machine belongs to, or None to start one on
    this machine for the run. If `workers` is None, there are as many as the cluster has room for, updated as machines
    come and go. Each worker has `cpus` processors (None: those of the smallest machine, at most 4) and `gpus` GPUs.
    `chunk` photos are sent at a time. The run ends if there is no worker for `patience_s` seconds.

    Raises `UsageError` if a number is too small.
    """

    address: str | None = None
    workers: int | None = None
    cpus: int | None = None
    gpus: float = 0.0
    chunk: int = CHUNK_PHOTOS
    patience_s: float = 600.0

    def __post_init__(self) -> None:
        if min(self.workers or 1, self.cpus or 1, self.chunk) < 1 or 0 in (self.workers, self.cpus):
            raise UsageError("workers, processors and photos in a chunk must be at least 1")
        if self.gpus < 0:
            raise UsageError("the number of GPUs cannot be negative")


CHUNKS_AHEAD: Final = 2
"""How many chunks a worker has at a time: one in progress, and the next ones."""

_CHUNKS_KEPT: Final = 4
"""How many chunks per worker may be in progress or waiting for an earlier one."""

_MOST_LOSSES: Final = 5
"""How many workers may be lost with the same photos. Chance takes one or two; photos that crash workers take all."""

_MOST_FAILED_STARTS: Final = 10
_LOOKED_UP_S: Final = 5.0
"""How often to check how many workers there is room for."""


class WorkerLostError(Exception):
    """A worker is gone: its process or its machine."""


class Cluster(Protocol):
    """Where workers run. Workers and tickets are opaque; tickets must be hashable."""

    def count_places(self) -> int:
        """Return how many workers there is room for."""
        ...

    def start_worker(self) -> tuple[Any, Any]:
        """Start a worker without waiting. Return it and the ticket of its `LabellingWorker.start`."""
        ...

    def hand_over(self, worker: Any, photos: Sequence[HandedPhoto]) -> Any:  # noqa: ANN401 - see above
        """Send photos to a worker. Return the ticket of its `LabellingWorker.label`."""
        ...

    def wait(self, tickets: Sequence[Any], timeout_s: float) -> Sequence[Any]:
        """Return the finished tickets as soon as there is one, or none after `timeout_s` seconds."""
        ...

    def fetch(self, ticket: Any) -> Any:  # noqa: ANN401 - see above
        """Return the result of a ticket. Raises `WorkerLostError` if its worker is gone."""
        ...

    def stop(self, worker: Any) -> None:  # noqa: ANN401 - see above
        """Stop a worker, dead or alive."""
        ...


class ChunkWindow:
    """The chunks taken from an input and not yet passed on: in progress, lost, or waiting for earlier ones."""

    def __init__(self, chunks: Iterator[Chunk]) -> None:
        self._chunks = chunks
        self._next: Chunk | None = None
        self._kept: deque[Chunk] = deque()
        self._lost: deque[Chunk] = deque()
        self._done: dict[Chunk, Sequence[Predictions]] = {}

    @property
    def is_complete(self) -> bool:
        """Whether all chunks of the input were passed on. Reads the next one if the window is empty."""
        if not self._kept and self._next is None:
            self._next = next(self._chunks, None)
        return not self._kept and self._next is None

    @property
    def has_ready(self) -> bool:
        """Whether the first chunk in the window can be passed on."""
        return bool(self._kept) and self._kept[0] in self._done

    def take(self, most: int) -> Chunk | None:
        """Return the next chunk to send, lost ones first; None if `most` are in the window or the input is empty."""
        if self._lost:
            return self._lost.popleft()
        if len(self._kept) >= most:
            return None
        chunk, self._next = self._next or next(self._chunks, None), None
        if chunk is not None:
            self._kept.append(chunk)
        return chunk

    def give_back(self, chunks: Sequence[Chunk]) -> None:
        """Take back the chunks of a lost worker."""
        self._lost.extend(chunks)

    def finish(self, chunk: Chunk, answers: Sequence[Predictions]) -> None:
        """Keep the predictions for a chunk until it can be passed on."""
        self._done[chunk] = answers

    def iter_ready(self) -> Iterator[tuple[Predictions, ...]]:
        """Yield the predictions for the first chunks, as far as they are complete, with their rows' extra values.

        Raises `UsageError` for a file that exists here but that the worker could not see.
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
                "this machine can read the photo, but another one of the cluster cannot",
                where=photo.name,
                fix="Use photos in a folder that all machines share, or at addresses; see docs/scaling.md.",
            )


@dataclass(slots=True, eq=False)
class _Worker:
    handle: Any
    is_ready: bool = False
    chunks: deque[Chunk] = field(default_factory=deque)


class WorkerPool:
    """Labels photos on the workers of a cluster. Every worker must match `expected`. `clock` returns seconds."""

    def __init__(
        self,
        cluster: Cluster,
        expected: Identity,
        settings: ClusterSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._expected = expected
        self._settings = settings
        self._clock = clock
        self._workers: list[_Worker] = []
        self._tickets: dict[Any, tuple[_Worker, Chunk | None]] = {}
        self._failed_starts = 0
        self._looked_up_at = float("-inf")
        self._ready_at = clock()

    def iter_labelled(self, photos: Iterable[InputPhoto]) -> Generator[tuple[Predictions, ...]]:
        """Yield the photos' labels batch by batch, in order, as `predict_photos` does.

        Only a few chunks per worker are in memory. The photos of a lost worker go to others. Raises `UsageError` if
        workers cannot start or do not match, if there is none for too long, if the same photos crash several of them,
        and if they do not see files that exist here.
        """
        window = ChunkWindow(iter_chunks(photos, self._settings.chunk))
        while not window.is_complete:
            self._start_workers()
            self._hand_out(window)
            if window.has_ready:
                yield from window.iter_ready()
            else:
                for ticket in self._cluster.wait(list(self._tickets), _LOOKED_UP_S):
                    self._receive(ticket, window)

    def _start_workers(self) -> None:
        """Start workers if there is room. Raise if there has been none for too long."""
        now = self._clock()
        if any(worker.is_ready for worker in self._workers):
            self._ready_at = now
        elif now - self._ready_at > self._settings.patience_s:
            raise UsageError(
                f"no worker was available for {self._settings.patience_s:.0f} seconds",
                fix="Run `ray status` to see what the cluster waits for. Continue with `resume`.",
            )
        if now - self._looked_up_at < _LOOKED_UP_S:
            return
        self._looked_up_at = now
        wanted = self._settings.workers or self._cluster.count_places()
        for _ in range(wanted - len(self._workers)):
            handle, ticket = self._cluster.start_worker()
            worker = _Worker(handle)
            self._workers.append(worker)
            self._tickets[ticket] = (worker, None)

    def _hand_out(self, window: ChunkWindow) -> None:
        """Send chunks to the workers that have the fewest, while one has room for another."""
        ready = [worker for worker in self._workers if worker.is_ready]
        while ready:
            worker = min(ready, key=lambda worker: len(worker.chunks))
            if len(worker.chunks) >= CHUNKS_AHEAD:
                return
            chunk = window.take(_CHUNKS_KEPT * len(ready))
            if chunk is None:
                return
            worker.chunks.append(chunk)
            self._tickets[self._cluster.hand_over(worker.handle, chunk.photos)] = (worker, chunk)

    def _receive(self, ticket: Any, window: ChunkWindow) -> None:  # noqa: ANN401 - see above
        if ticket not in self._tickets:  # its worker was lost with another ticket
            return
        worker, chunk = self._tickets.pop(ticket)
        try:
            result = self._cluster.fetch(ticket)
        except WorkerLostError as error:
            self._drop_worker(worker, window, str(error))
            return
        if isinstance(result, Refusal):
            raise result.as_error()
        if chunk is None:
            self._expected.check(result)
            worker.is_ready = True
            self._failed_starts = 0
        else:
            worker.chunks.remove(chunk)
            window.finish(chunk, result)

    def _drop_worker(self, worker: _Worker, window: ChunkWindow, why: str) -> None:
        """Drop a worker. Its chunks go to other workers, and a new one is started if there is room."""
        self._cluster.stop(worker.handle)
        self._workers.remove(worker)
        self._tickets = {ticket: of for ticket, of in self._tickets.items() if of[0] is not worker}
        self._looked_up_at = float("-inf")
        if not worker.is_ready:
            self._failed_starts += 1
            if self._failed_starts >= _MOST_FAILED_STARTS and not any(
                other.is_ready for other in self._workers
            ):
                raise UsageError(
                    f"workers cannot start ({_last_line(why)})",
                    fix="Every machine needs the same Python, hangtag and Ray.",
                )
        if worker.chunks:
            _count_loss(worker.chunks[0], why)
        window.give_back(worker.chunks)


def _count_loss(chunk: Chunk, why: str) -> None:
    """Count a worker that was lost while it worked on a chunk."""
    chunk.losses += 1
    if chunk.losses >= _MOST_LOSSES:
        raise UsageError(
            f"{_MOST_LOSSES} workers were lost while labelling the same photos ({_last_line(why)})",
            where=f"{chunk.photos[0].name} to {chunk.photos[-1].name}",
            fix="Check that the machines have enough memory. Continue with `resume`.",
        )


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]
