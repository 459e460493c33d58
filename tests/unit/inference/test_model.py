import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import answer
from hangtag.bundle.card import HeadCard
from hangtag.bundle.file import replace_card, write_bundle
from hangtag.domain.errors import BundleError, UsageError
from hangtag.domain.prediction import Failure, Label, Prediction
from hangtag.domain.reasons import Reason
from hangtag.domain.taxonomy import Taxonomy
from hangtag.inference import selection
from hangtag.inference.engine import Engine
from hangtag.inference.model import load_model
from tiny_bundle import (
    TINY_TAXONOMY,
    build_tiny_card,
    build_tiny_graph,
    draw_pixels,
    draw_png,
    reference_logits,
)

GRAPH = build_tiny_graph()
CARD = build_tiny_card(GRAPH)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "tiny.onnx"
    write_bundle(GRAPH, CARD, path)
    return path


@pytest.fixture(scope="module")
def model(path):
    return load_model(path, precision="fp32", threads=2)


def test_scores_are_calibrated_probabilities_of_the_logits(tmp_path):
    heads = [replace(head, temperature=2.5) for head in CARD.heads]
    write_bundle(GRAPH, replace(CARD, heads=heads), tmp_path / "warm.onnx")
    pixels = draw_pixels(5)
    found = answer(load_model(tmp_path / "warm.onnx", precision="fp32"), pixels)
    for column, logits in reference_logits(GRAPH, pixels).items():
        expected = np.exp(logits / 2.5)
        expected /= expected.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found.probabilities[column], expected, atol=1e-5)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), count=st.integers(0, 20))
def test_every_answer_is_a_path_of_the_taxonomy_and_sums_to_one(model, seed, count):
    found = answer(model, draw_pixels(count, seed))
    known = {(path[0], path[2]) for path in TINY_TAXONOMY.paths}
    for row in range(count):
        path = tuple(
            CARD.head(column).classes[found.label_indices[column][row]]
            for column in ("masterCategory", "articleType")
        )
        assert path in known
    for column in CARD.columns:
        assert found.probabilities[column].shape == (count, len(CARD.head(column).classes))
        assert found.label_indices[column].shape == (count,)
        assert found.label_indices[column].dtype == np.int64
        np.testing.assert_allclose(found.probabilities[column].sum(axis=1), 1, atol=1e-5)


def test_a_free_head_answers_its_most_probable_class(model):
    found = answer(model, draw_pixels(9))
    probabilities = found.probabilities["gender"]
    np.testing.assert_array_equal(found.label_indices["gender"], probabilities.argmax(axis=1))
    np.testing.assert_array_equal(found.confidence("gender"), probabilities.max(axis=1))


def test_a_stream_of_batches_is_scored_like_one_batch(model):
    pixels = draw_pixels(13)
    whole = model.run(pixels)
    streamed = list(model.iter_run([pixels[:5], pixels[5:5], pixels[5:]]))
    for column in CARD.columns:
        np.testing.assert_array_equal(
            np.concatenate([outputs[column] for outputs in streamed]), whole[column]
        )


def test_predict_takes_paths_and_bytes_and_answers_in_order(model, tmp_path):
    (tmp_path / "good.png").write_bytes(draw_png(1))
    (tmp_path / "text.jpg").write_text("no photo")
    given = [tmp_path / "good.png", str(tmp_path / "text.jpg"), draw_png(2), b"", str(tmp_path / "none.jpg")]
    found = model.predict(given)
    assert [type(outcome) for outcome in found] == [Prediction, Failure, Prediction, Failure, Failure]
    assert [outcome.photo for outcome in found] == [str(given[0]), given[1], "photo 3", "photo 4", given[4]]
    assert [outcome.reason for outcome in found if isinstance(outcome, Failure)] == [
        Reason.NOT_A_PHOTO,
        Reason.EMPTY,
        Reason.NOT_FOUND,
    ]
    assert found[2] == model.predict([draw_png(1), draw_png(1), draw_png(2)])[2]


def test_candidates_are_labels_with_the_chosen_one_first(model):
    (prediction,) = model.predict([draw_png(1)]).rows(3)
    assert {column: len(labels) for column, labels in prediction.candidates.items()} == {
        "masterCategory": 3,
        "articleType": 3,
        "gender": 2,
    }
    assert prediction.path in {(path[0], path[2]) for path in TINY_TAXONOMY.paths}
    others = [label.confidence for label in prediction.candidates["articleType"][1:]]
    assert others == sorted(others, reverse=True)
    assert isinstance(prediction["gender"], Label)
    assert type(prediction["gender"].confidence) is float
    assert sum(label.confidence for label in prediction.candidates["gender"]) == pytest.approx(1)


def test_many_photos_come_back_in_order_with_their_failures(model):
    photos = [b"" if number % 5 == 2 else draw_png(number) for number in range(150)]
    found = model.predict(photos)
    assert [isinstance(outcome, Failure) for outcome in found] == [number % 5 == 2 for number in range(150)]
    assert found[149].candidates == model.predict([photos[149]])[0].candidates


def test_predictions_are_streamed(model):
    taken = 0

    def iter_photos():
        nonlocal taken
        for number in range(2000):
            taken += 1
            yield draw_png(number % 7)

    batches = model.iter_predict(iter_photos())
    assert len(next(batches)) == 32
    assert taken < 1000
    batches.close()


def test_nothing_to_predict(model):
    found = model.predict([])
    assert (len(found), list(found), found.to_dicts()) == (0, [], [])


