"""The worker as it runs in another process, here in this one."""

import pickle

import pytest

from hangtag.bundle.file import write_bundle
from hangtag.domain.reasons import Reason
from hangtag.inference.model import load_model
from hangtag.labelling.cluster.handing import iter_chunks
from hangtag.labelling.cluster.worker import Identity, LabellingWorker, ModelFiles, Refusal, WorkPlan
from hangtag.labelling.inputs import InputSettings, PhotoFile
from hangtag.labelling.label import iter_labelled
from tiny_bundle import build_tiny_card, build_tiny_graph, draw_png


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A tiny bundle."""
    graph = build_tiny_graph()
    path = tmp_path_factory.mktemp("bundles") / "tiny.onnx"
    write_bundle(graph, build_tiny_card(graph), path)
    return path


@pytest.fixture(scope="module")
def model(path):
    return load_model(path, precision="fp32", threads=1)


def plan_of(files):
    """Return a plan as it arrives."""
    return pickle.loads(pickle.dumps(WorkPlan({"tiny": files}, InputSettings())))  # noqa: S301 - as Ray does


def test_a_worker_is_what_its_driver_is_and_answers_the_same(path, model, tmp_path):
    files = [tmp_path / f"{number}.png" for number in range(40)]
    for number, file in enumerate(files):
        file.write_bytes(b"broken" if number == 7 else draw_png(number))
    worker = LabellingWorker(plan_of(ModelFiles.of(path, model)), 1)
    assert worker.start() == Identity.of({"tiny": model})
    photos = [PhotoFile(str(file)) for file in files]
    (chunk,) = iter_chunks(photos, 100)
    found = pickle.loads(pickle.dumps(worker.label(chunk.photos)))  # noqa: S301 - as Ray does
    for one, here in zip(found, iter_labelled(photos, [model], 1), strict=True):
        assert one.reasons == here.reasons
        assert (one.scores[0].chosen["gender"] == here.scores[0].chosen["gender"]).all()
        assert (one.scores[0].probabilities["gender"] == here.scores[0].probabilities["gender"]).all()
    assert found[0].reasons[7] is Reason.NOT_A_PHOTO


def test_a_model_that_cannot_be_loaded_is_refused_in_words(path, model):
    files = ModelFiles.of(path, model)
    cut = ModelFiles({name: data[:100] for name, data in files.files.items()}, files.precision)
    refusal = LabellingWorker(plan_of(cut), 1).start()
    assert isinstance(refusal, Refusal)
    assert "a worker says" in str(refusal.as_error())
