from types import SimpleNamespace

import pyarrow as pa
import pytest

from fakes import FakeModel, encode, paint
from hangtag.bundle.file import write_bundle
from hangtag.domain.errors import BundleError
from hangtag.evaluation import precision
from hangtag.evaluation.precision import PrecisionCost, allow_precisions, is_free, is_worth_its_speed
from hangtag.inference import runtime
from tiny_bundle import build_tiny_card, build_tiny_graph

COLOURS = ("Red", "Green", "Blue")


class PaintedPhotos:
    """A catalogue of photos of one colour, called by it."""

    name = "painted"

    def read_photo(self, name):
        return encode(paint(name))


TABLE = pa.table({"photo": COLOURS, "baseColour": COLOURS, "split": ["validation"] * len(COLOURS)})


class Hasty(FakeModel):
    """Calls every photo red."""

    def run(self, pixels):
        return {column: logits - [0, 99, 99] for column, logits in super().run(pixels).items()}


@pytest.fixture
def allow(monkeypatch):
    """Ask what is allowed to a model that answers so in bf16, on a processor that computes in `arithmetic`."""

    def allow(fast, arithmetic="bf16", table=TABLE):
        fast.engine = SimpleNamespace(precision=arithmetic)
        monkeypatch.setattr(
            precision,
            "load_model",
            lambda _, precision, **_trusted: fast if precision == "bf16" else FakeModel(),
        )
        return allow_precisions("a bundle", table, PaintedPhotos())

    return allow


def test_bf16_that_loses_nothing_is_allowed(allow):
    precisions, costs = allow(FakeModel())
    assert precisions == ("fp32", "bf16")
    assert costs["baseColour"].lost_points == 0
    assert costs["baseColour"].support == len(COLOURS)


def test_bf16_that_loses_is_not(allow):
    precisions, costs = allow(Hasty())
    assert precisions == ("fp32",)
    assert costs["baseColour"].lost_points > 50


def test_a_head_without_a_label_in_the_split_has_no_say(allow):
    unlabelled = pa.nulls(len(COLOURS), pa.string())
    precisions, costs = allow(FakeModel(), table=TABLE.append_column("articleType", unlabelled))
    assert set(costs) == {"baseColour"}
    assert precisions == ("fp32", "bf16")


def test_what_was_measured_nowhere_is_not_free():
    assert not is_free({})
    assert not is_worth_its_speed({})


@pytest.mark.parametrize(
    ("lost", "won", "free"),
    [(1, 0, True), (3, 1, True), (5, 0, False), (12, 4, False), (30, 27, True), (60, 50, False)],
)
def test_a_few_answers_that_turn_by_chance_cost_nothing(lost, won, free):
    photos, right = 2000, 1800
    cost = PrecisionCost(
        right / photos, (right - lost + won) / photos, 1 - (lost + won) / photos, photos, lost, won
    )
    assert is_free({"season": cost}) is free


def test_a_processor_without_bf16_allows_none(allow):
    assert allow(FakeModel(), arithmetic="fp32") == (("fp32",), {})


def test_bf16_that_fails_the_golden_check_is_not_allowed(monkeypatch):
    def load_model(_, precision, **_trusted):
        if precision == "bf16":
            raise BundleError("the model fails its golden check in bf16")
        return FakeModel()

    monkeypatch.setattr(precision, "load_model", load_model)
    assert allow_precisions("a bundle", TABLE, PaintedPhotos()) == (("fp32",), {})


def test_what_is_measured_is_the_form_that_labels_with_its_first_layers_in_float32(monkeypatch, tmp_path):
    formed = []

    def keep(_, graph):
        formed.append(graph)
        return graph

    monkeypatch.setattr(runtime, "keep_first_layers_exact", keep)
    graph = build_tiny_graph()
    write_bundle(graph, build_tiny_card(graph), tmp_path / "tiny.onnx")
    table = TABLE.rename_columns(["photo", "articleType", "split"])
    allow_precisions(tmp_path / "tiny.onnx", table, PaintedPhotos())
    assert len(formed) == 1  # float32 needs no such form
