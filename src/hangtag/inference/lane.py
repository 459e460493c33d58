"""One compiled form of a model, and the requests that run on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt


@dataclass(slots=True)
class Running:
    """A request under way. It reads the pixels where they lie, so it holds them until it ends."""

    lane: Lane
    request: Any
    pixels: npt.NDArray[np.uint8]

    def finish(self) -> dict[str, npt.NDArray[np.float32]]:
        """Wait, and return the logits by column, each float32 of shape (n, classes)."""
        self.request.wait()
        logits = {
            column: np.array(self.request.get_output_tensor(position).data)
            for position, column in enumerate(self.lane.columns)
        }
        self.lane.idle.append(self.request)
        return logits


class Lane:
    """A compiled model for batches of one size, or of any size. Safe to use from several threads."""

    def __init__(self, compiled: Any, columns: Sequence[str]) -> None:  # noqa: ANN401 - OpenVINO has no types
        names = [output.get_any_name() for output in compiled.outputs]
        self._compiled = compiled
        self.columns = names
        self.sizes: Mapping[str, int | None] = {
            name: _size(output.get_partial_shape()[1])
            for name, output in zip(names, compiled.outputs, strict=True)
            if name in columns
        }
        self.requests = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self.precision = str(compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name())
        self.idle: list[Any] = []

    def start(self, pixels: npt.NDArray[np.uint8]) -> Running:
        """Begin to answer pixels, uint8 of shape (n, height, width, 3), without waiting."""
        try:
            request = self.idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        request.start_async([pixels], share_inputs=True)
        return Running(self, request, pixels)


def _size(dimension: Any) -> int | None:  # noqa: ANN401 - OpenVINO has no types
    return int(dimension.get_length()) if dimension.is_static else None
