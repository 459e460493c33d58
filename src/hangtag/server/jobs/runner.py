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
    """Loads models for jobs, and keeps the last one.

    A thread has the priority of the one that starts it, and can never be given a higher one. So the engine is started
    by a thread of low priority that ends then. The worker keeps its own: it holds Python's lock now and then, and who
    waits for that would wait for everybody else too.
    """

    def __init__(self, registry: ModelRegistry, settings: Settings) -> None:
        self._registry = registry
        self._settings = settings
        self._model: Model | None = None

    def load(self, id_: str) -> Model:
        """Return the model of an id; raises `ModelNotFoundError` or `BundleError`."""
        registered = self._registry.card(id_)
        if self._model is None or self._model.sha256 != registered.sha256:
            with ThreadPoolExecutor(1, "load-for-jobs", _give_way) as threads:
                self._model = threads.submit(self._start, registered).result()
        return self._model

    def _start(self, registered: RegisteredModel) -> Model:
        model = load_model(
            registered.path, precision=self._settings.precision, threads=self._settings.threads
        )
        size = model.card.preprocessing
        # The first full batch is what makes the engine start its threads for full batches.
        model.run(np.zeros((model.engine.batch_size, size.height, size.width, 3), np.uint8))
        return model


def _give_way() -> None:
    """Lower the priority of this thread, and of those that it starts. Only Linux has one for each thread."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


_log = logging.getLogger(__name__)

COMMIT_S: Final = 0.2
"""How long results gather before they are stored: as often as someone who watches can see."""

_FETCHED_PHOTOS: Final = 500
_SECONDS_AFTER_A_FAULT: Final = 5.0


class JobFolderError(HangtagError):
    """What was uploaded for a job cannot be read any more."""


class JobRunner:
    """Labels the jobs of a store in a thread of its own, in which `load` gives it the model of an id."""

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
        """Say that there is a new job."""
        self._wake.set()

    def stop(self) -> None:
        """Finish the batch that is under way, store it and end the thread. What is left goes on at the next start."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            self._wake.clear()
            if self._stopping.is_set():  # asked after that: a stop before it is seen here, a later one wakes
                return
            try:
                job = self._store.next_to_run()
                if job is None:
                    self._wake.wait()
                else:
                    self._run_job(job)
            except Exception:  # noqa: BLE001 - no error of one job may end them all
                # The database itself failed, most likely for want of disk space; the job is still to be done.
                _log.exception("the jobs wait, since the database cannot be used")
                self._stopping.wait(_SECONDS_AFTER_A_FAULT)

    def _run_job(self, job: JobRow) -> None:
        """Label what is left of a job; whatever stops it becomes its message."""
        try:
            if self._publish(self._store.start(job.number)) and self._label(job):
                self._end(job, "done")
        except HangtagError as error:
            self._end(job, "failed", error.problem)
        except (OSError, SQLAlchemyError) as error:
            _log.exception("the job %s cannot go on", job.id)
            self._end(job, "failed", f"the results cannot be stored ({_cause(error)})")
        except Exception:  # noqa: BLE001 - as above
            _log.exception("the job %s met a defect", job.id)
            self._end(job, "failed", "the service has a defect; its log says more")

    def _label(self, job: JobRow) -> bool:
        """Label what is left; return whether all of it was done, and the job was not stopped before."""
        if not self._folders.is_readable(job.id):
            raise JobFolderError("the uploaded photos are not there any more")
        labeller = self._labeller(job)

        def fetch(after: int) -> list[WaitingPhoto]:
            return self._store.waiting_photos(job.number, after, _FETCHED_PHOTOS)

        gathered = NewResults([], [], 0.0)
        photos = iter_waiting(fetch, self._folders, job.id)
        with closing(labeller.iter_results(photos)) as batches:
            for new in batches:
                if lost_uploads(new) and not self._folders.is_readable(job.id):
                    raise JobFolderError("the uploaded photos are not there any more")
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
            raise BundleError(f"the job's model {job.model_id!r} cannot be used: {error.problem}") from error
        if model.sha256 != job.model_sha256:
            raise BundleError(f"the model {job.model_id!r} has changed since the job was started")
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
