"""The engine: a bundle's graph, run by OpenVINO on the processor. Pixels in, logits out.

Why OpenVINO, and why two compiled forms of one model: `docs/decisions/0002-inference-engine.md`.
"""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from hangtag.bundle.card import QUANTISED_PRECISION
from hangtag.bundle.file import Bundle, read_bundle
from hangtag.bundle.quantised import is_quantised
from hangtag.bundle.structure import check_class_count
from hangtag.domain.errors import BundleError, UsageError
from hangtag.inference.cpus import count_usable_cpus
from hangtag.inference.lane import Lane, Running
from hangtag.inference.reduced import keep_first_layers_exact
from hangtag.inference.runtime import load_runtime

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from pathlib import Path

    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]
    Logits = dict[str, npt.NDArray[np.float32]]

Precision = Literal["auto", "fp32", "bf16", "int8"]
"""`auto` is what is fastest on this processor, `fp32` gives the same bits wherever a photo stands in a batch, `int8` is
that of an int8 form, and its only one."""

BATCH_SIZE: Final = 16
"""Measured: larger batches fall out of the processor's cache, smaller ones pay for more calls."""

_HINTS: Final = {"auto": None, "fp32": "f32", "bf16": "bf16", "int8": "f32"}
"""What the layers compute in whose numbers the graph does not say: in an int8 form, those that are not quantised."""
_NAMES: Final = {"f32": "fp32", "bf16": "bf16", "f16": "fp16"}


