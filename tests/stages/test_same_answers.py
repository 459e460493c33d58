"""One photo, one answer: alone or in any batch, in any place, by Python, by a table of labels and by the service.

That the network itself gives the same for a photo in every batch is held by
`unit/inference/test_batch_invariance.py`; this is the whole way, in the precision that is used by default.
"""

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hangtag.imaging.batches import PhotoDecoder
from hangtag.imaging.samples import load_sample_photos
from hangtag.inference.model import load_model
from hangtag.inference.photos import NamedPhoto
from hangtag.inference.predicting import DecodeSettings, predict_photos
from hangtag.inference.predictions import Predictions
from hangtag.labelling.run import Labeller
from hangtag.server.batching import CHUNK_PHOTOS, Batcher, BatchSettings

HALF_A_DIGIT = 0.0005
"""What a confidence may differ by to be the same to three digits."""


def draw_photos():
    """Return photos by name: the drawn ones, whole and cut, and two that cannot be read."""
    photos = {"broken": b"no photo", "empty": b""}
    for name, image in load_sample_photos().items():
        for part in (1.0, 0.8, 0.6):
            file = io.BytesIO()
            cut = image.crop((0, 0, round(image.width * part), round(image.height * part)))
            cut.save(file, "JPEG", quality=80)
            photos[f"{name} {part}"] = file.getvalue()
    return photos


PHOTOS = draw_photos()


@pytest.fixture(scope="module")
def model():
    return load_model("default")


@pytest.fixture(scope="module")
def alone(model):
    """What the model says of each photo alone, by name."""
    return {name: read_answer(model.predict(data), 0) for name, data in PHOTOS.items()}


def read_answer(predictions, row):
    """Return what is said of one photo: reason, answer, flags, and by column the label with its confidence."""
    labels = {
        column: (predictions.labels(column)[row], float(predictions.confidence(column)[row]))
        for column in predictions.columns
    }
    return predictions.reasons[row], predictions.answers[row], predictions.flags[row], labels


def by_python(model, names, size):
    """Give all photos at once; `size` is how many are decoded together."""
    photos = [NamedPhoto(name, PHOTOS[name]) for name in names]
    batches = predict_photos(photos, [model], DecodeSettings(2, size))
    return Predictions.concat([found for (found,) in batches])


def by_service(model, names, size):
    """Send requests of `size` photos at the same time to the batcher of the service."""
    photos = [NamedPhoto(name, PHOTOS[name]) for name in names]

    async def run():
        with ThreadPoolExecutor(2) as decoding:
            decoder = PhotoDecoder(frozenset({model.card.preprocessing}), CHUNK_PHOTOS, 1)
            batcher = Batcher(model, BatchSettings(), decoder, decoding)
            requests = [photos[start : start + size] for start in range(0, len(photos), size)]
            try:
                return await asyncio.gather(*map(batcher.predict, requests))
            finally:
                await batcher.close()

    return Predictions.concat(asyncio.run(run()))


class Rows:
    """A table that keeps its rows."""

    def __init__(self):
        self.rows = []

    def write(self, rows):
        self.rows += [dict(zip(rows, cells, strict=True)) for cells in zip(*rows.values(), strict=True)]


def assert_same(found, expected):
    """Compare two answers: the same labels, and the same confidences to three digits."""
    assert found[:3] == expected[:3]
    for column, (label, confidence) in expected[3].items():
        assert found[3][column][0] == label
        np.testing.assert_allclose(found[3][column][1], confidence, rtol=0, atol=HALF_A_DIGIT)


@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.too_slow])
@given(
    names=st.lists(st.sampled_from(sorted(PHOTOS)), min_size=1, max_size=70),
    size=st.integers(1, 40),
    way=st.sampled_from([by_python, by_service]),
)
def test_a_photo_gets_the_same_answer_in_any_batch_by_any_way(model, alone, names, size, way):
    found = way(model, names, size)
    assert found.names == tuple(names)
    for row, name in enumerate(names):
        assert_same(read_answer(found, row), alone[name])


def test_a_table_of_labels_says_the_same(model, alone):
    names = [*PHOTOS, *list(PHOTOS)[::-3]]
    table = Rows()

    class Walk(list):
        other_files = 0

    Labeller({"default": model}).label(Walk(NamedPhoto(name, PHOTOS[name]) for name in names), table)
    assert [row["path"] for row in table.rows] == names
    for row in table.rows:
        reason, answer, _, labels = alone[row["path"]]
        assert row["reason"] == reason
        assert row["answer"] == (" › ".join(answer) or None)
        for column, (label, confidence) in labels.items():
            assert row[column] == label
            if label is not None:
                assert row[f"{column}_confidence"] == pytest.approx(confidence, abs=HALF_A_DIGIT)
