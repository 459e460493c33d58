"""The tables of the jobs.

A job's photos are written when it comes and never change; its results are added as they are found. What is left to do
is therefore never stored: it is the photos that have no result.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from hangtag.domain.flags import Flag
from hangtag.store.database import Base, UtcTime
from hangtag.tables.cells import Column, Kind

_Number = BigInteger().with_variant(Integer, "sqlite")  # only an INTEGER counts up by itself there


class JobRow(Base):
    """A job. `number` counts up, so that the oldest goes first; `id` is what the API calls it.

    `carried` holds the columns of the table that came with the photos: a name and a kind, or a name alone in jobs of
    the first edition; `columns` reads it. `vocabulary` is what the model can answer,
    so that corrections and downloads need no model. `absent` counts the photos that the table names and that did not
    come; they are done, and failed, from the start. `worked_s` are the seconds spent on the others, over all restarts.
    """

    __tablename__ = "jobs"

    number: Mapped[int] = mapped_column(_Number, primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    title: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16), index=True)
    model_id: Mapped[str] = mapped_column(Text)
    model_name: Mapped[str] = mapped_column(Text)
    model_version: Mapped[str] = mapped_column(Text)
    model_sha256: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime] = mapped_column(UtcTime)
    started: Mapped[datetime | None] = mapped_column(UtcTime)
    finished: Mapped[datetime | None] = mapped_column(UtcTime)
    total: Mapped[int] = mapped_column(Integer)
    done: Mapped[int] = mapped_column(Integer)
    failed: Mapped[int] = mapped_column(Integer)
    absent: Mapped[int] = mapped_column(Integer)
    worked_s: Mapped[float] = mapped_column(Double)
    message: Mapped[str | None] = mapped_column(Text)
    carried: Mapped[list[Any]] = mapped_column(JSON, deferred=True)
    vocabulary: Mapped[dict[str, Any]] = mapped_column(JSON, deferred=True)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the table that came with the photos."""
        return tuple(
            Column(stored, Kind.WRITTEN) if isinstance(stored, str) else Column(stored[0], Kind[stored[1]])
            for stored in self.carried
        )


class PhotoRow(Base):
    """A photo of a job: what it is called, where it lies, and the row of the table that names it.

    `upload` is the number of an uploaded file, `entry` the index of an entry where that file is a zip. A photo that
    a row names and that did not come has neither.
    """

    __tablename__ = "job_photos"

    job: Mapped[int] = mapped_column(ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    upload: Mapped[int | None] = mapped_column(Integer)
    entry: Mapped[int | None] = mapped_column(Integer)
    carried: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))


class ResultRow(Base):
    """What came of a photo: an answer with the confidence of its leaf, or the reason why there is none.

    `answer` holds the candidates of each column as `[label, confidence]`, the chosen one first. `doubtful` counts the
    columns whose label is doubtful and was not yet corrected. `sure` counts the levels of the path that the model is
    sure of (NULL for a photo without labels, and for one of a job from before there were thresholds). `flags` is what
    `encode_flags` gives.
    """

    __tablename__ = "job_results"
    __table_args__ = (
        ForeignKeyConstraint(
            ["job", "position"], ["job_photos.job", "job_photos.position"], ondelete="CASCADE"
        ),
        Index("job_results_by_reason", "job", "reason", "position"),
        Index("job_results_by_doubt", "job", "doubtful", "position"),
        Index("job_results_by_confidence", "job", "confidence", "position"),
        Index("job_results_by_flags", "job", "flags", "position"),
    )

    job: Mapped[int] = mapped_column(_Number, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    reason: Mapped[str | None] = mapped_column(String(32))
    detail: Mapped[str | None] = mapped_column(Text)
    confidence: Mapped[float | None] = mapped_column(Double)
    doubtful: Mapped[int] = mapped_column(Integer)
    sure: Mapped[int | None] = mapped_column(Integer)
    flags: Mapped[int] = mapped_column(Integer)
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    corrections: Mapped[dict[str, str] | None] = mapped_column(JSON(none_as_null=True))


class LabelRow(Base):
    """One label of a photo, corrected where it was, with the model's confidence: to filter and count by."""

    __tablename__ = "job_labels"
    __table_args__ = (
        ForeignKeyConstraint(
            ["job", "position"], ["job_results.job", "job_results.position"], ondelete="CASCADE"
        ),
        Index("job_labels_by_label", "job", "column", "label", "confidence", "position"),
        {"sqlite_with_rowid": False},
    )

    job: Mapped[int] = mapped_column(_Number, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    column: Mapped[str] = mapped_column(Text, primary_key=True)
    label: Mapped[str] = mapped_column(Text)
    confidence: Mapped[float] = mapped_column(Double)


_BITS: Final = {
    Flag.NOT_A_PRODUCT: 1,
    Flag.BLANK: 2,
    Flag.TOO_SMALL: 4,
    Flag.TOO_DARK: 8,
    Flag.BLURRED: 16,
}
"""The flags as they are stored: what a bit means never changes."""


def encode_flags(flags: Iterable[Flag]) -> int:
    """Return flags as one number, 0 for none."""
    return sum(_BITS[flag] for flag in flags)


def decode_flags(number: int) -> tuple[Flag, ...]:
    """Return the flags that `encode_flags` made a number of."""
    return tuple(flag for flag, bit in _BITS.items() if number & bit)
