"""The engine: runs a bundle's graph with OpenVINO on the processor. Pixels in, logits out.

Why OpenVINO, and why several compiled graphs of one model: `docs/decisions/0002-inference-engine.md`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from hangtag.bundle.card import QUANTISED_PRECISION
from hangtag.bundle.file import Bundle, read_bundle
from hangtag.bundle.quantised import is_quantised
from hangtag.bundle.structure import check_class_count
from hangtag.domain.errors import BundleError, UsageError
from hangtag.inference.golden import draw_probes
from hangtag.inference.runtime import PRECISION_NAMES, count_usable_cpus, load_runtime, read_graph

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]
    Logits = dict[str, npt.NDArray[np.float32]]

PHOTO_EQUIVALENTS: Final = 0.8
"""The overhead of a request, in photos: with the default model, 4 take 2.7 times as long as 1, and 16 take 9.3."""

AGREEMENT: Final = 1e-5
"""How far outputs may differ, relative to the largest, to count as equal: the effect of reordering a float32 sum.

A single rounding to bf16 inside a network changes its outputs a hundred times as much.
"""


@dataclass(slots=True)
class Request:
    """A request in progress. It reads the caller's pixels without copying, so it keeps a reference until it ends."""

    graph: CompiledGraph
    running: Any
    pixels: Pixels
    count: int

    def finish(self) -> Logits:
        """Wait, and return the outputs by name, each float32 of shape (n, width)."""
        self.running.wait()
        outputs = {
            name: np.array(self.running.get_output_tensor(position).data[: self.count])
            for position, name in enumerate(self.graph.names)
        }
        self.graph.idle.append(self.running)
        return outputs


class CompiledGraph:
    """A model compiled for batches of one size; smaller batches are padded. Safe to use from several threads.

    `shape` is that of a batch: (size, height, width, 3).
    Each request runs on one thread, and `threads` requests run at once. So the result for a photo depends neither on
    the number of processors nor on other work. Raises `RuntimeError` if OpenVINO cannot compile the graph.
    """

    def __init__(
        self,
        graph: Any,  # noqa: ANN401 - OpenVINO has no types
        shape: tuple[int, int, int, int],
        *,
        threads: int,
        precision_hint: str | None,
    ) -> None:
        settings: dict[str, Any] = {
            "NUM_STREAMS": threads,
            "INFERENCE_NUM_THREADS": threads,
            # Otherwise several engines on a machine would all pin their threads to the first processors.
            "ENABLE_CPU_PINNING": threads >= count_usable_cpus(),
        }
        if precision_hint is not None:
            settings["INFERENCE_PRECISION_HINT"] = precision_hint
        fixed = graph.clone()
        fixed.reshape(list(shape))
        self._compiled = load_runtime().compile_model(fixed, "CPU", settings)
        self.size = shape[0]
        self.names = [str(output.get_any_name()) for output in self._compiled.outputs]
        self.precision = str(self._compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name())
        self.idle: list[Any] = []

    def width(self, name: str) -> int | None:
        """Return how many values an output has per photo; None if there is no such output or its size is unknown."""
        if name not in self.names:
            return None
        size = self._compiled.output(name).get_partial_shape()[1]
        return int(size.get_length()) if size.is_static else None

    def start(self, pixels: Pixels) -> Request:
        """Start a request for pixels, uint8 of shape (n, height, width, 3), n from 1 to `size`, without waiting."""
        try:
            running = self.idle.pop()
        except IndexError:
            running = self._compiled.create_infer_request()
        filled = _fill_up(np.ascontiguousarray(pixels), self.size)
        running.start_async([filled], share_inputs=True)
        return Request(self, running, filled, len(pixels))

    def answers_like(self, alone: CompiledGraph, photos: Pixels) -> bool:
        """Return whether this graph gives the same outputs for `size` photos together as `alone` for each of them."""
        together = self.start(photos[: self.size]).finish()
        single = [alone.start(photo[None]).finish() for photo in photos[: self.size]]
        return all(
            _are_same(together[name], np.concatenate([outputs[name] for outputs in single]))
            for name in self.names
        )


