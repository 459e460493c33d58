"""Chunks of photos go to workers and come back in order; workers may come and go, and no photo goes with them."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from hangtag.domain.errors import UsageError
from hangtag.inference.predictions import Predictions
from hangtag.labelling.cluster.handing import Chunk, HandedPhoto, iter_chunks
from hangtag.labelling.cluster.settings import ClusterSettings
from hangtag.labelling.cluster.window import ChunkWindow
from hangtag.labelling.cluster.worker import Identity, Refusal
from hangtag.labelling.inputs.photo import InputPhoto

CHUNKS_AHEAD: Final = 2
"""How many chunks a worker has at a time: when one ends, the next one is there. The first is what it works on."""

_CHUNKS_KEPT: Final = 4
"""How many chunks for each worker may be under way or wait for an earlier one."""

_MOST_LOSSES: Final = 5
"""How many workers may be lost with the same photos: chance takes one or two, photos that kill take all."""

_MOST_FAILED_STARTS: Final = 10
_LOOKED_UP_S: Final = 5.0
"""How often it is looked up how many workers there is room for."""


class WorkerLostError(Exception):
    """A worker is gone: its process, or its machine."""


class Cluster(Protocol):
    """What workers are started on. What its workers and tickets are is its own business; a ticket can be hashed."""

    def count_places(self) -> int:
        """Return how many workers there is room for."""
        ...

    def start_worker(self) -> tuple[Any, Any]:
        """Begin to start a worker; return it and the ticket of its `LabellingWorker.start`."""
        ...

    def hand_over(self, worker: Any, photos: Sequence[HandedPhoto]) -> Any:  # noqa: ANN401 - see above
        """Give photos to a worker; return the ticket of its `LabellingWorker.label`."""
        ...

    def wait(self, tickets: Sequence[Any], timeout_s: float) -> Sequence[Any]:
        """Return the tickets that are done, as soon as there is one; none after `timeout_s` seconds."""
        ...

    def fetch(self, ticket: Any) -> Any:  # noqa: ANN401 - see above
        """Return what a ticket stands for; raises `WorkerLostError` when its worker is gone."""
        ...

    def stop(self, worker: Any) -> None:  # noqa: ANN401 - see above
        """End a worker, dead or alive."""
        ...


@dataclass(slots=True, eq=False)
class _Worker:
    handle: Any
    is_ready: bool = False
    chunks: deque[Chunk] = field(default_factory=deque)


class WorkerPool:
    """Labels photos on the workers of a cluster. `expected` is what each has to be like, `clock` gives seconds."""

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

        Only a few chunks for each worker are in memory. The photos of a worker that is lost go to others. Raises
        `UsageError` when workers cannot start or are not as expected, when none is there for too long, when the same
        photos cost several of them, and when they do not see files that are here.
        """
        window = ChunkWindow(iter_chunks(photos, self._settings.chunk))
        while not window.is_complete:
            self._hire()
            self._hand_out(window)
            if window.has_ready:
                yield from window.iter_ready()
            else:
                for ticket in self._cluster.wait(list(self._tickets), _LOOKED_UP_S):
                    self._receive(ticket, window)

    def _hire(self) -> None:
        """Start workers where there is room for more, and give up when none has been there for too long."""
        now = self._clock()
        if any(worker.is_ready for worker in self._workers):
            self._ready_at = now
        elif now - self._ready_at > self._settings.patience_s:
            raise UsageError(
                f"no worker was there for {self._settings.patience_s:.0f} seconds",
                fix="See with `ray status` what the cluster waits for; --resume goes on.",
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
        """Give chunks to the workers that have the fewest, as long as one has room for another."""
        ready = [worker for worker in self._workers if worker.is_ready]
        while ready:
            worker = min(ready, key=lambda one: len(one.chunks))
            if len(worker.chunks) >= CHUNKS_AHEAD:
                return
            chunk = window.take(_CHUNKS_KEPT * len(ready))
            if chunk is None:
                return
            worker.chunks.append(chunk)
            self._tickets[self._cluster.hand_over(worker.handle, chunk.photos)] = (worker, chunk)

    def _receive(self, ticket: Any, window: ChunkWindow) -> None:  # noqa: ANN401 - see above
        if ticket not in self._tickets:  # of a worker that another ticket has shown to be lost
            return
        worker, chunk = self._tickets.pop(ticket)
        try:
            result = self._cluster.fetch(ticket)
        except WorkerLostError as error:
            self._lose(worker, window, str(error))
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

    def _lose(self, worker: _Worker, window: ChunkWindow, why: str) -> None:
        """Let go of a worker; another one is started where there is room, and its chunks go to whoever is there."""
        self._cluster.stop(worker.handle)
        self._workers.remove(worker)
        self._tickets = {ticket: of for ticket, of in self._tickets.items() if of[0] is not worker}
        self._looked_up_at = float("-inf")
        if not worker.is_ready:
            self._failed_starts += 1
            if self._failed_starts >= _MOST_FAILED_STARTS and not any(one.is_ready for one in self._workers):
                raise UsageError(
                    f"workers cannot start ({_last_line(why)})",
                    fix="Every machine needs the same Python, hangtag and Ray.",
                )
        if worker.chunks:
            _blame(worker.chunks[0], why)
        window.give_back(worker.chunks)


def _blame(chunk: Chunk, why: str) -> None:
    """Count a worker that was lost while it worked on a chunk."""
    chunk.losses += 1
    if chunk.losses >= _MOST_LOSSES:
        raise UsageError(
            f"{_MOST_LOSSES} workers were lost with the same photos ({_last_line(why)})",
            where=f"{chunk.photos[0].name} to {chunk.photos[-1].name}",
            fix="Are machines short of memory? --resume goes on.",
        )


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]
