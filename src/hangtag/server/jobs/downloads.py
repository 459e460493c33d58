"""The results of a job as a file: CSV and JSON Lines while they are read, a workbook once it is put together."""

import io
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from sqlalchemy import Engine

from hangtag.domain.columns import LABEL_COLUMNS
from hangtag.domain.taxonomy import format_path
from hangtag.labelling.csv_table import CsvTable
from hangtag.labelling.jsonl_table import JsonlTable
from hangtag.labelling.layout import (
    ANSWER,
    ANSWER_LEVEL,
    FAILED,
    FLAGS,
    LABELLED,
    PATH,
    REASON,
    STATUS,
    Cell,
    Kind,
    Layout,
    Rows,
    candidates_of,
    confidence_of,
    name_beside,
)
from hangtag.labelling.xlsx_table import XlsxTable
from hangtag.server.jobs.labelling import STORED_CANDIDATES
from hangtag.server.jobs.stored import StoredResult, iter_results
from hangtag.server.jobs.tables import JobRow
from hangtag.server.jobs.vocabulary import Vocabulary

if TYPE_CHECKING:
    from hangtag.labelling.outputs import TableWriter

Format = Literal["csv", "xlsx", "jsonl"]

MEDIA_TYPES: Final[dict[Format, str]] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "jsonl": "application/x-ndjson",
}

CORRECTED: Final = "corrected"
"""The column that names the columns whose label a person said."""

WAITING: Final = "waiting"
"""The status of a photo that has no result: the job goes on, or was ended before."""

_PIECE_BYTES: Final = 256 * 1024


@dataclass(frozen=True)
class JobLayout(Layout):
    """The columns of a job's file: those that came with the photos, then the usual ones and which were corrected.

    A column that came is written with `(sent)` after its name where another has that name, in whatever capital letters.
    """

    carried: tuple[str, ...] = ()

    @property
    def kinds(self) -> dict[str, Kind]:
        """The kind of each column by its name, in the order of the table."""
        return dict.fromkeys(self.carried_names, Kind.TEXT) | self._usual

    @property
    def carried_names(self) -> list[str]:
        """What the columns that came with the photos are called in the file."""
        return name_beside(self.carried, self._usual, "sent")

    @property
    def _usual(self) -> dict[str, Kind]:
        kinds = dict(super().kinds)
        head = {name: kinds.pop(name) for name in (PATH, STATUS, REASON)}
        return {**head, CORRECTED: Kind.TEXT, **kinds}


def iter_download(engine: Engine, job: JobRow, kind: Format) -> Iterator[bytes]:
    """Yield the file of a job's results piece by piece. Corrected labels stand in the place of the model's."""
    layout = _layout(job, kind)
    if kind == "xlsx":
        yield from _iter_workbook(engine, job, layout)
        return
    piece = io.BytesIO()
    writer: TableWriter = CsvTable(piece, layout) if kind == "csv" else JsonlTable(piece, layout)
    for results in iter_results(engine, job):
        writer.write(build_rows(results, layout))
        yield _take(piece)
    writer.finish()
    yield _take(piece)


def build_rows(results: list[StoredResult], layout: JobLayout) -> Rows:
    """Return the rows of some results, column by column."""
    rows: Rows = {
        PATH: [result.name for result in results],
        STATUS: [_status(result) for result in results],
        REASON: [result.reason for result in results],
        CORRECTED: [", ".join(result.corrections) or None for result in results],
    }
    for position, name in enumerate(layout.carried_names):
        rows[name] = [result.carried[position] if result.carried else None for result in results]
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
        carried=tuple(job.carried),
    )


def _iter_workbook(engine: Engine, job: JobRow, layout: JobLayout) -> Iterator[bytes]:
    with tempfile.TemporaryFile() as file:
        writer = XlsxTable(file, layout)
        try:
            for results in iter_results(engine, job):
                writer.write(build_rows(results, layout))
        except BaseException:
            writer.discard()
            raise
        writer.finish()
        file.seek(0)
        while piece := file.read(_PIECE_BYTES):
            yield piece


def _take(piece: io.BytesIO) -> bytes:
    data = piece.getvalue()
    piece.seek(0)
    piece.truncate()
    return data


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
