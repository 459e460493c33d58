"""The results of a job as a file: CSV and JSON Lines while they are read, a workbook once it is put together."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

from sqlalchemy import Engine

from hangtag.domain.columns import (
    ANSWER,
    ANSWER_LEVEL,
    FAILED,
    FLAGS,
    LABEL_COLUMNS,
    LABELLED,
    PATH,
    REASON,
    STATUS,
    candidates_of,
    confidence_of,
)
from hangtag.domain.taxonomy import format_path
from hangtag.labelling.layout import Layout
from hangtag.server.jobs.labelling import STORED_CANDIDATES
from hangtag.server.jobs.stored import StoredResult, iter_results
from hangtag.server.jobs.tables import JobRow
from hangtag.store.vocabulary import Vocabulary
from hangtag.tables import writing
from hangtag.tables.cells import Cell, Column, Kind, name_beside, parse_value
from hangtag.tables.writing import Rows, render

Format = Literal["csv", "xlsx", "jsonl"]

MEDIA_TYPES: Final[dict[Format, str]] = {name: writing.MEDIA_TYPES[name] for name in get_args(Format)}

CORRECTED: Final = "corrected"
"""The column that names the columns whose label a person said."""

WAITING: Final = "waiting"
"""The status of a photo that has no result: the job is still running, or was stopped before it."""


@dataclass(frozen=True)
class JobLayout(Layout):
    """The columns of a job's file: those that came with the photos, then the usual ones and which were corrected.

    A column that came is written with `(sent)` after its name where another has that name, in whatever capital letters.
    """

    sent: tuple[Column, ...] = ()

    @property
    def kinds(self) -> dict[str, Kind]:
        """The kind of each column by its name, in the order of the table."""
        return dict(zip(self.sent_names, (column.kind for column in self.sent), strict=True)) | self._usual

    @property
    def sent_names(self) -> list[str]:
        """What the columns that came with the photos are called in the file."""
        return name_beside([column.name for column in self.sent], self._usual, "sent")

    @property
    def _usual(self) -> dict[str, Kind]:
        kinds = dict(super().kinds)
        head = {name: kinds.pop(name) for name in (PATH, STATUS, REASON)}
        return {**head, CORRECTED: Kind.TEXT, **kinds}


def iter_download(engine: Engine, job: JobRow, kind: Format) -> Iterator[bytes]:
    """Yield the file of a job's results piece by piece. Corrected labels stand in the place of the model's."""
    layout = _layout(job, kind)
    return render(layout.kinds, (build_rows(results, layout) for results in iter_results(engine, job)), kind)


def build_rows(results: list[StoredResult], layout: JobLayout) -> Rows:
    """Return the rows of some results, column by column."""
    rows: Rows = {
        PATH: [result.name for result in results],
        STATUS: [_status(result) for result in results],
        REASON: [result.reason for result in results],
        CORRECTED: [", ".join(result.corrections) or None for result in results],
    }
    for position, (name, sent) in enumerate(zip(layout.sent_names, layout.sent, strict=True)):
        texts = (result.carried[position] if result.carried else "" for result in results)
        rows[name] = [parse_value(text, sent.kind) for text in texts]
    chosen = [result.chosen for result in results]
    for column in layout.label_columns:
        cells = [
            _label(labels.get(column), result.corrections.get(column))
            for labels, result in zip(chosen, results, strict=True)
        ]
        rows[column] = [label for label, _ in cells]
        rows[confidence_of(column)] = [confidence for _, confidence in cells]
        if layout.top_k > 1:
            rows[candidates_of(column)] = [_candidates(result, column) for result in results]
    answers = [result.confident_path for result in results]
    rows[ANSWER] = [format_path(list(answer.values())) or None for answer in answers]
    rows[ANSWER_LEVEL] = [next(reversed(answer), None) for answer in answers]
    rows[FLAGS] = [result.flags if result.answer else None for result in results]
    return rows


def _layout(job: JobRow, kind: Format) -> JobLayout:
    answered = Vocabulary.from_json(job.vocabulary).columns
    others = tuple(column for column in answered if column not in LABEL_COLUMNS)
    return JobLayout(
        LABEL_COLUMNS + others,
        frozenset(answered),
        (job.model_id,),
        top_k=STORED_CANDIDATES if kind == "jsonl" else 1,
        sent=job.columns,
    )


def _status(result: StoredResult) -> str:
    if result.is_waiting:
        return WAITING
    return LABELLED if result.reason is None else FAILED


def _label(chosen: tuple[str, float] | None, corrected: str | None) -> tuple[Cell, Cell]:
    """Return the label that stands, and the model's confidence in it; it has none in what a person said instead."""
    if corrected is not None and (chosen is None or corrected != chosen[0]):
        return corrected, None
    return chosen or (None, None)


def _candidates(result: StoredResult, column: str) -> Cell:
    ranked = result.answer["candidates"].get(column) if result.answer else None
    return None if ranked is None else [(label, confidence) for label, confidence in ranked]
