from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from hangtag.bundle.card_json import render_card
from hangtag.bundle.file import METADATA_KEY, Bundle, read_bundle, write_bundle
from hangtag.domain.errors import BundleError, UsageError
from hangtag.inference.engine import Engine
from hangtag.inference.runtime import load_runtime
from tiny_bundle import build_tiny_card, build_tiny_graph, draw_pixels, reference_logits

GRAPH = build_tiny_graph()
CARD = build_tiny_card(GRAPH)
BATCH = 4


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "tiny.onnx"
    write_bundle(GRAPH, CARD, path)
    return read_bundle(path)


@pytest.fixture(scope="module")
def engine(bundle):
    return Engine(bundle, precision="fp32", threads=2, batch_size=BATCH)


def assert_same(found, expected):
    assert list(found) == list(expected)
    for column in expected:
        np.testing.assert_array_equal(found[column], expected[column])


@pytest.mark.parametrize("count", [1, 3, BATCH, BATCH + 1, 5 * BATCH])
def test_the_logits_are_those_of_onnx_whatever_the_size_of_the_batch(engine, count):
    pixels = draw_pixels(count)
    found = engine.run(pixels)
    assert list(found) == list(CARD.columns)
    for column, expected in reference_logits(GRAPH, pixels).items():
        assert found[column].dtype == np.float32
        np.testing.assert_allclose(found[column], expected, atol=1e-4)


def test_no_photos_give_no_logits(engine):
    assert {column: rows.shape for column, rows in engine.run(draw_pixels(0)).items()} == {
        "masterCategory": (0, 3),
        "articleType": (0, 5),
        "gender": (0, 2),
    }


@settings(deadline=None, max_examples=40)
@given(order=st.permutations(range(11)), size=st.integers(1, 11))
def test_in_fp32_a_photo_has_the_same_bits_wherever_it_stands(engine, order, size):
    pixels = draw_pixels(11)
    alone = [engine.run(pixels[position : position + 1]) for position in order]
    shuffled = pixels[list(order)]
    found = list(engine.iter_run(shuffled[start : start + size] for start in range(0, 11, size)))
    for column in CARD.columns:
        np.testing.assert_array_equal(
            np.concatenate([rows[column] for rows in found]), np.concatenate([rows[column] for rows in alone])
        )


def test_in_fp32_another_engine_gives_the_same_bits(bundle, engine):
    pixels = draw_pixels(9)
    assert_same(Engine(bundle, precision="fp32", threads=1, batch_size=9).run(pixels), engine.run(pixels))


def test_a_stream_keeps_the_order_and_the_sizes_of_its_batches(engine):
    pixels = draw_pixels(20)
    sizes = [0, 3, BATCH, 0, 9, 4, 0]
    starts = np.cumsum([0, *sizes])
    batches = [pixels[start : start + size] for start, size in zip(starts, sizes, strict=False)]
    answers = list(engine.iter_run(iter(batches)))
    assert [len(answer["gender"]) for answer in answers] == sizes
    whole = engine.run(pixels)
    for column in CARD.columns:
        np.testing.assert_array_equal(np.concatenate([answer[column] for answer in answers]), whole[column])


def test_a_stream_is_lazy(engine):
    taken = 0

    def iter_batches():
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield draw_pixels(BATCH)

    answers = engine.iter_run(iter_batches())
    next(answers)
    assert taken < 20
    answers.close()


def test_a_stream_that_is_left_early_does_no_harm(engine):
    expected = engine.run(draw_pixels(BATCH))
    answers = engine.iter_run(draw_pixels(BATCH, seed) for seed in range(50))
    next(answers)
    answers.close()
    assert_same(engine.run(draw_pixels(BATCH)), expected)


def test_an_error_of_the_source_reaches_the_reader_of_the_stream(engine):
    def iter_batches():
        yield draw_pixels(BATCH)
        raise OSError("the disk has gone")

    with pytest.raises(OSError, match="the disk has gone"):
        list(engine.iter_run(iter_batches()))


def test_many_threads_may_share_an_engine(engine):
    pixels = [draw_pixels(1 + seed % 9, seed) for seed in range(40)]
    expected = [engine.run(batch) for batch in pixels]
    with ThreadPoolExecutor(8) as pool:
        for found, wanted in zip(pool.map(engine.run, pixels), expected, strict=True):
            assert_same(found, wanted)


