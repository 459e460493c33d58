"""The worker as it runs in another process, here in this one."""

import pickle

import numpy as np
import pytest

from hangtag.bundle.file import write_bundle
from hangtag.domain.reasons import Reason
from hangtag.inference.model import load_model
from hangtag.inference.predicting import DecodeSettings, predict_photos
from hangtag.inference.predictions import Predictions
from hangtag.labelling.cluster.worker import (
    Identity,
    LabellingWorker,
    ModelFiles,
    Refusal,
    WorkPlan,
    iter_chunks,
)
from hangtag.labelling.inputs import InputSettings, PhotoFile
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
    (found,) = pickle.loads(pickle.dumps(worker.label(chunk.photos)))  # noqa: S301 - as Ray does
    here = Predictions.concat([batch for (batch,) in predict_photos(photos, [model], DecodeSettings(1))])
    assert (found.reasons, found.details) == (here.reasons, here.details)
    assert found.reasons[7] is Reason.NOT_A_PHOTO
    np.testing.assert_array_equal(found.label_indices["gender"], here.label_indices["gender"])
    np.testing.assert_array_equal(found.probabilities["gender"], here.probabilities["gender"])
    assert found.card.heads == here.card.heads
    assert found.names == ()


def test_a_model_that_cannot_be_loaded_is_refused_in_words(path, model):
    files = ModelFiles.of(path, model)
    cut = ModelFiles({name: data[:100] for name, data in files.files.items()}, files.precision)
    refusal = LabellingWorker(plan_of(cut), 1).start()
    assert isinstance(refusal, Refusal)
    assert "a worker reported" in str(refusal.as_error())
