"""The worker: one thread that labels the jobs, oldest first, and resumes where the last process stopped."""

import logging
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Final

import numpy as np
from sqlalchemy.exc import SQLAlchemyError

from hangtag.domain.errors import BundleError, HangtagError
from hangtag.inference.model import Model, load_model
from hangtag.server.answers import doubt_thresholds
from hangtag.server.jobs.events import JobEvents
from hangtag.server.jobs.folder import JobFolders
from hangtag.server.jobs.labelling import JobLabeller, iter_waiting, lost_uploads
from hangtag.server.jobs.schemas import Job, JobState
from hangtag.server.jobs.store import JobStore, NewResults, WaitingPhoto
from hangtag.server.jobs.tables import JobRow
from hangtag.server.models import ModelRegistry, RegisteredModel
from hangtag.server.settings import Settings

_NICENESS: Final = 10


class JobModels:
    """Loads models for jobs with engines whose threads have a low priority, and keeps the last one.

    A thread inherits the priority of the thread that starts it and can never raise it. So a short-lived thread of low
    priority starts the engine. The worker itself keeps the normal priority: it sometimes holds the GIL, and a
    low-priority thread that holds the GIL would block everyone else.
    """

    def __init__(self, registry: ModelRegistry, settings: Settings) -> None:
        self._registry = registry
        self._settings = settings
        self._model: Model | None = None
        self._lock = threading.Lock()

    def load(self, id_: str) -> Model:
        """Return the model with an id; raises `ModelNotFoundError` or `BundleError`."""
        registered = self._registry.card(id_)
        with self._lock:  # the workers of jobs and of batches share the model
            if self._model is None or self._model.sha256 != registered.sha256:
                with ThreadPoolExecutor(1, "load-for-jobs", _give_way) as threads:
                    self._model = threads.submit(self._start, registered).result()
            return self._model

    def _start(self, registered: RegisteredModel) -> Model:
        model = load_model(
            registered.path, precision=self._settings.precision, threads=self._settings.threads
        )
        size = model.card.preprocessing
        # The engine starts its threads with the first full batch.
        model.run(np.zeros((model.engine.batch_size, size.height, size.width, 3), np.uint8))
        return model


def _give_way() -> None:
    """Lower the priority of this thread and of those it starts. Only Linux has one for each thread."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


_log = logging.getLogger(__name__)

COMMIT_S: Final = 0.2
"""How long results are gathered before they are stored."""

_FETCHED_PHOTOS: Final = 500
_SECONDS_AFTER_A_FAULT: Final = 5.0


class JobFolderError(HangtagError):
    """The uploaded files of a job can no longer be read."""


class JobRunner:
    """Labels the jobs of a store in a thread of its own. `load(id)` loads a model in that thread."""

    def __init__(
        self,
        store: JobStore,
        folders: JobFolders,
        events: JobEvents,
        settings: Settings,
        load: Callable[[str], Model],
    ) -> None:
        self._store = store
        self._folders = folders
        self._events = events
        self._settings = settings
        self._load = load
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Signal that there is a new job."""
        self._wake.set()

    def stop(self) -> None:
        """Finish and store the current batch, then end the thread. Unfinished jobs resume at the next start."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            self._wake.clear()
            if (
                self._stopping.is_set()
            ):  # checked after clear(): an earlier stop is seen here, a later one wakes the thread
                return
            try:
                job = self._store.next_to_run()
                if job is None:
                    self._wake.wait()
                else:
                    self._run_job(job)
            except Exception:  # noqa: BLE001 - no error of one job may stop the others
                # The database itself failed, most likely because the disk is full. The job is retried.
                _log.exception("jobs are waiting because the database cannot be used")
                self._stopping.wait(_SECONDS_AFTER_A_FAULT)

    def _run_job(self, job: JobRow) -> None:
        """Label the rest of a job. An error becomes the job's message."""
        try:
            if self._publish(self._store.start(job.number)) and self._label(job):
                self._end(job, "done")
        except HangtagError as error:
            self._end(job, "failed", error.problem)
        except (OSError, SQLAlchemyError) as error:
            _log.exception("job %s failed", job.id)
            self._end(job, "failed", f"the results could not be stored ({_cause(error)})")
        except Exception:  # noqa: BLE001 - as above
            _log.exception("job %s failed unexpectedly", job.id)
            self._end(job, "failed", "something went wrong in the service; its log has the details")

    def _label(self, job: JobRow) -> bool:
        """Label the rest of a job. Return False if the job or the service was stopped before the end."""
        if not self._folders.is_readable(job.id):
            raise JobFolderError("the uploaded photos no longer exist")
        labeller = self._labeller(job)

        def fetch(after: int) -> list[WaitingPhoto]:
            return self._store.waiting_photos(job.number, after, _FETCHED_PHOTOS)

        gathered = NewResults([], [], 0.0)
        photos = iter_waiting(fetch, self._folders, job.id)
        with closing(labeller.iter_results(photos)) as batches:
            for new in batches:
                if lost_uploads(new) and not self._folders.is_readable(job.id):
                    raise JobFolderError("the uploaded photos no longer exist")
                gathered = gathered.joined(new)
                stopping = self._stopping.is_set()
                if gathered.seconds >= COMMIT_S or stopping:
                    if not self._publish(self._store.add_results(job.number, gathered)) or stopping:
                        return False
                    gathered = NewResults([], [], 0.0)
        return not gathered.results or self._publish(self._store.add_results(job.number, gathered))

    def _labeller(self, job: JobRow) -> JobLabeller:
        try:
            model = self._load(job.model_id)
        except HangtagError as error:
            raise BundleError(
                f"the job's model {job.model_id!r} cannot be loaded: {error.problem}"
            ) from error
        if model.sha256 != job.model_sha256:
            raise BundleError(f"the model {job.model_id!r} has changed since the job started")
        thresholds = doubt_thresholds(model.card, self._settings)
        return JobLabeller(job.number, model, self._settings.decode_limits, thresholds)

    def _publish(self, job: Job | None) -> bool:
        """Publish a job's new state. Return False if it has none, because someone else ended the job."""
        if job is not None:
            self._events.publish(job)
        return job is not None

    def _end(self, job: JobRow, state: JobState, message: str | None = None) -> None:
        self._publish(self._store.finish(job.number, state, message))


def _cause(error: OSError | SQLAlchemyError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(getattr(error, "orig", None) or error)
