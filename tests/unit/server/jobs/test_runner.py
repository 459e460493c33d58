"""The worker by itself: what stops a job, and what does not."""

import errno
import threading
import time

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from fakes import FakeModel, build_card, encode, paint
from hangtag.domain.errors import BundleError, UsageError
from hangtag.server.jobs.events import JobEvents
from hangtag.server.jobs.folder import JobFolders, StoredPhoto, upload_path
from hangtag.server.jobs.intake import JobContent, JobPhoto
from hangtag.server.jobs.results import ResultFilter, query_results
from hangtag.server.jobs.runner import JobRunner
from hangtag.server.jobs.store import MAX_UNFINISHED, JobModel, JobStore
from hangtag.server.jobs.tables import ResultRow
from hangtag.server.problems import JobFinishedError, QueueFullError
from hangtag.server.settings import Settings
from hangtag.store.database import open_database, sqlite_url
from hangtag.store.folder import FolderClaim
from hangtag.store.vocabulary import Vocabulary

CARD = build_card()


class GatedModel(FakeModel):
    """A fake model with a file's SHA-256, which waits before each batch until it is let on."""

    sha256 = "a" * 64

    def __init__(self):
        super().__init__(CARD)
        self.gate = threading.Semaphore(0)
        self.is_open = True

    def run(self, pixels):
        if not self.is_open:
            self.gate.acquire()
        return super().run(pixels)


class Workshop:
    """A store, a folder and a runner."""

    def __init__(self, folder):
        self.store = JobStore(open_database(sqlite_url(folder / "test.db")))
        self.folders = JobFolders(folder / "jobs")
        self.events = JobEvents()
        self.model = GatedModel()
        self.settings = Settings(data_folder=folder, models="")
        self.runner = self.build_runner()

    def build_runner(self):
        return JobRunner(self.store, self.folders, self.events, self.settings, lambda _id: self.model)

    def add(self, photos=3, name="job", sha256="a" * 64):
        folder = self.folders.make(name)
        for number in range(photos):
            upload_path(folder, number).write_bytes(encode(paint(("Red", "Green", "Blue")[number % 3])))
        content = JobContent("", [JobPhoto(f"{one}.png", StoredPhoto(one)) for one in range(photos)])
        self.store.create(name, content, JobModel("fake", "fake", "1", sha256, Vocabulary.from_card(CARD)))
        return name

    def wait(self, name, *states):
        deadline = time.monotonic() + 60
        while (job := self.store.get(name)).state not in states:
            assert time.monotonic() < deadline, job
            time.sleep(0.01)
        return job

    def labels(self, name):
        found, _ = query_results(self.store.engine, self.store.find(name), ResultFilter(), (0, 500))
        return [result.chosen["baseColour"][0] for result in found]


@pytest.fixture
def workshop(tmp_path):
    workshop = Workshop(tmp_path)
    yield workshop
    workshop.model.is_open = True
    workshop.model.gate.release(1000)
    workshop.runner.stop()
    workshop.store.engine.dispose()


def test_jobs_are_done_the_oldest_first(workshop):
    names = [workshop.add(name=f"job {number}") for number in range(3)]
    workshop.runner.start()
    ended = [workshop.wait(name, "done").finished for name in names]
    assert ended == sorted(ended)
    assert workshop.labels(names[2]) == ["Red", "Green", "Blue"]


def test_a_job_that_comes_later_is_done_too(workshop):
    workshop.runner.start()
    workshop.add()
    workshop.runner.wake()
    assert workshop.wait("job", "done").done == 3


def test_stopping_keeps_what_was_found_and_the_next_start_goes_on(workshop):
    workshop.add(photos=100)
    workshop.model.is_open = False
    workshop.runner.start()
    workshop.wait("job", "running")
    workshop.model.gate.release(2)
    stopping = threading.Thread(target=workshop.runner.stop)
    stopping.start()
    time.sleep(0.05)
    workshop.model.gate.release(2)
    stopping.join()
    job = workshop.store.get("job")
    assert job.state == "running"
    assert 0 < job.done < 100
    workshop.model.is_open = True
    workshop.runner = workshop.build_runner()
    workshop.runner.start()
    assert workshop.wait("job", "done").done == 100
    assert workshop.labels("job") == [("Red", "Green", "Blue")[number % 3] for number in range(100)]


def test_a_stop_that_comes_as_the_thread_forgets_its_last_call_is_not_missed(workshop, monkeypatch):
    clear, stopper = threading.Event.clear, threading.Thread(target=workshop.runner.stop)

    def stop_and_clear(event):
        if stopper.ident is None:
            stopper.start()
            while not event.is_set():
                time.sleep(0.001)
        clear(event)

    monkeypatch.setattr(threading.Event, "clear", stop_and_clear)
    workshop.runner.start()
    time.sleep(0.1)
    stopper.join(10)
    is_hanging = stopper.is_alive()
    workshop.runner.wake()
    assert not is_hanging