def split_batch(count: int, sizes: Sequence[int]) -> list[int]:
    """Return the graph sizes, in order, that process `count` photos at the lowest cost.

    `sizes` are the available ones, ascending from 1. The last graph may be larger than the number of remaining photos.
    """
    largest = sizes[-1]
    parts, rest = [largest] * (count // largest), count % largest
    if rest:
        smaller = split_batch(rest, sizes[:-1])
        parts += smaller if _cost(smaller) < _cost([largest]) else [largest]
    return parts


def _cost(sizes: Collection[int]) -> float:
    return sum(sizes) + PHOTO_EQUIVALENTS * len(sizes)


def _fill_up(pixels: Pixels, size: int) -> Pixels:
    if len(pixels) == size:
        return pixels
    filled = np.zeros((size, *pixels.shape[1:]), np.uint8)
    filled[: len(pixels)] = pixels
    return filled


def _are_same(found: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> bool:
    largest = np.abs(expected[np.isfinite(expected)]).max(initial=1.0)
    return np.allclose(found, expected, rtol=0, atol=AGREEMENT * float(largest), equal_nan=True)


Precision = Literal["auto", "fp32", "bf16", "int8"]
"""`auto` is the fastest on this processor; `fp32` and `bf16` are number types of the graph; `int8` is the only
precision of an int8 form."""

BATCH_SIZE: Final = 16
"""Chosen by measurement: larger batches do not fit the processor's cache, smaller ones need more calls."""

SMALL_BATCH: Final = 4
"""The graph size for batches smaller than `BATCH_SIZE`: eight photos one by one take twice as long."""

_HINTS: Final = {"auto": None, "fp32": "f32", "bf16": "bf16", "int8": "f32"}
"""The number type of layers whose type the graph leaves open. In an int8 form, these are the unquantised layers."""


class Engine:
    """Runs a bundle. Safe to use from several threads.

    A photo gets the same logits alone and in any batch. The network's output for a single photo is the reference, and
    a graph for larger batches is used only if it returned the same when it was compiled on this machine.

    `precision` is `auto`, `fp32` or `bf16`, and for an int8 form `auto` or `int8`. `threads` defaults to the
    processors that this process may use. `batch_size` is how many photos go through the network at once, whatever the
    size of the given batches.

    Raises `UsageError` for an invalid setting and `BundleError` for a graph that OpenVINO cannot run.
    """

    def __init__(
        self,
        model: Bundle | Path,
        *,
        precision: Precision = "auto",
        threads: int | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        if precision not in get_args(Precision):
            raise UsageError(f"the precision is auto, fp32, bf16 or int8, not {precision!r}")
        if batch_size < 1 or (threads is not None and threads < 1):
            raise UsageError("threads and batch size are at least 1")
        bundle = model if isinstance(model, Bundle) else read_bundle(model)
        self.card = bundle.card
        self._widths = bundle.card.output_widths
        self.threads = count_usable_cpus() if threads is None else threads
        self.batch_size = batch_size
        self._where = bundle.path
        self._quantised = is_quantised(bundle.card)
        self._hint = _HINTS[_require_possible(precision, bundle, quantised=self._quantised)]
        self._lock = Lock()
        self._graph = self._read_graph(bundle)
        self._alone = self._compile(1)
        self._graphs = {1: self._alone}
        self._not_compiled = tuple(
            size for size in (SMALL_BATCH, batch_size) if size == batch_size > 1 or 2 * size <= batch_size
        )
        self._check_widths(self._alone)

    @property
    def precision(self) -> str:
        """The precision that the network actually runs in on this processor: `fp32`, `bf16`, `fp16` or `int8`."""
        if self._quantised:
            return QUANTISED_PRECISION
        return PRECISION_NAMES.get(self._alone.precision, self._alone.precision)

    def run(self, pixels: Pixels) -> Logits:
        """Return the logits by column, float32 (n, classes), for pixels, uint8 (n, height, width, 3), n >= 0.

        The outputs of an OOD detector and an embedding are included under their names, float32 (n, width). Raises
        `UsageError` for pixels of another shape or type.
        """
        return next(self.iter_run([pixels]))

    def iter_run(self, batches: Iterable[Pixels]) -> Iterator[Logits]:
        """Yield the logits of each batch, in order. Later batches are fetched while the network runs."""
        parts_of_batch: deque[int] = deque()

        def iter_parts() -> Iterator[tuple[CompiledGraph, Pixels]]:
            for batch in batches:
                parts = self._split(batch)
                parts_of_batch.append(len(parts))
                yield from parts

        answers: list[Logits] = []
        for answer in self._iter_answers(iter_parts()):
            answers.append(answer)
            if len(answers) == parts_of_batch[0]:
                parts_of_batch.popleft()
                yield _join(answers)
                answers = []

    def _iter_answers(self, parts: Iterator[tuple[CompiledGraph, Pixels]]) -> Generator[Logits]:
        running: deque[Request | None] = deque()
        try:
            for graph, pixels in parts:
                running.append(graph.start(pixels) if len(pixels) else None)
                if len(running) > self.threads:  # one more than run at once, so the network never waits
                    yield self._finish(running.popleft())
            while running:
                yield self._finish(running.popleft())
        finally:
            for request in running:
                if request is not None:
                    request.finish()  # the pixels that it reads are about to be freed

    def _finish(self, request: Request | None) -> Logits:
        if request is None:
            return {name: np.empty((0, width), np.float32) for name, width in self._widths.items()}
        try:
            logits = request.finish()
        except RuntimeError as error:
            raise self._broken("run", error) from error
        return {name: logits[name] for name in self._widths}

    def _split(self, batch: Pixels) -> list[tuple[CompiledGraph, Pixels]]:
        height, width = self.card.preprocessing.height, self.card.preprocessing.width
        if batch.dtype != np.uint8 or batch.shape[1:] != (height, width, 3):
            found = f"{batch.dtype} of shape {batch.shape}"
            raise UsageError(f"pixels are uint8 of shape (n, {height}, {width}, 3), not {found}")
        if not len(batch):
            return [(self._alone, batch)]
        parts, start = [], 0
        graphs = self._graphs_for(len(batch))
        for size in split_batch(len(batch), sorted(graphs)):
            parts.append((graphs[size], batch[start : start + size]))
            start += size
        return parts

    def _graphs_for(self, count: int) -> dict[int, CompiledGraph]:
        """Return the graphs, by size, to use for `count` photos. The largest one that fits is compiled on first use."""
        if not any(size <= count for size in self._not_compiled):
            return self._graphs
        with self._lock:
            wanted = max(size for size in (*self._not_compiled, *self._graphs) if size <= count)
            if wanted in self._not_compiled:
                self._not_compiled = tuple(size for size in self._not_compiled if size != wanted)
                graph = self._compile(wanted)
                if self._agrees(graph):
                    self._graphs = {**self._graphs, wanted: graph}
            return self._graphs

    def _agrees(self, graph: CompiledGraph) -> bool:
        try:
            return graph.answers_like(self._alone, draw_probes(self.card, graph.size))
        except RuntimeError as error:
            raise self._broken("run", error) from error

    def _compile(self, size: int) -> CompiledGraph:
        shape = (size, self.card.preprocessing.height, self.card.preprocessing.width, 3)
        try:
            return CompiledGraph(self._graph, shape, threads=self.threads, precision_hint=self._hint)
        except RuntimeError as error:
            raise self._broken("run", error) from error

    def _read_graph(self, bundle: Bundle) -> Any:  # noqa: ANN401 - OpenVINO has no types
        try:
            return read_graph(bundle.model_bytes, self._hint)
        except RuntimeError as error:
            raise self._broken("read", error) from error

    def copy_graph(self) -> Any:  # noqa: ANN401 - OpenVINO has no types
        """Return a copy of the graph that runs, for code that inspects its layers."""
        return self._graph.clone()

    def _check_widths(self, graph: CompiledGraph) -> None:
        """Compare the output sizes that OpenVINO infers with the card. Sizes declared in the file could be wrong."""
        try:
            for head in self.card.heads:
                check_class_count(head.column, graph.width(head.column), len(head.classes))
        except BundleError as error:
            raise BundleError(error.problem, where=self._where) from None

    def _broken(self, verb: str, error: RuntimeError) -> BundleError:
        reason = str(error).strip().splitlines()[-1]
        return BundleError(f"OpenVINO cannot {verb} this model ({reason})", where=self._where)


def _require_possible(precision: Precision, bundle: Bundle, *, quantised: bool) -> Precision:
    if precision == "auto":
        return QUANTISED_PRECISION if quantised else precision
    if (precision == QUANTISED_PRECISION) != quantised:
        fix = (
            "Use the model that it was made from." if quantised else "`hangtag quantise` makes an int8 form."
        )
        raise UsageError(f"this model cannot compute in {precision}", where=bundle.path, fix=fix)
    return precision


def _join(answers: list[Logits]) -> Logits:
    if len(answers) == 1:
        return answers[0]
    return {column: np.concatenate([answer[column] for answer in answers]) for column in answers[0]}