def test_pixels_that_cannot_be_written_or_do_not_lie_in_a_row_are_taken_too(engine):
    pixels = draw_pixels(7)
    expected = engine.run(pixels)
    frozen = pixels.copy()
    frozen.setflags(write=False)
    assert_same(engine.run(frozen), expected)
    assert_same(engine.run(np.asfortranarray(pixels)), expected)
    assert_same(engine.run(pixels[::-1][::-1]), expected)


def test_answers_do_not_change_when_the_next_ones_come(engine):
    first = engine.run(draw_pixels(BATCH, 1))
    kept = {column: rows.copy() for column, rows in first.items()}
    engine.run(draw_pixels(BATCH, 2))
    assert_same(first, kept)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((2, 16, 12, 3), np.float32),
        np.zeros((2, 12, 16, 3), np.uint8),
        np.zeros((16, 12, 3), np.uint8),
        np.zeros((2, 3, 16, 12), np.uint8),
    ],
)
def test_pixels_of_another_kind_are_refused(engine, pixels):
    with pytest.raises(UsageError, match=r"uint8 of shape \(n, 16, 12, 3\), not"):
        engine.run(pixels)


@pytest.mark.parametrize("settings", [{"precision": "int4"}, {"threads": 0}, {"batch_size": 0}])
def test_settings_that_cannot_be_are_refused(bundle, settings):
    with pytest.raises(UsageError):
        Engine(bundle, **settings)


def test_a_path_is_read_and_verified(bundle, tmp_path):
    assert Engine(bundle.path, threads=1).card == CARD
    onnx.save(GRAPH, tmp_path / "plain.onnx")
    with pytest.raises(BundleError, match="has no card"):
        Engine(tmp_path / "plain.onnx")


@pytest.mark.parametrize(("threads", "pinned"), [(1, False), (3, False), (4, True)])
def test_threads_are_pinned_only_where_the_engine_has_all_processors(bundle, threads, pinned, monkeypatch):
    core, seen = load_runtime(), []

    class Runtime:
        def compile_model(self, graph, device, settings):
            seen.append(settings["ENABLE_CPU_PINNING"])
            return core.compile_model(graph, device, settings)

        def __getattr__(self, name):
            return getattr(core, name)

    monkeypatch.setattr("hangtag.inference.engine.load_runtime", Runtime)
    monkeypatch.setattr("hangtag.inference.engine.count_usable_cpus", lambda: 4)
    Engine(bundle, precision="fp32", threads=threads, batch_size=BATCH).run(draw_pixels(BATCH))
    assert set(seen) == {pinned}


def test_the_engine_says_in_what_it_computes(bundle, engine):
    assert engine.precision == "fp32"
    assert Engine(bundle, precision="auto").precision in ("fp32", "bf16", "fp16")


def test_reduced_precision_stays_near(bundle, engine):
    pixels = draw_pixels(32)
    exact, fast = engine.run(pixels), Engine(bundle, precision="bf16", threads=2).run(pixels)
    for column in CARD.columns:
        assert np.abs(fast[column] - exact[column]).max() <= 0.03 * np.abs(exact[column]).max()


def untrusted(graph, tmp_path):
    """Return a bundle that no check of ours has seen."""
    model = onnx.ModelProto.FromString(graph.SerializeToString())
    helper.set_model_props(model, {METADATA_KEY: render_card(CARD)})
    return Bundle(tmp_path / "untrusted.onnx", CARD, model.SerializeToString(), "")


def test_a_size_that_the_file_states_falsely_is_found_out(tmp_path):
    graph = build_tiny_graph({"masterCategory": "abc", "articleType": "abcdef", "gender": "ab"})
    graph.graph.output[1].type.tensor_type.shape.dim[1].dim_value = 5
    with pytest.raises(BundleError, match=r"untrusted\.onnx"):
        Engine(untrusted(graph, tmp_path))


def test_an_operator_that_does_not_exist_is_a_bundle_error(tmp_path):
    graph = build_tiny_graph()
    graph.graph.node[0].op_type = "StealSecrets"
    with pytest.raises(BundleError, match="OpenVINO cannot"):
        Engine(untrusted(graph, tmp_path))


def test_weights_of_a_wrong_shape_are_a_bundle_error(tmp_path):
    graph = build_tiny_graph()
    graph.graph.initializer[1].dims[0] = 7
    with pytest.raises(BundleError, match="OpenVINO cannot"):
        Engine(untrusted(graph, tmp_path))
