"""The jobs of a running service, wired together in one place."""

import asyncio
import secrets
from typing import Final

from fastapi import Request

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.server.database import open_database, sqlite_url
from hangtag.server.jobs.claim import FolderClaim
from hangtag.server.jobs.disk import telling_of_a_full_disk
from hangtag.server.jobs.folder import JobFolders
from hangtag.server.jobs.intake import build_content
from hangtag.server.jobs.models import JobModels
from hangtag.server.jobs.news import JobNews
from hangtag.server.jobs.receive import ReceivedForm, receive_form
from hangtag.server.jobs.runner import JobRunner
from hangtag.server.jobs.schemas import Job
from hangtag.server.jobs.store import JobModel, JobStore
from hangtag.server.jobs.stored import read_result
from hangtag.server.jobs.thumbnails import render_photo
from hangtag.server.jobs.vocabulary import Vocabulary
from hangtag.server.models import ModelShelf
from hangtag.server.problems import NotFoundError
from hangtag.server.settings import Settings

DATABASE_NAME: Final = "hangtag.db"
FOLDER_NAME: Final = "jobs"


class Jobs:
    """The store of the jobs, their folders, their news and their worker.

    Raises `UsageError` when another service works in the same data folder, or it cannot be written.
    """

    def __init__(self, settings: Settings, shelf: ModelShelf) -> None:
        self._settings = settings
        self._shelf = shelf
        self._claim = FolderClaim(settings.data_folder)
        self.store = JobStore(open_database(sqlite_url(settings.data_folder / DATABASE_NAME)))
        self.folders = JobFolders(settings.data_folder / FOLDER_NAME)
        self.news = JobNews()
        self._runner = JobRunner(
            self.store, self.folders, self.news, settings, JobModels(shelf, settings).load
        )

    def start(self) -> None:
        """Tidy up after the last process, and go on where it stopped."""
        self.folders.remove_others(self.store.ids())
        self._runner.start()

    def end_streams(self) -> None:
        """End what is streamed to those who watch jobs: they come back when the service does."""
        self.news.close()

    async def close(self) -> None:
        """Finish the batch that is under way and let go of everything."""
        self.end_streams()
        await asyncio.to_thread(self._runner.stop)
        self.store.engine.dispose()
        self._claim.release()

    async def receive(self, request: Request) -> Job:
        """Take a new job from the form of a request.

        Raises the errors of `receive_form` and `build_content`, `ModelNotFoundError`, `QueueFullError` and
        `DiskFullError`.
        """
        job_id = secrets.token_hex(8)
        try:
            with telling_of_a_full_disk():
                folder = await asyncio.to_thread(self.folders.make, job_id)
                form = await receive_form(request, folder, self._settings)
                job = await asyncio.to_thread(self._create, job_id, form)
        except BaseException:
            await asyncio.to_thread(self.folders.remove, job_id)
            raise
        self._runner.wake()
        return job

    def cancel(self, job_id: str) -> Job:
        """End a job early; raises `JobNotFoundError` or `JobFinishedError`."""
        job = self.store.cancel(job_id)
        self.news.tell(job)
        return job

    def delete(self, job_id: str) -> None:
        """Remove a job that has ended, and its photos; raises `JobNotFoundError` or `JobFinishedError`."""
        self.store.delete(job_id)
        self.folders.remove(job_id)

    def render_photo(self, job_id: str, position: int, size: int | None) -> tuple[bytes, str]:
        """Return the photo at a position, not larger than `size`, and its media type.

        Raises `NotFoundError` when there is none, and `PhotoError` when it cannot be shown.
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
        shelved = self._shelf.card(form.model)
        card = shelved.card
        vocabulary = Vocabulary.from_card(card)
        model = JobModel(shelved.id, card.name, card.version, shelved.sha256, vocabulary)
        content = build_content(form, self.folders.root / job_id, self._settings.max_job_photos)
        return self.store.create(job_id, content, model)
