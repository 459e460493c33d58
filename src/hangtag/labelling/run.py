"""One run: labels every photo of the inputs, writes the rows, and returns a summary."""

import contextlib
import time
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from hangtag.bundle.card import Card
from hangtag.domain.columns import ANSWER_LEVEL, CATEGORY_COLUMNS, FLAGS, MODEL, REASON, STATUS, confidence_of
from hangtag.domain.errors import UsageError
from hangtag.domain.prediction import Flag
from hangtag.domain.reasons import Reason
from hangtag.inference.predicting import DecodeSettings, Predictor, predict_photos
from hangtag.inference.predictions import Predictions
from hangtag.labelling.inputs.photo import InputPhoto, PhotoInput
from hangtag.labelling.inputs.prefetch import FetchingAhead
from hangtag.labelling.outputs import Layout, build_rows
from hangtag.tables.cells import Cell, Kind
from hangtag.tables.writing import Rows, TableWriter

if TYPE_CHECKING:
    from hangtag.labelling.job import Job

BANDS: Final = (0.0, 0.5, 0.7, 0.9)
"""The start of each band of confidence. It ends where the next one starts, and the last ends at 1."""


@dataclass
class Summary:
    """Counts over the rows of a table.

    An earlier run finished `photos_before` of the photos. `labels` counts by model and column. `bands` counts by model
    the photos in each of `BANDS`, by the confidence of the deepest category level. `answers` counts by model the levels
    at which answers end (None for an empty answer), and `flags` by model the flags.
    """

    layout: Layout
    photos: int = 0
    photos_before: int = 0
    reasons: Counter[Reason] = field(default_factory=Counter)
    labels: dict[str, dict[str, Counter[str]]] = field(default_factory=dict)
    bands: dict[str, list[int]] = field(default_factory=dict)
    answers: dict[str, Counter[str | None]] = field(default_factory=dict)
    flags: dict[str, Counter[Flag]] = field(default_factory=dict)
    other_files: int = 0
    seconds: float = 0.0

    @property
    def failed(self) -> int:
        """How many photos have no labels."""
        return self.reasons.total()

    @property
    def labelled(self) -> int:
        """How many photos have labels."""
        return self.photos - self.failed

    @property
    def images_per_second(self) -> float:
        """The speed of this run, including failed photos, from the first file read to the last row written."""
        return (self.photos - self.photos_before) / self.seconds if self.seconds else 0.0

    @property
    def categories(self) -> dict[str, Counter[str]]:
        """The labels that each model gave at its highest category level, or in its first column if it has no levels."""
        order = dict.fromkeys((*CATEGORY_COLUMNS, *self.layout.label_columns))
        return {
            model: next((labels[column] for column in order if labels.get(column)), Counter())
            for model, labels in self.labels.items()
        }

    @property
    def deepest_column(self) -> str:
        """The column whose confidence is counted: the deepest category level, or the first column without levels."""
        levels = [column for column in CATEGORY_COLUMNS if column in self.layout.answered]
        return levels[-1] if levels else self._answered[0]

    @property
    def columns(self) -> list[str]:
        """The columns that rows need in order to be counted."""
        model = [MODEL] if self.layout.compares_models else []
        confidence = confidence_of(self.deepest_column)
        return [*model, STATUS, REASON, *self._answered, confidence, ANSWER_LEVEL, FLAGS]

    def add(self, rows: Rows) -> None:
        """Count rows. Those of one photo, one per model, must come together."""
        models = len(self.layout.models)
        self.photos += len(rows[STATUS]) // models
        self.reasons.update(Reason(str(reason)) for reason in rows[REASON][::models] if reason is not None)
        for position, model in enumerate(self.layout.models):
            labels = self.labels.setdefault(model, defaultdict(Counter))
            for column in self._answered:
                labels[column].update(_present(rows[column][position::models]))
            bands = self.bands.setdefault(model, [0] * len(BANDS))
            for confidence in rows[confidence_of(self.deepest_column)][position::models]:
                if isinstance(confidence, float):
                    bands[bisect_right(BANDS, confidence) - 1] += 1
            self._count_answers(model, {name: rows[name][position::models] for name in (ANSWER_LEVEL, FLAGS)})

    def _count_answers(self, model: str, rows: Rows) -> None:
        answers, flags = self.answers.setdefault(model, Counter()), self.flags.setdefault(model, Counter())
        for level, found in zip(rows[ANSWER_LEVEL], rows[FLAGS], strict=True):
            if isinstance(found, tuple):  # without labels there are no flags, not even an empty list
                answers[None if level is None else str(level)] += 1
                flags.update(map(Flag, found))

    def to_json(self) -> dict[str, Any]:
        """Return all counts as JSON values."""
        return {
            "photos": self.photos,
            "photos_before": self.photos_before,
            "labelled": self.labelled,
            "failed": self.failed,
            "reasons": {reason.value: count for reason, count in self.reasons.most_common()},
            "other_files": self.other_files,
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.images_per_second, 1),
            "models": {model: self._model_to_json(model) for model in self.labels},
        }

    def _model_to_json(self, model: str) -> dict[str, Any]:
        bands = zip(BANDS, (*BANDS[1:], 1.0), self.bands[model], strict=True)
        return {
            "labels": {column: dict(counts.most_common()) for column, counts in self.labels[model].items()},
            "answers": {level or "none": count for level, count in self.answers[model].most_common()},
            "flags": {flag.value: count for flag, count in self.flags[model].most_common()},
            "confidence": {
                "column": self.deepest_column,
                "bands": [{"from": low, "to": high, "photos": count} for low, high, count in bands],
            },
        }

    @property
    def _answered(self) -> list[str]:
        return [column for column in self.layout.label_columns if column in self.layout.answered]


