"""`Predictions`: the columnar result of everything that labels photos."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np
import numpy.typing as npt

from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.domain.errors import PhotoError, UsageError
from hangtag.domain.prediction import Failure, Flag, Label, Outcome, Prediction
from hangtag.imaging.visibility import QUALITY_FLAGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hangtag.bundle.card import Card
    from hangtag.domain.reasons import Reason
    from hangtag.imaging.batches import PhotoSource

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_Array = npt.NDArray[Any]

FLAGS: Final = (Flag.NOT_A_PRODUCT, *QUALITY_FLAGS)
"""The flags in the order of the columns of `Predictions.flagged`."""

NO_LABEL: Final = -1
"""The class index of a photo without a label."""

TOP_K: Final = 5
"""How many candidates a `Prediction` has for each column."""

_SHOWN_ROWS: Final = 10


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class Predictions:
    """The predictions of one model for n photos, in their order.

    A photo that could not be labelled keeps its place: `reasons` and `details` say why, its probabilities are NaN, its
    class index is `NO_LABEL` and its depth 0.

    * `probabilities`: calibrated probabilities by column, float32 (n, classes), in the order of the card's classes.
    * `label_indices`: the index of the chosen class by column, (n,). It is the most probable class, except where the
      category levels would contradict each other.
    * `confident_depth`, (n,): the number of category levels, from the root, that the model is confident of.
    * `flagged`, bool (n, flags): what is wrong with each photo, in the order of `FLAGS`.
    * `ood_score`, float32 (n,): how unlike a product each photo is; None for a model without an OOD detector.
    * `embedding`, float32 (n, features): the embedding of each photo; None for a model without embeddings.
    * `appearance`, uint8 (n, bytes): the near-duplicate features of each photo; None if not requested.
    * `logits`: the outputs of the heads, float32 (n, classes) by column, for combining the labels of several photos;
      empty if they were not kept.
    * `extra`: the extra columns of each photo, such as the row of a table; empty if there are none.
    * `photos`: the photos themselves, to show them; empty if they were not kept.
    """

    card: Card
    names: tuple[str, ...]
    probabilities: Mapping[str, Floats]
    label_indices: Mapping[str, Ints]
    confident_depth: Ints
    flagged: Bools
    reasons: tuple[Reason | None, ...]
    details: tuple[str | None, ...]
    ood_score: Floats | None = None
    embedding: Floats | None = None
    appearance: npt.NDArray[np.uint8] | None = None
    logits: Mapping[str, Floats] = field(default_factory=dict)
    extra: tuple[Mapping[str, object], ...] = ()
    photos: tuple[PhotoSource, ...] = ()

    @classmethod
    def concat(cls, parts: Sequence[Predictions]) -> Predictions:
        """Join the predictions of one model. Raises `UsageError` for an empty list or for different models."""
        if not parts:
            raise UsageError("there are no predictions to join")
        first = parts[0]
        if any(part.card.heads != first.card.heads for part in parts):
            raise UsageError("predictions of different models cannot be joined")
        if len(parts) == 1:
            return first
        arrays = [_arrays_of(part) for part in parts]
        joined = {key: np.concatenate([found[key] for found in arrays]) for key in arrays[0]}
        return replace(
            _with_arrays(first, joined),
            names=tuple(chain.from_iterable(part.names for part in parts)),
            reasons=tuple(chain.from_iterable(part.reasons for part in parts)),
            details=tuple(chain.from_iterable(part.details for part in parts)),
            extra=tuple(chain.from_iterable(part.extra for part in parts)),
            photos=tuple(chain.from_iterable(part.photos for part in parts)),
        )

    def __len__(self) -> int:
        return len(self.confident_depth)

    def __iter__(self) -> Iterator[Outcome]:
        return self.rows()

    @overload
    def __getitem__(self, index: int) -> Outcome: ...
    @overload
    def __getitem__(self, index: slice | Sequence[int] | Ints | Bools) -> Predictions: ...
    def __getitem__(self, index: int | slice | Sequence[int] | Ints | Bools) -> Outcome | Predictions:
        """Return the prediction for one photo, or the `Predictions` for a slice, positions or a mask."""
        if isinstance(index, int | np.integer):
            position = range(len(self))[index]  # raises IndexError like a list
            return next(self[position : position + 1].rows())
        chosen = index if isinstance(index, slice) else np.asarray(index)
        positions = np.arange(len(self))[chosen].tolist()
        return replace(
            _with_arrays(self, {key: values[chosen] for key, values in _arrays_of(self).items()}),
            names=tuple(self.names[position] for position in positions),
            reasons=tuple(self.reasons[position] for position in positions),
            details=tuple(self.details[position] for position in positions),
            extra=tuple(self.extra[position] for position in positions) if self.extra else (),
            photos=tuple(self.photos[position] for position in positions) if self.photos else (),
        )

    def __repr__(self) -> str:
        labelled = int(self.is_labelled.sum())
        lines = [f"<Predictions of {len(self)} photos by {self.card.name}: {labelled} labelled>"]
        lines += [f"  {_describe(row)}" for row in self[:_SHOWN_ROWS].rows(1)]
        rest = len(self) - _SHOWN_ROWS
        return "\n".join([*lines, f"  and {rest} more"] if rest > 0 else lines)

    def _repr_html_(self) -> str:
        """Return a table of the first photos with their labels, for a notebook."""
        from hangtag.inference.frames import render_table  # noqa: PLC0415 - only notebooks need it

        return render_table(self)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the model predicts."""
        return tuple(self.probabilities)

    @property
    def levels(self) -> tuple[str, ...]:
        """The columns of the category path, from the root to the leaf."""
        return tuple(column for column in CATEGORY_COLUMNS if column in self.probabilities)

    @property
    def is_labelled(self) -> Bools:
        """Which photos have labels, shape (n,)."""
        return np.array([reason is None for reason in self.reasons], np.bool_)

    @property
    def flags(self) -> list[tuple[Flag, ...]]:
        """What is wrong with each photo."""
        flags: list[tuple[Flag, ...]] = [()] * len(self)
        for position in np.flatnonzero(self.flagged.any(axis=1)).tolist():
            found = zip(FLAGS, self.flagged[position].tolist(), strict=True)
            flags[position] = tuple(flag for flag, is_set in found if is_set)
        return flags

    @property
    def paths(self) -> list[tuple[str, ...]]:
        """The chosen category path of each photo, from the root to the leaf; empty for a photo without labels."""
        columns = [self.labels(level) for level in self.levels]
        if not columns:
            return [()] * len(self)
        return [path if path[0] is not None else () for path in zip(*columns, strict=True)]

    @property
    def answers(self) -> list[tuple[str, ...]]:
        """The answer for each photo: its path down to the deepest level that the model is confident of.

        It is empty if no level is confident. All code that shows, writes or serves an answer uses this.
        """
        return [path[:depth] for path, depth in zip(self.paths, self.confident_depth.tolist(), strict=True)]

    @property
    def answer_levels(self) -> list[str | None]:
        """The column of each answer's last label, None for an empty answer."""
        names = (None, *self.levels)
        return [names[depth] for depth in self.confident_depth.tolist()]

    def labels(self, column: str) -> list[str | None]:
        """Return the chosen label of each photo, None for a photo without labels; `KeyError` for an unknown column."""
        names = (*self.card.head(column).classes, None)  # NO_LABEL is the last one
        return [names[index] for index in self.label_indices[column].tolist()]

    def confidence(self, column: str) -> Floats:
        """Return the probability of each photo's chosen label, shape (n,); NaN for a photo without labels."""
        chosen = self.label_indices[column][:, None]
        return np.take_along_axis(self.probabilities[column], chosen, axis=1)[:, 0]

    def top_k(self, column: str, k: int = TOP_K) -> tuple[Ints, Floats]:
        """Return the class indices and probabilities of the candidates, each of shape (n, min(k, classes)).

        The chosen class comes first, then the most probable others. Photos without labels have `NO_LABEL` and NaN.
        Raises `UsageError` for k under 1.
        """
        if k < 1:
            raise UsageError(f"top_k is at least 1, not {k}")
        chosen, probabilities = self.label_indices[column], self.probabilities[column]
        ranked = rank(probabilities, chosen, k)
        values = np.take_along_axis(probabilities, ranked, axis=1)
        ranked[chosen == NO_LABEL] = NO_LABEL
        return ranked, values

    def rows(self, top_k: int = TOP_K) -> Iterator[Outcome]:
        """Yield a `Prediction` with `top_k` candidates for each column, or a `Failure`, for each photo in order."""
        by_column = {column: self._candidates(column, top_k) for column in self.columns}
        columns = zip(self.paths, self.answers, self.answer_levels, self.flags, strict=True)
        for position, (path, answer, level, flags) in enumerate(columns):
            name, reason = self.names[position], self.reasons[position]
            if reason is None:
                candidates = {column: rows[position] for column, rows in by_column.items()}
                yield Prediction(name, candidates, path, answer, level, flags)
            else:
                yield Failure(name, reason, self.details[position] or reason.explanation)

    def place(self, names: Sequence[str], errors: Sequence[PhotoError | None]) -> Predictions:
        """Return the predictions for all photos of a batch, given those for the photos that were decoded.

        `errors` has for each photo of the batch the reason why it could not be decoded, or None.
        """
        reasons = tuple(None if error is None else error.reason for error in errors)
        details = tuple(None if error is None else error.detail for error in errors)
        positions = np.flatnonzero([error is None for error in errors])
        placed = self
        if len(positions) < len(errors):
            arrays = _arrays_of(self).items()
            placed = _with_arrays(
                self,
                {key: _spread(values, positions, len(errors), _EMPTY.get(key[0])) for key, values in arrays},
            )
        return replace(placed, names=tuple(names), reasons=reasons, details=details)

    def to_arrow(self, top_k: int = 1) -> Any:  # noqa: ANN401 - pyarrow has no types
        """Return a `pyarrow.Table` with the columns of a table of labels, as `hangtag predict` writes them."""
        from hangtag.inference.frames import build_table  # noqa: PLC0415 - labelling a photo does not need Arrow

        return build_table(self, top_k)

    def to_pandas(self, top_k: int = 1) -> Any:  # noqa: ANN401 - pandas may not be installed
        """Return `to_arrow` as a pandas DataFrame. Raises `UsageError` if pandas is not installed."""
        _require("pandas")
        return self.to_arrow(top_k).to_pandas()

    def to_polars(self, top_k: int = 1) -> Any:  # noqa: ANN401 - polars may not be installed
        """Return `to_arrow` as a polars DataFrame. Raises `UsageError` if polars is not installed."""
        polars = _require("polars")
        return polars.from_arrow(self.to_arrow(top_k))

    def to_dicts(self, top_k: int = 1) -> list[dict[str, Any]]:
        """Return the rows of `to_arrow` as dictionaries."""
        rows: list[dict[str, Any]] = self.to_arrow(top_k).to_pylist()
        return rows

    def _candidates(self, column: str, top_k: int) -> list[tuple[Label, ...]]:
        classes = self.card.head(column).classes
        indices, values = self.top_k(column, top_k)
        return [
            tuple(Label(classes[index], value) for index, value in zip(row, confidences, strict=True))
            for row, confidences in zip(indices.tolist(), values.tolist(), strict=True)
        ]


