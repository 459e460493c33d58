"""A model, ready to label photos: `load_model().predict(["shirt.jpg"])`."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import tee
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hangtag.bundle.card import Card
from hangtag.bundle.file import read_bundle
from hangtag.bundle.shipped import DEFAULT_NAME, find_bundle
from hangtag.domain.errors import UsageError
from hangtag.domain.prediction import Failure, Label, Outcome, Prediction
from hangtag.imaging.batches import PhotoDecoder
from hangtag.inference.engine import Engine, Precision
from hangtag.inference.photos import GivenPhoto, iter_named
from hangtag.inference.probabilities import rank
from hangtag.inference.scores import Scores
from hangtag.inference.scoring import Scorer
from hangtag.inference.selection import select_engine
from hangtag.inference.sureness import count_sure_levels, list_flags


class Model:
    """A bundle on an engine. Safe to use from several threads."""

    def __init__(self, engine: Engine, sha256: str = "") -> None:
        self.engine = engine
        self.sha256 = sha256
        self._score = Scorer(engine.card).score

    @property
    def card(self) -> Card:
        """Everything that is true about the model."""
        return self.engine.card

    def label(self, pixels: npt.NDArray[np.uint8]) -> Scores:
        """Return the answers to preprocessed photos, uint8 of shape (n, height, width, 3), n from 0 up.

        Raises `UsageError` for pixels of another shape or type.
        """
        return self._score(self.engine.run(pixels))

    def iter_label(self, batches: Iterable[npt.NDArray[np.uint8]]) -> Iterator[Scores]:
        """Yield the answers to each batch, as `label` does, in order; the next are fetched while the network runs."""
        return map(self._score, self.engine.iter_run(batches))

    def predict(self, photos: Sequence[GivenPhoto], top_k: int = 5) -> list[Outcome]:
        """Return a `Prediction`, or a `Failure` with its reason, for each photo, in order.

        A photo is the path of a file, or the bytes of one; the latter are called `photo 1` and so on, by their
        position. Each column has its `top_k` candidates, the chosen one first.

        Raises `UsageError` for a single path where a list of them is expected, and for a `top_k` under 1.
        """
        if isinstance(photos, str | Path | bytes):
            raise UsageError("predict takes a list of photos", fix="Write predict([photo]).")
        return list(self.iter_predict(photos, top_k))

    def iter_predict(self, photos: Iterable[GivenPhoto], top_k: int = 5) -> Iterator[Outcome]:
        """Yield what `predict` returns, photo by photo: however many come, only a few are in memory."""
        if top_k < 1:
            raise UsageError(f"top_k is at least 1, not {top_k}")
        preprocessing = self.card.preprocessing
        decoder = PhotoDecoder(frozenset({preprocessing}), self.engine.batch_size, self.engine.threads)
        own, decoded = tee(decoder.iter_batches(iter_named(photos)))
        for batch, scores in zip(
            own, self.iter_label(one.pixels[preprocessing] for one in decoded), strict=True
        ):
            answers = zip(
                self._iter_candidates(scores, top_k),
                count_sure_levels(scores, self.card).tolist(),
                list_flags(scores, self.card, batch.quality[preprocessing]),
                strict=True,
            )
            for name, error in zip(batch.names, batch.errors, strict=True):
                if error is None:
                    yield Prediction(name, *next(answers))
                else:
                    yield Failure(name, error.reason, error.detail)

    def _iter_candidates(self, scores: Scores, top_k: int) -> Iterator[dict[str, tuple[Label, ...]]]:
        """Yield the candidates of each photo by column, the chosen one first."""
        ranked = {
            column: rank(probabilities, scores.chosen[column], top_k)
            for column, probabilities in scores.probabilities.items()
        }
        for row in range(len(next(iter(ranked.values())))):
            yield {
                head.column: tuple(
                    Label(head.classes[index], float(scores.probabilities[head.column][row, index]))
                    for index in ranked[head.column][row]
                )
                for head in self.card.heads
            }


def load_model(
    name_or_path: str | Path = DEFAULT_NAME,
    *,
    precision: Precision = "auto",
    threads: int | None = None,
    verify: bool = True,
) -> Model:
    """Load a model by the name of a bundle that hangtag can find, or by the path of one.

    `precision` `auto` computes in what is fastest on this processor, by `hangtag bench` where that was run, among the
    arithmetics that the card says were measured to answer as well as float32, if the golden check passes in it;
    otherwise in float32. `fp32` gives the same bits wherever a photo stands in a batch, `int8` is for a model beside
    which its int8 form lies. `threads` defaults to the processors that this process may use. `verify=False` leaves the
    golden check out.

    Raises `BundleError` when there is no such bundle, or it cannot be trusted, `UsageError` for an arithmetic that it
    does not have.
    """
    bundle = read_bundle(find_bundle(name_or_path))
    return Model(select_engine(bundle, precision, threads, verify=verify), bundle.sha256)
