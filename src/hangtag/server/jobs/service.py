"""The jobs of a running service, wired together in one place."""

import asyncio
import secrets
from typing import Final

from fastapi import Request

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.thumbnails import render_photo
from hangtag.server.jobs.events import JobEvents
from hangtag.server.jobs.folder import JobFolders
from hangtag.server.jobs.intake import build_content
from hangtag.server.jobs.receive import ReceivedForm, receive_form
from hangtag.server.jobs.runner import JobModels, JobRunner
from hangtag.server.jobs.schemas import Job
from hangtag.server.jobs.store import JobModel, JobStore
from hangtag.server.jobs.stored import read_result
from hangtag.server.models import ModelRegistry
from hangtag.server.problems import NotFoundError
from hangtag.server.settings import Settings
from hangtag.store.database import find_url, open_database
from hangtag.store.folder import FolderClaim
from hangtag.store.vocabulary import Vocabulary

FOLDER_NAME: Final = "jobs"


class Jobs:
    """The jobs' database, folders, events and worker.

    Raises `UsageError` if another service uses the same data folder, or it is not writable.
    """

    def __init__(self, settings: Settings, registry: ModelRegistry) -> None:
        self._settings = settings
        self._registry = registry
        self._claim = FolderClaim(settings.data_folder, is_shared=settings.shares_database)
        self.store = JobStore(open_database(find_url(settings.database_url, settings.data_folder)))
        self.folders = JobFolders(settings.data_folder / FOLDER_NAME)
        self.events = JobEvents()
        self.models = JobModels(registry, settings)
        self._runner = JobRunner(self.store, self.folders, self.events, settings, self.models.load)

    def start(self) -> None:
        """Clean up after the last process and resume its jobs."""
        self.folders.remove_others(self.store.ids())
        self._runner.start()

    def end_streams(self) -> None:
        """End the event streams. Clients reconnect when the service is back."""
        self.events.close()

    async def close(self) -> None:
        """Finish the current batch and release everything."""
        self.end_streams()
        await asyncio.to_thread(self._runner.stop)
        self.store.engine.dispose()
        self._claim.release()

    async def receive(self, request: Request) -> Job:
        """Create a job from the form of a request.

        Raises the errors of `receive_form` and `build_content`, `ModelNotFoundError` and `QueueFullError`.
        """
        job_id = secrets.token_hex(8)
        try:
            folder = await asyncio.to_thread(self.folders.make, job_id)
            form = await receive_form(request, folder, self._settings)
            job = await asyncio.to_thread(self._create, job_id, form)
        except BaseException:
            await asyncio.to_thread(self.folders.remove, job_id)
            raise
        self._runner.wake()
        return job

    def cancel(self, job_id: str) -> Job:
        """Stop a job; raises `JobNotFoundError` or `JobFinishedError`."""
        job = self.store.cancel(job_id)
        self.events.publish(job)
        return job

    def delete(self, job_id: str) -> None:
        """Delete a job that has ended, and its photos; raises `JobNotFoundError` or `JobFinishedError`."""
        self.store.delete(job_id)
        self.folders.remove(job_id)

    def render_photo(self, job_id: str, position: int, size: int | None) -> tuple[bytes, str]:
        """Return the photo at a position, at most `size` pixels long, and its media type.

        Raises `NotFoundError` if there is none, and `PhotoError` if it cannot be decoded.
        """
        job = self.store.find(job_id)
        with self.store.engine.connect() as connection:
            result = read_result(connection, job, position)
        limits = self._settings.decode_limits
        try:
            return render_photo(self.folders.read(job_id, result.stored, limits), size, limits)
        except PhotoError as error:
            if error.reason is Reason.NOT_FOUND:
                raise NotFoundError(error.detail) from None
            raise

    def _create(self, job_id: str, form: ReceivedForm) -> Job:
        registered = self._registry.card(form.model)
        card = registered.card
        vocabulary = Vocabulary.from_card(card)
        model = JobModel(registered.id, card.name, card.version, registered.sha256, vocabulary)
        content = build_content(form, self.folders.root / job_id, self._settings.max_job_photos)
        return self.store.create(job_id, content, model)
