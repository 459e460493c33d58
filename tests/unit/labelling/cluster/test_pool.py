"""Workers that come, go, answer late and are lost, without Ray: a cluster that a test plays itself."""

import random
from dataclasses import dataclass, field, replace

import pytest

from fakes import build_card
from hangtag.domain.errors import BundleError, PhotoError, UsageError
from hangtag.domain.reasons import Reason
from hangtag.inference.probabilities import PredictionBuilder
from hangtag.labelling.cluster.pool import ClusterSettings, WorkerLostError, WorkerPool
from hangtag.labelling.cluster.worker import Identity, Refusal
from hangtag.labelling.inputs import PhotoFile
from hangtag.labelling.plan import Fingerprint

CHUNK = 10
COUNT = 10 * CHUNK + 7
EXPECTED = Identity("1", Fingerprint({"tiny": "abc"}, {"tiny": "fp32"}, 1, {}))


@dataclass(eq=False)
class PlayedWorker:
    """A worker whose answers come when the cluster says so."""

    is_lost: bool = False


@dataclass
class PlayedCluster:
    """Does one thing at a time, drawn by chance: something is answered, or (`loss` of the time) a worker is lost."""

    places: int = 3
    loss: float = 0.0
    seed: int = 0
    identity: object = EXPECTED
    lost_with: str = ""
    started: int = 0
    lost: int = 0
    workers: list = field(default_factory=list)
    results: dict = field(default_factory=dict)
    seconds: float = 0.0

    def __post_init__(self):
        self.dice = random.Random(self.seed)

    def count_places(self):
        return self.places

    def start_worker(self):
        worker = PlayedWorker()
        self.started += 1
        self.workers.append(worker)
        return worker, self._ticket(worker, self.identity)

    def hand_over(self, worker, photos):
        if self.lost_with in [photo.name for photo in photos]:
            return self._ticket(worker, None)
        errors = [PhotoError(Reason.NOT_FOUND) for _ in photos]
        found = PredictionBuilder(build_card()).build_empty().place((), errors)
        return self._ticket(worker, (found,))

    def wait(self, tickets, timeout_s):
        if not tickets:
            self.seconds += timeout_s
            return []
        worker = self.results[self.dice.choice(tickets)][0]
        worker.is_lost |= self.dice.random() < self.loss
        return [next(ticket for ticket in tickets if self.results[ticket][0] is worker)]

    def fetch(self, ticket):
        worker, result = self.results[ticket]
        worker.is_lost |= result is None
        if worker.is_lost:
            raise WorkerLostError("a traceback\nthe node is gone")
        return result

    def stop(self, worker):
        assert worker.is_lost
        self.lost += 1
        self.workers.remove(worker)

    def _ticket(self, worker, result):
        ticket = len(self.results)
        self.results[ticket] = (worker, result)
        return ticket


def iter_batches(cluster, photos, **settings):
    """Label photos in small chunks."""
    chosen = ClusterSettings(chunk=CHUNK, **settings)
    return WorkerPool(cluster, EXPECTED, chosen, clock=lambda: cluster.seconds).iter_labelled(photos)


def label(cluster, count=COUNT, **settings):
    """Label so many photos that do not exist, and return their names and numbers, in order."""
    photos = (PhotoFile(f"/none/{n}.jpg", extra={"number": n}) for n in range(count))
    return [
        (name, extra["number"])
        for (batch,) in iter_batches(cluster, photos, **settings)
        for name, extra in zip(batch.names, batch.extra, strict=True)
    ]


@pytest.mark.parametrize("loss", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("seed", range(30))
def test_every_photo_is_answered_once_and_in_order_whoever_is_lost(seed, loss):
    cluster = PlayedCluster(loss=loss, seed=seed)
    assert label(cluster) == [(f"/none/{n}.jpg", n) for n in range(COUNT)]
    assert len(cluster.workers) == cluster.places
    assert cluster.started == cluster.places + cluster.lost


def test_chance_loses_workers_in_these_tests():
    cluster = PlayedCluster(loss=0.2, seed=1)
    label(cluster)
    assert cluster.lost > 1


def test_workers_that_are_said_are_started_whatever_room_there_is():
    cluster = PlayedCluster(places=0)
    label(cluster, workers=2)
    assert cluster.started == 2


def test_photos_that_take_every_worker_end_the_run_by_name():
    cluster = PlayedCluster(lost_with="/none/25.jpg")
    with pytest.raises(
        UsageError, match=r"5 workers were lost while labelling the same photos \(the node is gone\)"
    ) as caught:
        label(cluster)
    assert caught.value.where == "/none/20.jpg to /none/29.jpg"


def test_without_photos_no_worker_is_needed():
    assert label(PlayedCluster(places=0), count=0) == []


def test_without_a_worker_the_run_ends_after_a_while():
    with pytest.raises(UsageError, match="no worker was available for 20 seconds"):
        label(PlayedCluster(places=0), patience_s=20)


def test_workers_that_cannot_start_end_the_run():
    cluster = PlayedCluster(loss=1)
    with pytest.raises(UsageError, match=r"workers cannot start \(the node is gone\)"):
        label(cluster)


def test_what_a_worker_refuses_is_said():
    refusal = Refusal.of(BundleError("the model is broken", where="tiny.onnx", fix="Mend it."))
    with pytest.raises(UsageError, match=r"tiny\.onnx: a worker reported: the model is broken\. Mend it"):
        label(PlayedCluster(identity=refusal))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (replace(EXPECTED, version="2"), "this machine has hangtag 1 and another one 2"),
        (
            replace(EXPECTED, models=replace(EXPECTED.models, precisions={"tiny": "bf16"})),
            "model tiny ran in fp32 and would now run in bf16",
        ),
    ],
)
def test_a_worker_that_would_answer_otherwise_ends_the_run(other, said):
    with pytest.raises(UsageError, match=said):
        label(PlayedCluster(identity=other))


def test_no_more_is_taken_than_a_few_chunks_for_each_worker():
    taken = []

    def watched():
        for n in range(100 * CHUNK):
            taken.append(n)
            yield PhotoFile(f"/none/{n}.jpg")

    batches = iter_batches(PlayedCluster(places=2), watched())
    for done, (batch,) in enumerate(batches, 1):
        assert len(batch.names) == CHUNK
        assert len(taken) <= (done + 2 * 4) * CHUNK


def test_a_file_that_only_this_machine_sees_ends_the_run(tmp_path):
    here = tmp_path / "here.jpg"
    here.write_bytes(b"a photo")
    batches = iter_batches(PlayedCluster(), [PhotoFile("/none/1.jpg"), PhotoFile(str(here))])
    with pytest.raises(UsageError, match="this machine can read the photo, but another one") as caught:
        list(batches)
    assert caught.value.where == str(here)
