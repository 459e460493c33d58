from dataclasses import replace

import pytest

from hangtag.bundle.file import read_bundle, write_bundle
from hangtag.bundle.quantised import Quantisation, graph_sha256, quantised_path, with_quantisation
from hangtag.domain.errors import UsageError
from hangtag.inference.engine import BATCH_SIZE
from hangtag.inference.measured import EngineSetting, Timing, forms_file, remember, remember_form
from hangtag.inference.model import load_model
from hangtag.inference.runtime import preferred_precision
from hangtag.inference.selection import Forms
from tiny_bundle import build_tiny_card, build_tiny_graph


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    monkeypatch.setenv("HANGTAG_BENCH", str(tmp_path / "bench.json"))
    graph = build_tiny_graph()
    write_bundle(graph, build_tiny_card(graph), tmp_path / "tiny.onnx")
    return read_bundle(tmp_path / "tiny.onnx")


def add_quantised(bundle, *, allowed=True, source=None):
    """Put next to a bundle a form that says it is in int8; its numbers need not be."""
    made = Quantisation(source or graph_sha256(bundle), "drawn", 8, allowed, {"gender": {"lost_points": 0.1}})
    write_bundle(build_tiny_graph(), with_quantisation(bundle.card, made), quantised_path(bundle.path))


def measure(bundle, path, **rates):
    timings = [Timing(EngineSetting(precision, 1, 8), rate) for precision, rate in rates.items()]
    remember(path, Forms.of(bundle).record(timings))


def test_without_a_measurement_what_the_processor_prefers(bundle):
    assert load_model(bundle.path).engine.precision == preferred_precision()


def test_the_measured_fastest_with_its_layout(bundle, tmp_path):
    measure(bundle, tmp_path / "bench.json", bf16=100, fp32=200)
    engine = load_model(bundle.path).engine
    assert (engine.precision, engine.threads, engine.batch_size) == ("fp32", 1, 8)


def test_threads_that_are_asked_for_stay(bundle, tmp_path):
    measure(bundle, tmp_path / "bench.json", fp32=200)
    assert load_model(bundle.path, threads=2).engine.threads == 2


def test_what_is_asked_for_is_not_measured(bundle, tmp_path):
    add_quantised(bundle)
    measure(bundle, tmp_path / "bench.json", fp32=100, int8=200)
    assert load_model(bundle.path, precision="fp32").engine.precision == "fp32"
    assert load_model(bundle.path, precision="fp32").engine.batch_size == BATCH_SIZE


def test_an_int8_form_that_was_written_elsewhere_is_loaded(bundle, tmp_path):
    add_quantised(bundle)
    elsewhere = tmp_path / "forms" / "small.onnx"
    elsewhere.parent.mkdir()
    quantised_path(bundle.path).rename(elsewhere)
    assert Forms.of(bundle).quantised is None
    remember_form(forms_file(), graph_sha256(bundle), elsewhere)
    assert Forms.of(bundle).quantised.path == elsewhere
    assert load_model(bundle.path, precision="int8").engine.precision == "int8"


def test_the_int8_form_where_it_is_the_fastest(bundle, tmp_path):
    add_quantised(bundle)
    assert load_model(bundle.path).engine.precision != "int8"
    measure(bundle, tmp_path / "bench.json", fp32=100, int8=200)
    model = load_model(bundle.path)
    assert model.engine.precision == "int8"
    assert model.sha256 == bundle.sha256
    assert model.card.name == "tiny"


def test_an_int8_form_that_loses_too_much_is_not_chosen(bundle, tmp_path):
    add_quantised(bundle, allowed=False)
    measure(bundle, tmp_path / "bench.json", fp32=100, int8=200)
    assert load_model(bundle.path).engine.precision == "fp32"
    assert load_model(bundle.path, precision="int8").engine.precision == "int8"


def test_another_int8_form_has_to_be_measured_anew(bundle, tmp_path):
    add_quantised(bundle)
    measure(bundle, tmp_path / "bench.json", fp32=100, int8=200)
    path = quantised_path(bundle.path)
    found = read_bundle(path)
    write_bundle(build_tiny_graph(), replace(found.card, description="Made again."), path)
    assert load_model(bundle.path).engine.precision == preferred_precision()


def test_an_int8_form_of_another_model_is_none(bundle):
    add_quantised(bundle, source="0" * 64)
    assert Forms.of(bundle).quantised is None
    with pytest.raises(UsageError, match="cannot compute in int8"):
        load_model(bundle.path, precision="int8")


def test_the_heads_are_those_of_the_model_that_was_asked_for(bundle):
    heads = [replace(head, temperature=2.0) for head in bundle.card.heads]
    add_quantised(bundle)
    write_bundle(build_tiny_graph(), replace(bundle.card, heads=heads), bundle.path)
    assert load_model(bundle.path, precision="int8").card.heads == tuple(heads)


def test_a_broken_int8_form_stops_only_who_asks_for_it(bundle, tmp_path):
    measure(bundle, tmp_path / "bench.json", fp32=100)
    quantised_path(bundle.path).write_bytes(b"no model")
    assert load_model(bundle.path).engine.precision == preferred_precision()


def test_an_int8_form_alone_is_a_model(bundle):
    add_quantised(bundle)
    path = quantised_path(bundle.path)
    assert load_model(path).engine.precision == "int8"
    with pytest.raises(UsageError, match="cannot compute in fp32"):
        load_model(path, precision="fp32")


def test_an_int8_form_whose_golden_answers_are_wrong_is_not_chosen(bundle, tmp_path):
    add_quantised(bundle)
    path = quantised_path(bundle.path)
    found = read_bundle(path)
    wrong = [
        replace(check, logits={column: [50.0] * len(row) for column, row in check.logits.items()})
        for check in found.card.golden
    ]
    write_bundle(build_tiny_graph(), replace(found.card, golden=wrong), path)
    measure(bundle, tmp_path / "bench.json", fp32=100, int8=200)
    assert load_model(bundle.path).engine.precision != "int8"
