from dataclasses import replace

import pytest

from hangtag.bundle.file import read_bundle, replace_card, write_bundle
from hangtag.bundle.quantised import (
    Quantisation,
    find_quantised,
    graph_sha256,
    is_quantised,
    quantised_path,
    read_quantisation,
    with_quantisation,
)
from hangtag.domain.errors import BundleError
from tiny_bundle import build_tiny_card, build_tiny_graph


@pytest.fixture
def bundle(tmp_path):
    graph = build_tiny_graph()
    write_bundle(graph, build_tiny_card(graph), tmp_path / "tiny.onnx")
    return read_bundle(tmp_path / "tiny.onnx")


@pytest.fixture
def made(bundle):
    return Quantisation(
        graph_sha256(bundle), "drawn", 8, allowed=True, costs={"gender": {"lost_points": 0.05, "support": 20}}
    )


def test_the_making_is_in_the_card_and_survives_the_file(bundle, made):
    write_bundle(build_tiny_graph(), with_quantisation(bundle.card, made), quantised_path(bundle.path))
    found = find_quantised(bundle)
    assert is_quantised(found.card)
    assert read_quantisation(found.card) == made
    assert not is_quantised(bundle.card)


def test_it_lies_beside_its_source(tmp_path):
    assert quantised_path(tmp_path / "default.onnx") == tmp_path / "default.int8.onnx"


def test_it_is_found_elsewhere_where_none_lies_beside(bundle, made, tmp_path):
    elsewhere = tmp_path / "forms" / "small.onnx"
    write_bundle(build_tiny_graph(), with_quantisation(bundle.card, made), elsewhere)
    assert find_quantised(bundle) is None
    assert find_quantised(bundle, [tmp_path / "gone.onnx", elsewhere]).path == elsewhere


def test_new_figures_in_the_source_keep_its_int8_form(bundle, made):
    write_bundle(build_tiny_graph(), with_quantisation(bundle.card, made), quantised_path(bundle.path))
    replace_card(bundle.path, replace(bundle.card, metrics={"test": {}}, description="Measured again."))
    again = read_bundle(bundle.path)
    assert again.sha256 != bundle.sha256
    assert find_quantised(again).card.description == "Measured again."


def test_new_weights_in_the_source_do_not(bundle, made):
    write_bundle(build_tiny_graph(), with_quantisation(bundle.card, made), quantised_path(bundle.path))
    write_bundle(build_tiny_graph(seed=1), replace(bundle.card, golden=()), bundle.path)
    assert find_quantised(read_bundle(bundle.path)) is None


def test_an_int8_form_has_none_of_its_own(bundle, made):
    write_bundle(build_tiny_graph(), with_quantisation(bundle.card, made), bundle.path)
    assert find_quantised(read_bundle(bundle.path)) is None


def test_a_float_model_under_the_name_is_none(bundle):
    write_bundle(build_tiny_graph(), bundle.card, quantised_path(bundle.path))
    assert find_quantised(bundle) is None


@pytest.mark.parametrize("values", [None, {}, [], {"source_graph": "", "method": "", "photos": 1}])
def test_a_card_that_does_not_say_how_it_was_made(bundle, made, values):
    card = with_quantisation(bundle.card, made)
    with pytest.raises(BundleError, match="what it was made from"):
        read_quantisation(replace(card, data={"quantisation": values}))


def test_only_true_allows(bundle, made):
    values = {**made.to_json(), "allowed": "yes"}
    assert not read_quantisation(replace(bundle.card, data={"quantisation": values})).allowed