def test_a_cancelled_job_ends_at_once_and_the_next_one_begins(workshop):
    workshop.add(photos=100, name="first")
    workshop.add(name="second")
    workshop.model.is_open = False
    workshop.runner.start()
    workshop.wait("first", "running")
    job = workshop.store.cancel("first")
    assert (job.state, job.seconds_left) == ("cancelled", None)
    workshop.model.is_open = True
    workshop.model.gate.release(100)
    workshop.wait("second", "done")
    assert workshop.store.get("first").state == "cancelled"
    assert workshop.store.get("first").done == len(workshop.labels("first"))
    with pytest.raises(JobFinishedError):
        workshop.store.cancel("first")


def test_a_running_job_is_not_deleted(workshop):
    workshop.add()
    with pytest.raises(JobFinishedError, match="not ended"):
        workshop.store.delete("job")


def test_deleting_removes_every_row(workshop):
    workshop.add()
    workshop.runner.start()
    workshop.wait("job", "done")
    workshop.store.delete("job")
    with workshop.store.engine.connect() as connection:
        assert connection.execute(select(ResultRow.position)).all() == []


def test_a_model_that_changed_fails_the_job(workshop):
    workshop.add(sha256="b" * 64)
    workshop.runner.start()
    assert "'fake' has changed since the job started" in workshop.wait("job", "failed").message


def test_a_model_that_is_gone_fails_the_job_and_not_the_next(workshop):
    def load(_id):
        raise BundleError("there is no model named 'fake'")

    workshop.runner = JobRunner(workshop.store, workshop.folders, workshop.events, workshop.settings, load)
    workshop.add()
    workshop.runner.start()
    assert "cannot be loaded: there is no model named 'fake'" in workshop.wait("job", "failed").message


def test_a_folder_that_is_gone_fails_the_job(workshop):
    workshop.add()
    workshop.folders.remove("job")
    workshop.runner.start()
    assert "uploaded photos no longer exist" in workshop.wait("job", "failed").message


def test_a_file_that_is_gone_costs_only_its_photo(workshop):
    workshop.add()
    workshop.folders.path("job", 1).unlink()
    workshop.runner.start()
    job = workshop.wait("job", "done")
    assert (job.done, job.failed) == (3, 1)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OperationalError("INSERT", {}, Exception("database or disk is full")),
        RuntimeError("a defect"),
    ],
)
def test_a_fault_fails_the_job_and_the_worker_goes_on(workshop, monkeypatch, error):
    def fail(*_given):
        monkeypatch.undo()
        raise error

    monkeypatch.setattr(workshop.store, "add_results", fail)
    workshop.add(name="first")
    workshop.add(name="second")
    workshop.runner.start()
    message = workshop.wait("first", "failed").message
    assert any(part in message for part in ("No space left", "disk is full", "its log has the details"))
    assert workshop.wait("second", "done").done == 3


def test_a_database_that_fails_for_a_while_loses_no_job(workshop, monkeypatch):
    monkeypatch.setattr("hangtag.server.jobs.runner._SECONDS_AFTER_A_FAULT", 0.01)
    failures = iter(range(3))
    find_next = workshop.store.next_to_run

    def fail_at_first():
        if next(failures, None) is not None:
            raise OperationalError("SELECT", {}, Exception("disk I/O error"))
        return find_next()

    monkeypatch.setattr(workshop.store, "next_to_run", fail_at_first)
    workshop.add()
    workshop.runner.start()
    assert workshop.wait("job", "done").done == 3


def test_a_loop_that_went_wrong_cannot_fill_the_queue(workshop):
    for number in range(MAX_UNFINISHED):
        workshop.add(photos=1, name=f"job {number}")
    with pytest.raises(QueueFullError):
        workshop.add(name="one more")


def test_folders_of_no_job_are_swept_away(workshop):
    workshop.add()
    (workshop.folders.make("upload that broke off") / "000000").write_bytes(b"x")
    workshop.folders.remove_others(workshop.store.ids())
    assert [path.name for path in workshop.folders.root.iterdir()] == ["job"]


def test_one_folder_has_one_service(tmp_path):
    claim = FolderClaim(tmp_path / "data")
    with pytest.raises(UsageError, match="another `hangtag serve`"):
        FolderClaim(tmp_path / "data")
    claim.release()
    FolderClaim(tmp_path / "data").release()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot write"):
        FolderClaim(tmp_path / "file" / "data")