def category_levels(card: Card) -> tuple[str, ...]:
    """Return the category levels that a model predicts, from the root to the leaf."""
    return tuple(column for column in CATEGORY_COLUMNS if column in card.columns)


def rank(
    probabilities: npt.NDArray[np.float32], chosen: npt.NDArray[np.int64], top_k: int
) -> npt.NDArray[np.int64]:
    """Return class indices, shape (n, min(top_k, classes)): the chosen one, then the most probable others."""
    order = np.array(probabilities)
    np.put_along_axis(order, chosen[:, None], np.inf, axis=1)
    return np.argsort(-order, axis=1, kind="stable")[:, :top_k]


def _arrays_of(predictions: Predictions) -> dict[tuple[str, str], _Array]:
    """Return every array by its field and, if the field has one per column, the column."""
    arrays: dict[tuple[str, str], _Array] = {}
    for column in predictions.columns:
        arrays["probabilities", column] = predictions.probabilities[column]
        arrays["label_indices", column] = predictions.label_indices[column]
    for column, values in predictions.logits.items():
        arrays["logits", column] = values
    for name in ("confident_depth", "flagged", "ood_score", "embedding", "appearance"):
        found = getattr(predictions, name)
        if found is not None:
            arrays[name, ""] = found
    return arrays


def _with_arrays(predictions: Predictions, arrays: Mapping[tuple[str, str], _Array]) -> Predictions:
    return replace(
        predictions,
        probabilities={column: arrays["probabilities", column] for column in predictions.columns},
        label_indices={column: arrays["label_indices", column] for column in predictions.columns},
        confident_depth=arrays["confident_depth", ""],
        flagged=arrays["flagged", ""],
        ood_score=arrays.get(("ood_score", "")),
        embedding=arrays.get(("embedding", "")),
        appearance=arrays.get(("appearance", "")),
        logits={column: arrays["logits", column] for column in predictions.logits},
    )


_EMPTY: Final[Mapping[str, float]] = {
    "probabilities": np.nan,
    "logits": np.nan,
    "label_indices": NO_LABEL,
    "ood_score": np.nan,
    "embedding": np.nan,
}
"""The values for a photo without labels in arrays where that is not zero."""


def _spread(values: _Array, positions: Ints, length: int, empty: float | None) -> _Array:
    """Return an array of `length` rows with the values at their positions."""
    spread = np.full((length, *values.shape[1:]), 0 if empty is None else empty, values.dtype)
    spread[positions] = values
    return spread


def _describe(row: Outcome) -> str:
    if isinstance(row, Failure):
        return f"{row.photo}: {row.detail}"
    chosen = (labels[0] for labels in row.candidates.values())
    return f"{row.photo}: " + ", ".join(f"{label.value} {label.confidence:.0%}" for label in chosen)


def _require(package: str) -> Any:  # noqa: ANN401 - a module
    from importlib import import_module  # noqa: PLC0415 - only where a table is asked for

    try:
        return import_module(package)
    except ImportError:
        raise UsageError(f"this needs {package}", fix=f"pip install {package}") from None
