import numpy as np
import pytest

from fakes import FAKE_PREPROCESSING, FakeModel, build_card, encode, paint
from hangtag.domain.reasons import Reason
from hangtag.imaging.preprocess import Preprocessing
from hangtag.labelling.inputs import PhotoWalk
from hangtag.labelling.label import iter_labelled

ORDER = ["Red", "Green", "Blue"]


@pytest.fixture
def photos(tmp_path):
    """Forty photos, red, green and blue in turn; every seventh is broken."""
    for number in range(40):
        data = b"broken" * 9 if number % 7 == 3 else encode(paint(ORDER[number % 3]))
        (tmp_path / f"{number:02}.png").write_bytes(data)
    return PhotoWalk([tmp_path])


def answers(batches, position=0):
    """Return each photo's class index, or its reason, in the order of the rows."""
    found = []
    for batch in batches:
        chosen = iter(batch.scores[position].chosen["baseColour"].tolist())
        found += [next(chosen) if reason is None else reason for reason in batch.reasons]
        assert next(chosen, None) is None
    return found


@pytest.mark.parametrize(("threads", "batch_size"), [(1, 1), (2, 4), (3, 7), (2, 64)])
def test_every_photo_gets_its_own_answer_in_order(photos, threads, batch_size):
    batches = list(iter_labelled(photos, [FakeModel()], threads, batch_size))
    assert [name[-6:-4] for batch in batches for name in batch.names] == [f"{n:02}" for n in range(40)]
    expected = [n % 3 if n % 7 != 3 else None for n in range(40)]
    assert [a if isinstance(a, int) else None for a in answers(batches)] == expected


def test_bad_photos_never_reach_the_model(photos):
    model = FakeModel()
    batches = list(iter_labelled(photos, [model], 2, 7))
    assert sum(model.batches) == 34
    assert len(batches) == len(model.batches) == 6


def test_models_with_different_inputs_answer_the_same_photos(photos):
    other = FakeModel(build_card("other", preprocessing=Preprocessing(32, 32, 60, 80, "stretch")))
    batches = list(iter_labelled(photos, [FakeModel(), other], 2, 4))
    assert answers(batches, 0) == answers(batches, 1)


def test_no_more_than_a_few_batches_are_taken_before_the_first_answer(tmp_path):
    for number in range(100):
        (tmp_path / f"{number:03}.png").write_bytes(encode(paint("Red")))
    taken = []

    def watched():
        for photo in PhotoWalk([tmp_path]):
            taken.append(photo)
            yield photo

    batches = iter_labelled(watched(), [FakeModel()], 1, 2)
    next(batches)
    assert len(taken) < 30
    batches.close()


def test_a_failing_model_stops_the_run_and_its_threads(photos):
    class Failing(FakeModel):
        def label(self, pixels):
            raise ArithmeticError(len(pixels))

    with pytest.raises(ArithmeticError):
        list(iter_labelled(photos, [Failing()], 2, 4))


def test_nothing_to_label_gives_nothing(tmp_path):
    assert list(iter_labelled(PhotoWalk([tmp_path]), [FakeModel()], 2)) == []


def test_a_folder_of_only_bad_photos_is_answered_with_reasons(tmp_path):
    (tmp_path / "empty.jpg").write_bytes(b"")
    (batch,) = iter_labelled(PhotoWalk([tmp_path, tmp_path / "gone.jpg"]), [FakeModel()], 2)
    assert batch.reasons == (Reason.EMPTY, Reason.NOT_FOUND)
    assert batch.scores[0].chosen["baseColour"].shape == (0,)


def test_the_fake_answers_by_colour():
    pixels = np.stack([np.asarray(paint(name, (12, 16))) for name in ORDER])
    assert pixels.shape[1:3] == (FAKE_PREPROCESSING.height, FAKE_PREPROCESSING.width)
    assert FakeModel().label(pixels).chosen["articleType"].tolist() == [0, 1, 2]
