from dataclasses import replace
from pathlib import Path

import pytest

from hangtag.inference.measured import (
    EngineSetting,
    Host,
    Measured,
    Timing,
    forget,
    forms_file,
    measurements_file,
    recall,
    recall_forms,
    remember,
    remember_form,
)

HOST = Host("A Processor", ("BF16", "FP32"), 4, "1.0")
MEASURED = Measured(HOST, "ab" * 32, "", (Timing(EngineSetting("bf16", 4, 16), 1234.5),))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / "bench.json"


def test_what_was_measured_is_recalled(path):
    remember(path, MEASURED)
    assert recall(path, MEASURED.key) == MEASURED
    assert [one.name for one in path.parent.iterdir()] == ["bench.json"]


def test_a_measurement_is_on_the_disk_before_it_has_its_name(path, synced):
    remember(path, MEASURED)
    assert [name.startswith(".bench.json.") for name in synced] == [True, False]


@pytest.mark.parametrize(
    "other",
    [
        replace(MEASURED, model="cd" * 32),
        replace(MEASURED, int8="cd" * 32),
        replace(MEASURED, host=replace(HOST, processor="Another")),
        replace(MEASURED, host=replace(HOST, abilities=("FP32",))),
        replace(MEASURED, host=replace(HOST, processors=2)),
        replace(MEASURED, host=replace(HOST, version="1.1")),
    ],
)
def test_another_model_processor_or_version_was_not_measured(path, other):
    remember(path, MEASURED)
    assert recall(path, other.key) is None
    remember(path, other)
    assert recall(path, MEASURED.key) == MEASURED
    assert recall(path, other.key) == other


def test_a_new_measurement_takes_the_place_of_the_old_one(path):
    remember(path, MEASURED)
    newer = replace(MEASURED, timings=(Timing(EngineSetting("fp32", 4, 8), 99.0),))
    remember(path, newer)
    assert recall(path, MEASURED.key) == newer


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"format": 2, "entries": []}', '{"format": 1, "entries": [{}]}', "\0"]
)
def test_a_broken_file_holds_nothing_and_is_replaced(path, text):
    path.parent.mkdir()
    path.write_text(text)
    assert recall(path, MEASURED.key) is None
    remember(path, MEASURED)
    assert recall(path, MEASURED.key) == MEASURED


def test_settings_that_no_engine_has_are_not_believed(path):
    remember(path, MEASURED)
    path.write_text(path.read_text().replace('"threads": 4', '"threads": 0'))
    assert recall(path, MEASURED.key) is None


def test_forgotten(path):
    assert not forget(path)
    remember(path, MEASURED)
    assert forget(path)
    assert recall(path, MEASURED.key) is None


def test_where_the_file_is(monkeypatch):
    assert measurements_file({"HANGTAG_BENCH": "/here/bench.json"}) == Path("/here/bench.json")
    assert measurements_file({"HANGTAG_BENCH": "none", "XDG_CACHE_HOME": "/cache"}) is None
    assert measurements_file({"XDG_CACHE_HOME": "/cache"}) == Path("/cache/hangtag/bench.json")
    monkeypatch.setenv("HOME", "/home/someone")
    assert measurements_file({}) == Path("/home/someone/.cache/hangtag/bench.json")


def test_this_host_is_the_same_each_time():
    assert Host.here() == Host.here()
    assert "FP32" in Host.here().abilities


def test_where_an_int8_form_lies_is_recalled(tmp_path):
    memory = forms_file({"HANGTAG_BENCH": str(tmp_path / "cache" / "bench.json")})
    assert memory == tmp_path / "cache" / "int8.json"
    assert forms_file({"HANGTAG_BENCH": "none"}) is None
    assert recall_forms(memory, "ab") == recall_forms(None, "ab") == []
    remember_form(memory, "ab", tmp_path / "first.onnx")
    remember_form(memory, "cd", tmp_path / "other.onnx")
    remember_form(memory, "ab", tmp_path / "second.onnx")
    assert recall_forms(memory, "ab") == [tmp_path / "second.onnx"]
    memory.write_text("[")
    assert recall_forms(memory, "cd") == []
