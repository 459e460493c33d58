"""A photo gets the same answers alone and in any batch, in the precision that is used by default."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageEnhance, ImageOps

from fakes import answer
from hangtag.bundle.file import read_bundle, write_bundle
from hangtag.imaging.preprocess import prepare_photo
from hangtag.imaging.samples import load_sample_photos
from hangtag.inference.engine import CompiledGraph, Engine, split_batch
from hangtag.inference.model import load_model
from hangtag.inference.runtime import load_runtime, preferred_precision, read_graph
from tiny_bundle import HEIGHT, WIDTH, build_tiny_card, build_tiny_graph, draw_pixels

pytestmark = pytest.mark.costly

PHOTOS = 64


def vary_samples(count):
    """Return JPEG photos: the drawn ones cropped, mirrored, darkened and in other colours."""
    dice, drawn = np.random.default_rng(7), list(load_sample_photos().values())
    for number in range(count):
        image = drawn[number % len(drawn)]
        left, top = dice.integers(0, 60, 2)
        image = image.crop((int(left), int(top), image.width - int(dice.integers(0, 60)), image.height))
        image = ImageEnhance.Color(ImageOps.mirror(image) if number % 3 else image).enhance(
            dice.uniform(0.2, 2)
        )
        image = ImageEnhance.Brightness(image).enhance(dice.uniform(0.5, 1.2))
        file = io.BytesIO()
        image.save(file, "JPEG", quality=int(dice.integers(50, 95)))
        yield file.getvalue()


def prepare_all(model, count):
    return np.stack([prepare_photo(data, model.card.preprocessing) for data in vary_samples(count)])


@pytest.fixture(scope="module")
def model():
    return load_model("default")


@pytest.fixture(scope="module")
def pixels(model):
    return prepare_all(model, PHOTOS)


@pytest.fixture(scope="module")
def alone(model, pixels):
    return [answer(model, pixels[position : position + 1]) for position in range(PHOTOS)]


def assert_same_answers(model, alone, found, order):
    for column in model.card.columns:
        chosen = np.concatenate([alone[position].label_indices[column] for position in order])
        np.testing.assert_array_equal(found.label_indices[column], chosen)
        expected = np.concatenate([alone[position].probabilities[column] for position in order])
        if model.engine.precision == "fp32":
            np.testing.assert_allclose(found.probabilities[column], expected, rtol=0, atol=1e-5)
        else:
            np.testing.assert_array_equal(found.probabilities[column], expected)


@settings(deadline=None, max_examples=8)
@given(order=st.permutations(range(PHOTOS)), size=st.integers(1, PHOTOS))
def test_a_photo_gets_the_same_answers_in_any_batch(model, pixels, alone, order, size):
    for start in range(0, PHOTOS, size):
        part = order[start : start + size]
        assert_same_answers(model, alone, answer(model, pixels[part]), part)


@pytest.mark.parametrize("name", ["basic_cnn", "deep_cnn"])
def test_so_it_does_in_the_other_models(name):
    model = load_model(name)
    pixels = prepare_all(model, 21)
    alone = [answer(model, photo[None]) for photo in pixels]
    assert_same_answers(model, alone, answer(model, pixels), range(21))


def test_the_number_of_threads_changes_no_answer(model, pixels, alone):
    other = load_model(model.card.name, threads=model.engine.threads + 1)
    assert_same_answers(model, alone, answer(other, pixels[:21]), range(21))


@pytest.fixture
def bundle(tmp_path):
    graph = build_tiny_graph()
    write_bundle(graph, build_tiny_card(graph), tmp_path / "tiny.onnx")
    return read_bundle(tmp_path / "tiny.onnx")


@pytest.mark.parametrize("disagreeing", [{16}, {4}, {4, 16}])
def test_a_graph_that_answers_otherwise_is_not_used(bundle, monkeypatch, disagreeing):
    pixels, used = draw_pixels(37), []
    expected = np.concatenate([Engine(bundle, threads=2).run(photo[None])["gender"] for photo in pixels])
    agree, start = CompiledGraph.answers_like, CompiledGraph.start
    monkeypatch.setattr(
        CompiledGraph,
        "answers_like",
        lambda graph, *rest: graph.size not in disagreeing and agree(graph, *rest),
    )
    engine = Engine(bundle, threads=2)
    engine.run(pixels[:5])
    engine.run(pixels)
    monkeypatch.setattr(
        CompiledGraph, "start", lambda graph, *rest: (used.append(graph.size), start(graph, *rest))[1]
    )
    np.testing.assert_array_equal(engine.run(pixels)["gender"], expected)
    assert set(used) == {1, 4, 16} - disagreeing


def test_a_graph_with_other_weights_or_in_another_precision_is_found_out():
    def compiled(seed, size, hint="f32"):
        graph = read_graph(build_tiny_graph(seed=seed).SerializeToString(), hint)
        return CompiledGraph(graph, (size, HEIGHT, WIDTH, 3), threads=1, precision_hint=hint)

    photos = draw_pixels(4)
    assert compiled(0, 4).answers_like(compiled(0, 1), photos)
    assert not compiled(0, 4).answers_like(compiled(1, 1), photos)
    if preferred_precision() == "bf16":
        assert not compiled(0, 4).answers_like(compiled(0, 1, "bf16"), photos)


def test_fewer_photos_than_a_graph_takes_are_filled_up():
    graph = load_runtime().read_model(build_tiny_graph().SerializeToString())
    compiled = CompiledGraph(graph, (4, HEIGHT, WIDTH, 3), threads=1, precision_hint="f32")
    pixels = draw_pixels(4)
    whole, some = compiled.start(pixels).finish(), compiled.start(pixels[:3]).finish()
    np.testing.assert_array_equal(some["gender"], whole["gender"][:3])


@pytest.mark.parametrize(
    ("count", "sizes", "parts"),
    [
        (1, [1], [1]),
        (3, [1], [1, 1, 1]),
        (2, [1, 4, 16], [1, 1]),
        (3, [1, 4, 16], [4]),
        (9, [1, 4, 16], [4, 4, 1]),
        (15, [1, 4, 16], [16]),
        (36, [1, 4, 16], [16, 16, 4]),
        (20, [1, 16], [16, 1, 1, 1, 1]),
        (31, [1, 16], [16, 16]),
    ],
)
def test_a_batch_is_split_at_the_least_cost(count, sizes, parts):
    assert split_batch(count, sizes) == parts
