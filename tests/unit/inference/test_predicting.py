import numpy as np
import pytest

from fakes import FAKE_PREPROCESSING, FakeModel, answer, build_card, encode, paint
from hangtag.domain.reasons import Reason
from hangtag.imaging.preprocess import Preprocessing
from hangtag.inference.predicting import DecodeSettings, predict_photos
from hangtag.inference.predictions import NO_LABEL
from hangtag.labelling.inputs import PhotoWalk

ORDER = ["Red", "Green", "Blue"]


@pytest.fixture
def photos(tmp_path):
    """Forty photos, red, green and blue in turn; every seventh is broken."""
    for number in range(40):
        data = b"broken" * 9 if number % 7 == 3 else encode(paint(ORDER[number % 3]))
        (tmp_path / f"{number:02}.png").write_bytes(data)
    return PhotoWalk([tmp_path])


def answers(batches, position=0):
    """Return each photo's class index, -1 for one without labels, in their order."""
    return [index for batch in batches for index in batch[position].label_indices["baseColour"].tolist()]


@pytest.mark.parametrize(("threads", "batch_size"), [(1, 1), (2, 4), (3, 7), (2, 64)])
def test_every_photo_gets_its_own_answer_in_order(photos, threads, batch_size):
    batches = list(predict_photos(photos, [FakeModel()], DecodeSettings(threads, batch_size)))
    assert [name[-6:-4] for (batch,) in batches for name in batch.names] == [f"{n:02}" for n in range(40)]
    assert answers(batches) == [n % 3 if n % 7 != 3 else NO_LABEL for n in range(40)]
    reasons = [reason for (batch,) in batches for reason in batch.reasons]
    assert [reason is None for reason in reasons] == [n % 7 != 3 for n in range(40)]


def test_bad_photos_never_reach_the_model(photos):
    model = FakeModel()
    batches = list(predict_photos(photos, [model], DecodeSettings(2, 7)))
    assert sum(model.batches) == 34
    assert len(batches) == len(model.batches) == 6


def test_models_with_different_inputs_answer_the_same_photos(photos):
    other = FakeModel(build_card("other", preprocessing=Preprocessing(32, 32, 60, 80, "stretch")))
    batches = list(predict_photos(photos, [FakeModel(), other], DecodeSettings(2, 4)))
    assert answers(batches, 0) == answers(batches, 1)


def test_no_more_than_a_few_batches_are_taken_before_the_first_answer(tmp_path):
    for number in range(100):
        (tmp_path / f"{number:03}.png").write_bytes(encode(paint("Red")))
    taken = []

    def watched():
        for photo in PhotoWalk([tmp_path]):
            taken.append(photo)
            yield photo

    batches = predict_photos(watched(), [FakeModel()], DecodeSettings(1, 2))
    next(batches)
    assert len(taken) < 30
    batches.close()


def test_a_failing_model_stops_the_run_and_its_threads(photos):
    class Failing(FakeModel):
        def run(self, pixels):
            raise ArithmeticError(len(pixels))

    with pytest.raises(ArithmeticError):
        list(predict_photos(photos, [Failing()], DecodeSettings(2, 4)))


def test_nothing_to_label_gives_nothing(tmp_path):
    assert list(predict_photos(PhotoWalk([tmp_path]), [FakeModel()])) == []


def test_a_folder_of_only_bad_photos_is_answered_with_reasons(tmp_path):
    (tmp_path / "empty.jpg").write_bytes(b"")
    ((batch,),) = predict_photos(PhotoWalk([tmp_path, tmp_path / "gone.jpg"]), [FakeModel()])
    assert batch.reasons == (Reason.EMPTY, Reason.NOT_FOUND)
    assert batch.labels("baseColour") == [None, None]


def test_the_fake_answers_by_colour():
    pixels = np.stack([np.asarray(paint(name, (12, 16))) for name in ORDER])
    assert pixels.shape[1:3] == (FAKE_PREPROCESSING.height, FAKE_PREPROCESSING.width)
    assert answer(FakeModel(), pixels).label_indices["articleType"].tolist() == [0, 1, 2]