def _present(cells: list[Cell]) -> list[str]:
    return [str(cell) for cell in cells if cell is not None]


OnProgress = Callable[[int, int], None]
"""Called with the number of photos just done, and how many of them failed."""


Pipeline = Callable[[Iterable[InputPhoto]], Generator[tuple[Predictions, ...]]]
"""Labels photos batch by batch, in order, as `predict_photos` does. Closing it releases its resources."""


def ignore_progress(_done: int, _failed: int) -> None:
    """Show nothing."""


@dataclass(frozen=True, slots=True)
class Labeller:
    """Labels photos with one or more models, given by name.

    `top_k` candidates are written for each label. `threads` threads decode photos. `given` are the columns that come
    with the photos. `pipeline` labels elsewhere with the same models (None: in this process).
    """

    models: Mapping[str, Predictor]
    top_k: int = 1
    threads: int = 2
    given: tuple[tuple[str, Kind], ...] = ()
    pipeline: Pipeline | None = None

    @property
    def cards(self) -> dict[str, Card]:
        """The models' cards by name."""
        return {name: model.card for name, model in self.models.items()}

    @property
    def layout(self) -> Layout:
        """The columns of the table that is written."""
        return Layout.for_models(self.cards, self.top_k, self.given)

    def label(
        self, walk: PhotoInput, writer: TableWriter, on_progress: OnProgress = ignore_progress
    ) -> Summary:
        """Write the rows of all photos of a walk, and return their summary.

        Raises `UsageError` if the inputs hold no photos.
        """
        summary = Summary(self.layout)
        self._write_rows(walk, writer, on_progress, summary)
        return _complete(summary, walk)

    def resume(self, walk: PhotoInput, job: "Job", on_progress: OnProgress = ignore_progress) -> Summary:
        """Write the rows of the photos that a job has not finished, and return the summary of all its photos.

        Raises `UsageError` if there are no photos, neither in the inputs nor in the job.
        """
        summary = Summary(self.layout)
        for rows in job.iter_rows(summary.columns):
            summary.add(rows)
        summary.photos_before = summary.photos
        self._write_rows(job.iter_unfinished(walk), job, on_progress, summary)
        return _complete(summary, walk)

    def _write_rows(
        self, photos: Iterable[InputPhoto], writer: TableWriter, on_progress: OnProgress, summary: Summary
    ) -> None:
        started = time.perf_counter()
        layout = self.layout
        with contextlib.closing((self.pipeline or self._label_here)(photos)) as batches:
            for batch in batches:
                rows = build_rows(batch, layout)
                writer.write(rows)
                summary.add(rows)
                on_progress(len(batch[0]), len(batch[0]) - int(batch[0].is_labelled.sum()))
        summary.seconds = time.perf_counter() - started

    def _label_here(self, photos: Iterable[InputPhoto]) -> Generator[tuple[Predictions, ...]]:
        settings = DecodeSettings(self.threads)
        return predict_photos(photos, list(self.models.values()), settings, FetchingAhead())


def _complete(summary: Summary, walk: PhotoInput) -> Summary:
    if not summary.photos:
        raise UsageError("there are no photos in the inputs", fix=_what_was_there(walk.other_files))
    summary.other_files = walk.other_files
    return summary


def _what_was_there(other_files: int) -> str:
    if not other_files:
        return "Pass photos, or folders with photos."
    files = "one file" if other_files == 1 else f"{other_files:,} files"
    there = f"There {'is' if other_files == 1 else 'are'} {files} with other extensions"
    return f"{there}; pass a file by name to try it anyway."
