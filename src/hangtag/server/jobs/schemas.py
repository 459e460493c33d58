"""What the API says of jobs, as types."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from hangtag.domain.flags import Flag
from hangtag.server.schemas import FailedPhoto, LabelledPhoto, ModelName, Schema

JobState = Literal["queued", "running", "done", "cancelled", "failed"]


class Job(Schema):
    """A batch of photos that is labelled in the background. `message` says why it failed, or what was left out."""

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
    """What a job came to.

    `by_confidence` are ten bins of the leaf's confidence: [lower bound, count]. `by_answer` counts the levels that the
    sure part of the path ends at, null where no level is sure.
    """

    by_class: dict[str, list[tuple[str, int]]]
    by_reason: list[tuple[str, int]]
    by_answer: list[tuple[str | None, int]]
    by_flag: list[tuple[Flag, int]]
    by_confidence: list[tuple[float, int]]


class JobDetail(Job):
    """A job and what it came to so far."""

    summary: JobSummary


class JobList(Schema):
    """A page of the jobs, the newest first."""

    jobs: list[Job]
    total: int


class LabelledResult(LabelledPhoto):
    """The label of a job's photo. `row` are the columns carried from the job's table, `corrections` a person's."""

    position: int
    row: dict[str, str] | None = None
    corrections: dict[str, str] = Field(default={})


class FailedResult(FailedPhoto):
    """Why a job's photo has no label."""

    position: int
    row: dict[str, str] | None = None


JobResult = Annotated[LabelledResult | FailedResult, Field(discriminator="status")]


class JobResults(Schema):
    """A page of the results that were asked for; `total` counts them all."""

    total: int
    results: list[JobResult]


class Correction(Schema):
    """What a person says instead, by column. The labels must exist, and those of the category form a path."""

    labels: Annotated[dict[str, str], Field(min_length=1)]