def test_one_photo_needs_no_list(model, tmp_path):
    (tmp_path / "a.png").write_bytes(draw_png(3))
    for photo in (tmp_path / "a.png", str(tmp_path / "a.png"), draw_png(3)):
        (found,) = model.predict(photo)
        assert found.candidates == model.predict([draw_png(3)])[0].candidates


def test_top_k_is_at_least_one(model):
    with pytest.raises(UsageError, match="top_k is at least 1, not 0"):
        list(model.predict([draw_png()]).rows(0))


@pytest.mark.parametrize("classes", [{"baseColour": ("Red", "Blue")}, {"articleType": ("Tshirts", "Jeans")}])
def test_a_model_with_one_head_and_no_taxonomy_works(tmp_path, classes):
    graph = build_tiny_graph(classes)
    card = build_tiny_card(graph, classes, taxonomy=Taxonomy((), ()))
    write_bundle(graph, card, tmp_path / "one.onnx")
    prediction = load_model(tmp_path / "one.onnx").predict([draw_png()])[0]
    assert set(prediction.candidates) == set(classes)


def test_the_model_knows_its_card_and_its_hash(model, path):
    assert model.card == CARD
    assert len(model.sha256) == 64
    assert load_model(path, verify=False).sha256 == model.sha256


@pytest.fixture
def spoiled(tmp_path):
    """A bundle whose golden answers are wrong by a little: more than fp32 and less than bf16 may differ."""

    def spoil(by):
        path = tmp_path / "spoiled.onnx"
        first = CARD.golden[0]
        row = tuple(value + by for value in first.logits["gender"])
        golden = [replace(first, logits={**first.logits, "gender": row})]
        write_bundle(GRAPH, replace(CARD, golden=golden), path)
        return path

    return spoil


@pytest.mark.parametrize("precision", ["auto", "fp32", "bf16"])
def test_a_model_that_fails_its_golden_check_is_not_loaded(spoiled, precision):
    with pytest.raises(BundleError, match="fails its golden check"):
        load_model(spoiled(5.0), precision=precision)
    assert load_model(spoiled(5.0), precision=precision, verify=False).predict([draw_png()])


class FastEngine(Engine):
    """An engine on a processor that computes in bf16 unless it is told not to."""

    def __init__(self, bundle, *, precision, **settings):
        super().__init__(bundle, precision="fp32", **settings)
        self.asked = precision

    @property
    def precision(self):
        return "fp32" if self.asked == "fp32" else "bf16"


def test_auto_falls_back_to_fp32_where_a_faster_precision_fails(path, monkeypatch):
    checked = []

    def check(engine, where):
        checked.append(engine.precision)
        if engine.precision == "bf16":
            raise BundleError("too far off", where=where)

    monkeypatch.setattr(selection, "check_golden", check)
    monkeypatch.setattr(selection, "Engine", FastEngine)
    assert load_model(path).engine.precision == "fp32"
    assert checked == ["bf16", "fp32"]
    with pytest.raises(BundleError, match="too far off"):
        load_model(path, precision="bf16")


def test_auto_takes_no_arithmetic_that_the_card_does_not_allow(tmp_path, monkeypatch):
    monkeypatch.setattr(selection, "Engine", FastEngine)
    for allowed, chosen in ((("fp32", "bf16"), "bf16"), (("fp32",), "fp32"), (("fp32", "fp16"), "fp32")):
        path = tmp_path / f"{'-'.join(allowed)}.onnx"
        write_bundle(GRAPH, replace(CARD, precisions=allowed), path)
        assert load_model(path).engine.precision == chosen
        assert load_model(path, precision="bf16").engine.precision == "bf16"


def test_a_model_is_found_by_name(path, monkeypatch):
    monkeypatch.setenv("HANGTAG_MODELS", str(path.parent))
    assert load_model("tiny").card == CARD
    with pytest.raises(BundleError, match="Did you mean tiny"):
        load_model("tin")


def test_loading_brings_in_neither_onnx_nor_telemetry_nor_the_network(path):
    script = (
        "import sys\n"
        "asked = []\n"
        "sys.addaudithook(lambda event, _: event.startswith('socket.') and asked.append(event))\n"
        "from hangtag import load_model\n"
        "load_model(sys.argv[1]).predict([sys.argv[1]])\n"
        "heavy = ['onnx', 'openvino_telemetry', 'pyarrow', 'rich', 'torch', 'typer', 'urllib.request']\n"
        "print([name for name in heavy if name in sys.modules], asked)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    assert done.stdout == "[] []\n"


def test_a_new_card_changes_the_answers(tmp_path, model):
    del model
    path = tmp_path / "tiny.onnx"
    write_bundle(GRAPH, CARD, path)
    renamed = [replace(head, classes=[f"new {name}" for name in head.classes]) for head in CARD.heads]
    replace_card(path, replace(CARD, heads=renamed, taxonomy=Taxonomy((), ())))
    assert load_model(path).predict([draw_png()])[0]["gender"].value.startswith("new ")


def test_heads_stand_in_the_order_of_the_card_not_of_the_graph(tmp_path):
    heads = [HeadCard(head.column, head.classes) for head in reversed(CARD.heads)]
    write_bundle(GRAPH, replace(CARD, heads=heads), tmp_path / "turned.onnx")
    prediction = load_model(tmp_path / "turned.onnx").predict([draw_png()])[0]
    assert list(prediction.candidates) == ["gender", "articleType", "masterCategory"]
