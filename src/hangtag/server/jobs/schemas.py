"""The jobs of the API, as types."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from hangtag.domain.flags import Flag
from hangtag.server.schemas import FailedPhoto, LabelledPhoto, ModelName, Schema

JobState = Literal["queued", "running", "done", "cancelled", "failed"]


class Job(Schema):
    """A batch of photos that is labelled in the background. `message` says why it failed or what was skipped."""

    id: str
    title: str
    state: JobState
    model: ModelName
    created: datetime
    started: datetime | None
    finished: datetime | None
    total: int
    done: int
    failed: int
    images_per_s: float | None
    seconds_left: float | None
    message: str | None


class JobSummary(Schema):
    """The summary of a job.

    `by_class`, `by_reason` and `by_flag` count photos. `by_answer` counts at which level the answers end; null stands
    for photos without an answer. `by_confidence` has ten bins of the leaf's confidence as [lower bound, count].
    """

    by_class: dict[str, list[tuple[str, int]]]
    by_reason: list[tuple[str, int]]
    by_answer: list[tuple[str | None, int]]
    by_flag: list[tuple[Flag, int]]
    by_confidence: list[tuple[float, int]]


class JobDetail(Job):
    """A job with its summary so far."""

    summary: JobSummary


class JobList(Schema):
    """A page of the jobs, the newest first."""

    jobs: list[Job]
    total: int


class LabelledResult(LabelledPhoto):
    """The labels of a job's photo.

    `path`, `answer` and `doubtful` include `corrections`, the labels that a person set; `labels` are the model's.
    `row` has the columns of the job's table.
    """

    position: int
    row: dict[str, str] | None = None
    corrections: dict[str, str] = Field(default={})


class FailedResult(FailedPhoto):
    """A job's photo that could not be labelled, and why."""

    position: int
    row: dict[str, str] | None = None


JobResult = Annotated[LabelledResult | FailedResult, Field(discriminator="status")]


class JobResults(Schema):
    """A page of results. `total` counts all that match."""

    total: int
    results: list[JobResult]


class Correction(Schema):
    """Corrected labels by column. Each must be a class of the model, and category labels must form a path."""

    labels: Annotated[dict[str, str], Field(min_length=1)]