class Engine:
    """Runs a bundle. Safe to use from several threads.

    `precision` is `auto`, `fp32` or `bf16`, and for an int8 form `auto` or `int8`; `threads` defaults to the processors
    that this process may use; `batch_size` is how many photos go through the network at a time, whatever the size of
    the batches that come.

    Raises `UsageError` for a setting that cannot be and `BundleError` for a graph that OpenVINO cannot run.
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
        gate = bundle.card.gate
        self._widths = {head.column: len(head.classes) for head in bundle.card.heads}
        self._widths |= {} if gate is None else {gate.output: 1}
        self.threads = count_usable_cpus() if threads is None else threads
        self.batch_size = batch_size
        self._where = bundle.path
        self._quantised = is_quantised(bundle.card)
        self._hint = _HINTS[_require_possible(precision, bundle, quantised=self._quantised)]
        self._lock = Lock()
        self._graph = _read_graph(bundle, self._hint)
        self._any_size = self._compile("LATENCY", -1)
        self._full_batch: Lane | None = None
        self._check_sizes(self._any_size)

    @property
    def precision(self) -> str:
        """In which arithmetic the network really runs on this processor: `fp32`, `bf16`, `fp16` or `int8`."""
        if self._quantised:
            return QUANTISED_PRECISION
        return _NAMES.get(self._any_size.precision, self._any_size.precision)

    def run(self, pixels: Pixels) -> Logits:
        """Return the logits by column, float32 (n, classes), of pixels, uint8 (n, height, width, 3), n from 0 up.

        A model with a gate gives that output too, under its name, float32 (n, 1).
        Raises `UsageError` for pixels of another shape or type.
        """
        return next(self.iter_run([pixels]))

    def iter_run(self, batches: Iterable[Pixels]) -> Iterator[Logits]:
        """Yield the logits of each batch, in order. The next batches are fetched while the network runs."""
        parts_of_batch: deque[int] = deque()

        def iter_parts() -> Iterator[Pixels]:
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

    def _iter_answers(self, parts: Iterator[Pixels]) -> Generator[Logits]:
        running: deque[Running | None] = deque()
        try:
            for part in parts:
                running.append(self._start(part))
                if len(running) > self._depth(part):
                    yield self._finish(running.popleft())
            while running:
                yield self._finish(running.popleft())
        finally:
            for request in running:
                if request is not None:
                    request.finish()  # it reads memory that is about to be freed

    def _start(self, part: Pixels) -> Running | None:
        if not len(part):
            return None
        return self._lane(len(part)).start(np.ascontiguousarray(part))

    def _finish(self, running: Running | None) -> Logits:
        if running is None:
            return {name: np.empty((0, width), np.float32) for name, width in self._widths.items()}
        try:
            logits = running.finish()
        except RuntimeError as error:
            raise self._broken(error) from error
        return {name: logits[name] for name in self._widths}

    def _depth(self, part: Pixels) -> int:
        """Return how many requests are to be under way: one more than run at a time, so that none waits for us."""
        return self._lane(len(part)).requests if len(part) else 1

    def _lane(self, size: int) -> Lane:
        if size != self.batch_size:
            return self._any_size
        with self._lock:  # the first full batch compiles it: a single photo need not wait for that
            if self._full_batch is None:
                self._full_batch = self._compile("THROUGHPUT", self.batch_size)
            return self._full_batch

    def _split(self, batch: Pixels) -> list[Pixels]:
        height, width = self.card.preprocessing.height, self.card.preprocessing.width
        if batch.dtype != np.uint8 or batch.shape[1:] != (height, width, 3):
            found = f"{batch.dtype} of shape {batch.shape}"
            raise UsageError(f"pixels are uint8 of shape (n, {height}, {width}, 3), not {found}")
        starts = range(0, max(len(batch), 1), self.batch_size)
        return [batch[start : start + self.batch_size] for start in starts]

    def _compile(self, hint: str, size: int) -> Lane:
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": hint,
            "INFERENCE_NUM_THREADS": self.threads,
            # Engines that share a machine would all pin their threads to its first processors.
            "ENABLE_CPU_PINNING": self.threads >= count_usable_cpus(),
        }
        if self._hint is not None:
            settings["INFERENCE_PRECISION_HINT"] = self._hint
        height, width = self.card.preprocessing.height, self.card.preprocessing.width
        try:
            graph = self._graph.clone()
            graph.reshape([size, height, width, 3])
            return Lane(load_runtime().compile_model(graph, "CPU", settings), self.card.columns)
        except RuntimeError as error:
            raise self._broken(error) from error

    def copy_graph(self) -> Any:  # noqa: ANN401 - OpenVINO has no types
        """Return a copy of the graph that is run, for what wants to look inside."""
        return self._graph.clone()

    def _check_sizes(self, lane: Lane) -> None:
        """Compare the sizes that the engine infers with the card: those that a file declares could be wrong."""
        try:
            for head in self.card.heads:
                check_class_count(head.column, lane.sizes.get(head.column), len(head.classes))
        except BundleError as error:
            raise BundleError(error.problem, where=self._where) from None

    def _broken(self, error: RuntimeError) -> BundleError:
        reason = str(error).strip().splitlines()[-1]
        return BundleError(f"OpenVINO cannot run this model ({reason})", where=self._where)


def preferred_precision() -> str:
    """Return the arithmetic that OpenVINO would choose on this processor: `fp32`, `bf16` or `fp16`."""
    name = str(load_runtime().get_property("CPU", "INFERENCE_PRECISION_HINT").get_type_name())
    return _NAMES.get(name, name)


def _require_possible(precision: Precision, bundle: Bundle, *, quantised: bool) -> Precision:
    if precision == "auto":
        return QUANTISED_PRECISION if quantised else precision
    if (precision == QUANTISED_PRECISION) != quantised:
        fix = (
            "Take the model that it was made from." if quantised else "`hangtag quantise` makes an int8 form."
        )
        raise UsageError(f"this model cannot compute in {precision}", where=bundle.path, fix=fix)
    return precision


def _read_graph(bundle: Bundle, hint: str | None) -> Any:  # noqa: ANN401 - OpenVINO has no types
    core = load_runtime()
    try:
        graph = core.read_model(bundle.model_bytes)
        arithmetic = hint or core.get_property("CPU", "INFERENCE_PRECISION_HINT").get_type_name()
        return graph if arithmetic == _HINTS["fp32"] else keep_first_layers_exact(core, graph)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise BundleError(f"OpenVINO cannot read this model ({reason})", where=bundle.path) from error


def _join(answers: list[Logits]) -> Logits:
    if len(answers) == 1:
        return answers[0]
    return {column: np.concatenate([answer[column] for answer in answers]) for column in answers[0]}
