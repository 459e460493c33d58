"""Class activation maps: heads on a mean of features say by themselves which part of a photo spoke for a class."""

from collections.abc import Mapping
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from hangtag.imaging.preprocess import Pixels
from hangtag.inference.engine import Engine
from hangtag.inference.explaining.cells import locate_cells
from hangtag.inference.explaining.linear_heads import LinearHeads, find_linear_heads
from hangtag.inference.explaining.surface import Values
from hangtag.inference.explaining.views import Shifts, Views
from hangtag.inference.runtime import load_runtime

_PROBES: Final = 3
_TOLERANCE: Final = 1e-3
"""How far a head's sums may be from its logits, relative to the largest: all is computed in float32 here."""


class ClassActivation:
    """The graph of a model, compiled to give its feature map too, and the heads that are linear on the mean of it."""

    def __init__(self, compiled: Any, heads: LinearHeads, views: Views) -> None:  # noqa: ANN401 - OpenVINO has no types
        self._compiled = compiled
        self._heads = heads
        self._views = views

    @classmethod
    def of(cls, engine: Engine) -> Self | None:
        """Compile the graph of an engine; None when no head of it is linear on the mean of a feature map.

        That a head is so is found by the structure of the graph, and believed when its sums are its logits.
        """
        graph = engine.copy_graph()
        heads = find_linear_heads(graph, engine.card.columns)
        if heads is None:
            return None
        preprocessing = engine.card.preprocessing
        rows, columns = locate_cells(heads.features, preprocessing.height, preprocessing.width)
        graph.add_outputs([heads.features])
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": engine.threads}
        compiled = load_runtime().compile_model(graph, "CPU", settings)
        found = cls(compiled, heads, Views(Shifts.of(rows), Shifts.of(columns)))
        found._drop_others(engine)
        return found if heads.weights else None

    @property
    def columns(self) -> frozenset[str]:
        """The columns whose decisions can be explained so."""
        return frozenset(self._heads.weights)

    def render(self, pixels: Pixels, classes: Mapping[str, int]) -> dict[str, Values]:
        """Return what spoke for these classes, by column: float32 (height, width) of uint8 (height, width, 3).

        The evidence of a cell for a class is the sum of its features, weighted as the head weights their mean: these
        add up to the class's logit (Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR
        2016), and are what Grad-CAM gives for such a network (Selvaraju et al., ICCV 2017). Since a cell is large,
        copies of the photo are looked at that are shifted by parts of a cell, and mirrored; their maps, shifted back,
        lie between each other (shift-and-stitch: Long, Shelhamer and Darrell, CVPR 2015).
        """
        weights = np.stack([self._heads.weights[column][index] for column, index in classes.items()])
        evidence = np.zeros((len(classes), *pixels.shape[:2]), np.float32)
        for turn in (1, -1):
            features = self._run(self._views.copy(pixels[:, ::turn]))[0]
            maps = np.einsum("kc,nchw->knhw", weights, features, optimize=True)
            evidence += self._views.stitch(maps, pixels.shape[:2])[..., ::turn]
        return dict(zip(classes, evidence, strict=True))

    def _run(self, pixels: npt.NDArray[np.uint8]) -> tuple[Values, dict[str, Values]]:
        """Return the feature map, float32 (n, channels, rows, columns), and the logits by column, of n photos."""
        request = self._compiled.create_infer_request()
        request.infer([pixels])
        outputs = self._compiled.outputs
        answers = [np.array(request.get_output_tensor(position).data) for position in range(len(outputs))]
        names = [output.get_names() for output in outputs]
        logits = {
            column: answer
            for column in self._heads.weights
            for answer, known in zip(answers, names, strict=True)
            if column in known
        }
        return answers[-1], logits

    def _drop_others(self, engine: Engine) -> None:
        """Keep the heads whose weighted sums are their logits, save for a number that is the same for all photos."""
        preprocessing = engine.card.preprocessing
        shape = (_PROBES, preprocessing.height, preprocessing.width, 3)
        features, logits = self._run(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
        means = features.mean(axis=(2, 3))
        for column, found in logits.items():
            offsets = found - means @ self._heads.weights[column].T
            if not np.ptp(offsets, axis=0).max() <= _TOLERANCE * np.abs(found).max():  # NaN is none either
                del self._heads.weights[column]
