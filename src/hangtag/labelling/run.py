"""One run: every photo of the inputs becomes its rows in the table, and the run its summary."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hangtag.bundle.card import Card
from hangtag.domain.errors import UsageError
from hangtag.inference.answering import AnsweringModel
from hangtag.labelling.inputs import PhotoWalk
from hangtag.labelling.label import iter_labelled
from hangtag.labelling.layout import Layout
from hangtag.labelling.outputs import TableWriter
from hangtag.labelling.rows import build_rows
from hangtag.labelling.summary import Summary


def ignore_progress(_done: int) -> None:
    """Show nothing."""


@dataclass(frozen=True, slots=True)
class Labeller:
    """Labels photos with one model or several, given by name.

    `top_k` candidates are written for each label; `threads` decode photos beside the models.
    """

    models: Mapping[str, AnsweringModel]
    top_k: int = 1
    threads: int = 2

    @property
    def cards(self) -> dict[str, Card]:
        """The models' cards by name."""
        return {name: model.card for name, model in self.models.items()}

    @property
    def layout(self) -> Layout:
        """The columns of the table that is written."""
        return Layout.for_models(self.cards, self.top_k)

    def label(
        self, walk: PhotoWalk, writer: TableWriter, on_progress: Callable[[int], None] = ignore_progress
    ) -> Summary:
        """Write the rows of all photos of a walk, and return what they come to.

        `on_progress` is called with the number of photos just done. Raises `UsageError` when the inputs hold no photo
        at all.
        """
        summary, started = Summary(), time.perf_counter()
        cards, layout = self.cards, self.layout
        for batch in iter_labelled(walk, list(self.models.values()), self.threads):
            writer.write(build_rows(batch, cards, layout))
            summary.add(batch, cards)
            on_progress(len(batch.names))
        if not summary.photos:
            raise UsageError("there is no photo in what was named", fix=_what_was_there(walk.other_files))
        summary.other_files = walk.other_files
        summary.seconds = time.perf_counter() - started
        return summary


def _what_was_there(other_files: int) -> str:
    if not other_files:
        return "Name photos, or folders that hold some."
    files = "one file" if other_files == 1 else f"{other_files:,} files"
    return f"There {'is' if other_files == 1 else 'are'} {files} with other endings; name a file to try it anyway."
