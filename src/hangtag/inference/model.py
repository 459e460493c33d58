"""A model, ready to label photos: `load_model().predict("shirt.jpg")`."""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hangtag.bundle.card import QUANTISED_PRECISION, Card
from hangtag.bundle.file import DEFAULT_NAME, find_bundle, read_bundle
from hangtag.bundle.signatures import TrustedKeys
from hangtag.domain.errors import UsageError
from hangtag.imaging.batches import PhotoSource
from hangtag.imaging.budget import DEFAULT_LIMITS
from hangtag.imaging.preprocess import prepare_photo
from hangtag.inference.engine import Engine, Precision
from hangtag.inference.photos import GivenPhoto, GivenPhotos, iter_photos
from hangtag.inference.predicting import DecodeSettings, Outputs, predict_photos
from hangtag.inference.predictions import Floats, Predictions
from hangtag.inference.probabilities import PredictionBuilder
from hangtag.inference.selection import find_form, select_engine

if TYPE_CHECKING:
    from hangtag.inference.explaining.explainer import Explanation


class Model:
    """A bundle on an engine. Safe to use from several threads.

    >>> from hangtag import load_model
    >>> model = load_model()
    >>> model.predict("photos/")                                  # doctest: +SKIP
    <Predictions of 2 photos by default: 2 labelled>
      photos/shirt.jpg: Apparel 100%, Topwear 100%, Tshirts 98%, Men 95%, Blue 91%, Summer 88%, Casual 97%
      photos/shoe.jpg: Footwear 100%, Shoes 100%, Casual Shoes 93%, Men 99%, White 84%, Summer 71%, Casual 99%
    """

    def __init__(self, engine: Engine, sha256: str = "") -> None:
        self.engine = engine
        self.sha256 = sha256

    def __repr__(self) -> str:
        heads = ", ".join(f"{column} ({len(classes)})" for column, classes in self.classes.items())
        engine = self.engine
        return f"<Model {self.card.name} {self.card.version}: {heads}; {engine.precision}, {engine.threads} threads>"

    @property
    def card(self) -> Card:
        """The model's card."""
        return self.engine.card

    @property
    def classes(self) -> dict[str, tuple[str, ...]]:
        """The classes that the model knows, by column.

        >>> load_model().classes["gender"]                        # doctest: +SKIP
        ('Boys', 'Girls', 'Men', 'Unisex', 'Women')
        """
        return {head.column: tuple(head.classes) for head in self.card.heads}

    def predict(self, photos: GivenPhotos) -> Predictions:
        """Return the labels of one photo or of many, in order.

        A photo is a path, an http address, bytes, an open binary file, a Pillow image or a uint8 NumPy array of shape
        (height, width, 3). The path of a folder stands for all photos in it. A photo that cannot be read keeps its
        place, with the reason. Raises `UsageError` for anything else.

        >>> predictions = model.predict(["shirt.jpg", "shoe.jpg"])    # doctest: +SKIP
        >>> predictions[0]["articleType"]                             # doctest: +SKIP
        Label(value='Tshirts', confidence=0.98)
        >>> predictions.to_pandas()                                   # doctest: +SKIP
        """
        sources = list(iter_photos(photos))
        parts = [found for (found,) in self._predict_batches(sources)]
        found = Predictions.concat(parts) if parts else PredictionBuilder(self.card).build_empty()
        return replace(found, photos=tuple(sources))

    def iter_predict(self, photos: GivenPhotos) -> Generator[Predictions]:
        """Yield `Predictions` in batches, with only a few photos in memory at a time.

        >>> for batch in model.iter_predict("ten-million-photos/"):   # doctest: +SKIP
        ...     save(batch.to_arrow())
        """
        with closing(self._predict_batches(iter_photos(photos))) as batches:
            for (found,) in batches:
                yield found

    def embed(self, photos: GivenPhotos) -> Floats:
        """Return the embedding of each photo, float32 (n, features); NaN for a photo that cannot be read.

        Raises `UsageError` for a model that has no embeddings, and for photos as `predict` does.

        >>> model.embed(["shirt.jpg", "shoe.jpg"]).shape              # doctest: +SKIP
        (2, 1280)
        """
        embedding = self.predict(photos).embedding
        if embedding is None:
            raise UsageError(
                f"the model {self.card.name} {self.card.version} has no embeddings",
                fix="Bundles that this version of `hangtag train` writes have them.",
            )
        return embedding

    def explain(
        self,
        photo: GivenPhoto,
        columns: Sequence[str] | None = None,
        classes: Mapping[str, str] | None = None,
    ) -> "Explanation":
        """Return heat maps of one photo, which show the parts that support its labels in these columns.

        The chosen label of each column is explained, or the one in `classes`. Raises `PhotoError` for a photo that
        cannot be read, and `UsageError` for more than one photo and for a column or label that the model does not know.

        >>> model.explain("shirt.jpg", ["articleType"]).maps["articleType"].heat.shape    # doctest: +SKIP
        (112, 84)
        """
        from hangtag.inference.explaining.explainer import Explainer  # noqa: PLC0415 - it is rarely asked for

        sources = list(iter_photos(photo))
        if len(sources) != 1:
            raise UsageError(f"pass one photo to explain, not {len(sources)}")
        pixels = prepare_photo(sources[0].read(DEFAULT_LIMITS), self.card.preprocessing)
        return Explainer(self).explain(pixels, columns, classes)

    def run(self, pixels: npt.NDArray[np.uint8]) -> Outputs:
        """Return the graph's outputs for preprocessed photos, uint8 (n, height, width, 3), as `Engine.run` does."""
        return self.engine.run(pixels)

    def iter_run(self, batches: Iterable[npt.NDArray[np.uint8]]) -> Iterator[Outputs]:
        """Yield the graph's outputs for each batch, as `Engine.iter_run` does."""
        return self.engine.iter_run(batches)

    def _predict_batches(self, sources: Iterable[PhotoSource]) -> Generator[tuple[Predictions, ...]]:
        return predict_photos(sources, [self], DecodeSettings(self.engine.threads))


def load_model(
    name_or_path: str | Path = DEFAULT_NAME,
    *,
    precision: Precision = "auto",
    threads: int | None = None,
    verify: bool = True,
    trusted: TrustedKeys | None = None,
) -> Model:
    """Load a model by its name or by the path of its bundle.

    With `precision="auto"`, the model runs in the fastest precision: as measured by `hangtag bench`, if it was run on
    this machine. Only precisions that the card lists as being as accurate as float32 are considered, and the golden
    check must pass; otherwise the model runs in float32. `int8` needs the model's int8 form next to the bundle.
    `threads` defaults to the processors that this process may use. `verify=False` skips the golden check. If there are
    `trusted` keys, by default those in `HANGTAG_TRUSTED_KEYS`, a bundle must be signed by one of them.

    Raises `BundleError` if there is no such bundle or it cannot be trusted, and `UsageError` for a precision that the
    model does not have.

    >>> load_model("default", precision="fp32")                   # doctest: +SKIP
    """
    bundle = read_bundle(find_bundle(name_or_path))
    keys = TrustedKeys.of() if trusted is None else trusted
    keys.check(bundle.path, bundle.model_bytes)
    if keys.keys and precision in ("auto", QUANTISED_PRECISION) and (form := find_form(bundle)) is not None:
        keys.check(form.path, form.model_bytes)
    return Model(select_engine(bundle, precision, threads, verify=verify), bundle.sha256)
