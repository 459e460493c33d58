"""A model compiled for batches of one size, and the requests that run on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hangtag.inference.runtime import count_usable_cpus, load_runtime

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]
    Outputs = dict[str, npt.NDArray[np.float32]]

PHOTO_EQUIVALENTS: Final = 0.8
"""What starting a request costs, in photos: of the default model 4 take 2.7 times as long as 1, and 16 take 9.3."""

AGREEMENT: Final = 1e-5
"""How far outputs may be apart, relative to the largest, to count as the same: what the order of a float32 sum changes.

One rounding to bf16 inside a network moves its outputs by a hundred times as much.
"""


@dataclass(slots=True)
class Request:
    """A request under way. It reads the pixels where they lie, so it holds them until it ends."""

    graph: CompiledGraph
    running: Any
    pixels: Pixels
    count: int

    def finish(self) -> Outputs:
        """Wait, and return the outputs by name, each float32 of shape (n, width)."""
        self.running.wait()
        outputs = {
            name: np.array(self.running.get_output_tensor(position).data[: self.count])
            for position, name in enumerate(self.graph.names)
        }
        self.graph.idle.append(self.running)
        return outputs


class CompiledGraph:
    """A model compiled for batches of one size; smaller ones are filled up. Safe to use from several threads.

    `shape` is that of a batch: (size, height, width, 3).
    Each request runs on one thread, and there are `threads` of them. So what is computed for a photo depends neither
    on the number of processors nor on what else runs. Raises `RuntimeError` if OpenVINO cannot compile the graph.
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
            # Engines that share a machine would all pin their threads to its first processors.
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
        """Return how many values an output has for each photo; None if there is no such output or number."""
        if name not in self.names:
            return None
        size = self._compiled.output(name).get_partial_shape()[1]
        return int(size.get_length()) if size.is_static else None

    def start(self, pixels: Pixels) -> Request:
        """Begin to answer pixels, uint8 of shape (n, height, width, 3), n from 1 to `size`, without waiting."""
        try:
            running = self.idle.pop()
        except IndexError:
            running = self._compiled.create_infer_request()
        filled = _fill_up(np.ascontiguousarray(pixels), self.size)
        running.start_async([filled], share_inputs=True)
        return Request(self, running, filled, len(pixels))

    def answers_like(self, alone: CompiledGraph, photos: Pixels) -> bool:
        """Return whether this graph gives, for `size` photos together, what `alone` gives for each of them."""
        together = self.start(photos[: self.size]).finish()
        single = [alone.start(photo[None]).finish() for photo in photos[: self.size]]
        return all(
            _are_same(together[name], np.concatenate([outputs[name] for outputs in single]))
            for name in self.names
        )


def split_batch(count: int, sizes: Sequence[int]) -> list[int]:
    """Return the sizes of the graphs that answer `count` photos, in order, at the least cost.

    `sizes` are those that there are, ascending from 1; the last graph may be larger than what is left for it.
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
