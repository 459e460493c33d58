"""One run: labels every photo of the inputs, writes its rows, and returns a summary."""

import contextlib
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hangtag.bundle.card import Card
from hangtag.domain.errors import UsageError
from hangtag.inference.predicting import DecodeSettings, Predictor, predict_photos
from hangtag.inference.predictions import Predictions
from hangtag.labelling.inputs.photo import InputPhoto, PhotoInput
from hangtag.labelling.inputs.prefetch import FetchingAhead
from hangtag.labelling.outputs import Layout, build_rows
from hangtag.labelling.summary import Summary
from hangtag.tables.cells import Kind
from hangtag.tables.writing import TableWriter

if TYPE_CHECKING:
    from hangtag.labelling.job import Job

OnProgress = Callable[[int, int], None]
"""Called with the number of photos just done, and how many of them failed."""


Pipeline = Callable[[Iterable[InputPhoto]], Generator[tuple[Predictions, ...]]]
"""Labels photos batch by batch, in order, as `predict_photos` does; lets go of everything when it is closed."""


def ignore_progress(_done: int, _failed: int) -> None:
    """Show nothing."""


@dataclass(frozen=True, slots=True)
class Labeller:
    """Labels photos with one model or several, given by name.

    `top_k` candidates are written for each label; `threads` decode photos next to the models; `given` are the columns
    that come with the photos. `pipeline` labels them elsewhere with the same models, None here.
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

        Raises `UsageError` if the inputs hold no photo at all.
        """
        summary = Summary(self.layout)
        self._write_rows(walk, writer, on_progress, summary)
        return _complete(summary, walk)

    def resume(self, walk: PhotoInput, job: "Job", on_progress: OnProgress = ignore_progress) -> Summary:
        """Write the rows of the photos that a job has not finished, and return the summary of all its photos.

        Raises `UsageError` if there is no photo at all, neither in the inputs nor in the job.
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
    return f"There {'is' if other_files == 1 else 'are'} {files} with other endings; name a file to try it anyway."
