"""The client: one method for each operation of the service."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Literal, Self

import httpx
from pydantic import TypeAdapter

from hangtag.client.batches import BatchCalls
from hangtag.client.connection import Connection
from hangtag.client.values import (
    Comparison,
    ExplainedPhoto,
    ExplanationAnswer,
    FailedPhoto,
    Job,
    JobPage,
    JobResult,
    JobResults,
    Model,
    Models,
    Predictions,
    Taxonomy,
)
from hangtag.domain.durable import replacing
from hangtag.domain.errors import ServiceError, UsageError

GivenPhoto = str | Path | bytes
"""A path of a photo, or its bytes."""

TOKEN_VARIABLE: Final = "HANGTAG_TOKEN"  # noqa: S105 - the name of a variable
"""The environment variable of the token to send."""

_QUIET_S: Final = 60.0
"""The event stream of a job sends something at least every 15 seconds; longer silence means a lost connection."""

_PASSING: Final = (None, HTTPStatus.SERVICE_UNAVAILABLE)
"""The status of a service that is restarting: no response, or busy."""

_PAUSE_S: Final = 1.0
_PAGE: Final = 500
_FORMATS: Final = ("csv", "xlsx", "jsonl")
_READ_JOB: Final = TypeAdapter(Job)


class Client(BatchCalls):
    """A client for a service.

    `token` is one of the service's, where it has accounts; by default the environment variable `HANGTAG_TOKEN`. Where
    it has none, `user` is the name under which decisions are kept. `timeout_s` limits each call. `attempts` is how
    often a call is sent while the service is busy. Every method raises `ServiceError` if the service cannot be reached
    or returns a problem.
    """

    def __init__(  # noqa: PLR0913 - what a person may choose is a keyword of its own
        self,
        base_url: str = "http://127.0.0.1:8080",
        *,
        user: str | None = None,
        token: str | None = None,
        timeout_s: float = 60.0,
        attempts: int = 4,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.user = user
        secret = token or os.environ.get(TOKEN_VARIABLE) or None
        self._connection = Connection(
            base_url, max(1, attempts), secret, timeout=timeout_s, transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def predict(
        self,
        photos: Sequence[GivenPhoto],
        *,
        model: str | None = None,
        top_k: int = 5,
        probabilities: bool = False,
    ) -> Predictions:
        """Label photos. The predictions are in the same order. Photos given as bytes are named `photo 1` and so on.

        Raises `UsageError` for a single photo instead of a list, and `OSError` for a file that cannot be read.
        """
        if isinstance(photos, str | Path | bytes):
            raise UsageError("predict takes a list of photos", fix="Write predict([photo]).")
        fields = _known(model=model, top_k=str(top_k), probabilities=str(probabilities).lower())
        files = [("photos", _name_and_bytes(photo, position)) for position, photo in enumerate(photos, 1)]
        return self._connection.call(Predictions, "POST", "/predictions", data=fields, files=files)

    def explain(
        self, photo: GivenPhoto, *, model: str | None = None, columns: Sequence[str] = ()
    ) -> ExplainedPhoto | FailedPhoto:
        """Return pictures of what the model looked at, for the usual columns or for those given.

        Returns a `FailedPhoto` if the photo cannot be decoded. Raises `OSError` for a file that cannot be read.
        """
        fields = _known(model=model) | {"columns": list(columns)}
        files = {"photo": _name_and_bytes(photo, 1)}
        return self._connection.call(
            ExplanationAnswer,  # type: ignore[arg-type]  # an annotated union is no class, and pydantic reads it
            "POST",
            "/explanations",
            data=fields,
            files=files,
        )

    def compare(
        self, photo: GivenPhoto, *, models: Sequence[str] | None = None, top_k: int = 5
    ) -> Comparison:
        """Label one photo with several models, or with all of them."""
        fields = _known(models=models, top_k=str(top_k))
        files = {"photo": _name_and_bytes(photo, 1)}
        return self._connection.call(Comparison, "POST", "/predictions/compare", data=fields, files=files)

    def models(self) -> list[Model]:
        """List the models, the default one first."""
        return list(self._connection.call(Models, "GET", "/models").models)

    def taxonomy(self, model: str | None = None) -> Taxonomy:
        """Return the labels of a model and its category paths."""
        return self._connection.call(Taxonomy, "GET", "/taxonomy", params=_known(model=model))

    def create_job(
        self, files: Sequence[str | Path], *, model: str | None = None, title: str | None = None
    ) -> Job:
        """Start a job from photos, zip files of photos, and one CSV or XLSX table that lists them.

        Raises `OSError` for a file that cannot be read.
        """
        with ExitStack() as stack:
            opened = [
                ("files", (Path(path).name, stack.enter_context(Path(path).open("rb")))) for path in files
            ]
            fields = _known(model=model, title=title)
            response = self._connection.send("POST", "/jobs", once=True, data=fields, files=opened)
        return _READ_JOB.validate_json(response.content)

    def job(self, job_id: str) -> Job:
        """Return a job with its progress."""
        return self._connection.call(Job, "GET", f"/jobs/{job_id}")

    def jobs(self, *, offset: int = 0, limit: int = 50) -> list[Job]:
        """List the jobs, newest first."""
        page = self._connection.call(JobPage, "GET", "/jobs", params={"offset": offset, "limit": limit})
        return list(page.jobs)

    def wait(self, job_id: str, on_progress: Callable[[Job], None] = lambda _job: None) -> Job:
        """Wait until a job has ended and return it. Survives a restart of the service."""
        silent_since = time.monotonic()
        while True:
            try:
                for job in self._iter_states(job_id):
                    silent_since = time.monotonic()
                    on_progress(job)
                    if job.has_ended:
                        return job
            except ServiceError as error:
                if error.status not in _PASSING or time.monotonic() - silent_since > _QUIET_S:
                    raise
            time.sleep(_PAUSE_S)

    def results(self, job_id: str, *, offset: int = 0, limit: int = 50, **filters: Any) -> JobResults:  # noqa: ANN401 - text or number
        """Return a page of a job's results, optionally filtered.

        The filters are `column`, `label`, `min_confidence`, `max_confidence`, `status` (labelled, failed, doubtful,
        category, attributes or flagged) and `sort` (position or confidence).
        """
        params = _known(offset=offset, limit=limit, **filters)
        return self._connection.call(JobResults, "GET", f"/jobs/{job_id}/results", params=params)

    def iter_results(self, job_id: str, **filters: Any) -> Iterator[JobResult]:  # noqa: ANN401 - as above
        """Yield all results of a job, optionally filtered, fetching one page at a time."""
        offset = 0
        while True:
            page = self.results(job_id, offset=offset, limit=_PAGE, **filters)
            yield from page.results
            offset += len(page.results)
            if not page.results or offset >= page.total:
                return

    def correct(self, job_id: str, position: int, labels: dict[str, str]) -> JobResult:
        """Correct or confirm the labels of a photo, by column."""
        return self._connection.call(
            JobResult,  # type: ignore[arg-type]  # an annotated union is no class, and pydantic reads it
            "PATCH",
            f"/jobs/{job_id}/results/{position}",
            json={"labels": labels},
        )

    def download(
        self, job_id: str, path: str | Path, kind: Literal["csv", "xlsx", "jsonl"] | None = None
    ) -> Path:
        """Download a job's results to a file. Its format is `kind`, or the ending of its name.

        A failed download leaves no file. Raises `UsageError` for another ending, and `OSError` if the file cannot be
        written.
        """
        target = Path(path)
        format_ = kind or target.suffix.removeprefix(".").lower()
        if format_ not in _FORMATS:
            raise UsageError("results can be downloaded as .csv, .xlsx or .jsonl", where=target)
        with (
            replacing(target) as temporary,
            self._connection.stream(f"/jobs/{job_id}/download", params={"format": format_}) as response,
            temporary.open("wb") as file,
        ):
            for piece in response.iter_bytes():
                file.write(piece)
        return target

    def cancel(self, job_id: str) -> Job:
        """Stop a job. Its results so far are kept."""
        return self._connection.call(Job, "POST", f"/jobs/{job_id}/cancel")

    def delete(self, job_id: str) -> None:
        """Delete a job that has ended, with its photos and results."""
        self._connection.send("DELETE", f"/jobs/{job_id}")

    def _iter_states(self, job_id: str) -> Iterator[Job]:
        """Yield the states of a job from its event stream, until the job or the connection ends."""
        with self._connection.stream(f"/jobs/{job_id}/events", timeout_s=_QUIET_S) as response:
            for line in response.iter_lines():
                name, _, value = line.partition(":")
                if name == "data":
                    yield _READ_JOB.validate_json(value)


def _known(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - what a form or a query can say
    """Return the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def _name_and_bytes(photo: GivenPhoto, position: int) -> tuple[str, bytes]:
    if isinstance(photo, bytes):
        return f"photo {position}", photo
    return Path(photo).name, Path(photo).read_bytes()
