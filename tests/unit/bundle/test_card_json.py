import json

import pytest

from hangtag.bundle.card_json import card_values, parse_card, render_card
from hangtag.domain.errors import BundleError
from tiny_bundle import build_tiny_card, build_tiny_graph


@pytest.fixture
def values():
    return json.loads(render_card(build_tiny_card(build_tiny_graph())))


def parse(values):
    return parse_card(json.dumps(values))


def test_the_format_stands_first_so_that_a_reader_meets_it_first(values):
    assert next(iter(values)) == "format"
    assert parse(values) == build_tiny_card(build_tiny_graph())


@pytest.mark.parametrize("name", list(card_values(build_tiny_card())))
def test_every_field_is_needed(values, name):
    del values[name]
    with pytest.raises(BundleError, match="format" if name == "format" else f"the card lacks {name}"):
        parse(values)


def test_an_unknown_field_is_refused(values):
    with pytest.raises(BundleError, match="unknown fields: colour"):
        parse(values | {"colour": "red"})


@pytest.mark.parametrize(
    ("part", "problem"),
    [("heads", "the head lacks temperature"), ("golden", "the golden check lacks logits")],
)
def test_every_field_of_a_part_is_needed(values, part, problem):
    del values[part][0][problem.rsplit(" ", 1)[1]]
    with pytest.raises(BundleError, match=problem):
        parse(values)


TEXTS = ["name", "version", "description", "licence", "created", "architecture"]
OBJECTS = ["recipe", "taxonomy", "preprocessing", "data", "metrics"]
LISTS = ["heads", "history", "golden", "sources"]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [(name, wrong) for name in TEXTS for wrong in (None, 7, ["text"])]
    + [(name, wrong) for name in OBJECTS for wrong in (None, "text", [])]
    + [(name, wrong) for name in LISTS for wrong in (None, "text", {}, [7])]
    + [("golden_tolerance", wrong) for wrong in (None, "0.1", True)],
)
def test_a_value_of_a_wrong_type_is_a_bundle_error(values, name, wrong):
    with pytest.raises(BundleError, match="should be a"):
        parse(values | {name: wrong})


@pytest.mark.parametrize(
    "wrong",
    [
        {"column": 7},
        {"classes": "Men"},
        {"classes": [7, 8]},
        {"temperature": "1"},
        {"threshold": True},
        {"path_weight": "1"},
    ],
)
def test_a_head_of_wrong_types_is_a_bundle_error(values, wrong):
    values["heads"][0] |= wrong
    with pytest.raises(BundleError, match="should be a"):
        parse(values)


def test_a_newer_format_says_to_upgrade_before_anything_else():
    with pytest.raises(
        BundleError, match=r"format 4, and this version of hangtag reads up to format 3\. Install a newer"
    ):
        parse_card('{"format": 4, "everything": "else is different"}')


@pytest.mark.parametrize("found", [None, 0, -1, "1", 1.0, True])
def test_a_format_is_a_positive_whole_number(values, found):
    with pytest.raises(BundleError, match="does not say its format"):
        parse(values | {"format": found})


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "null", '{"format": NaN}', "[" * 100_000])
def test_what_is_no_card_is_a_bundle_error(text):
    with pytest.raises(BundleError, match="the card"):
        parse_card(text)


def test_a_number_beyond_floats_is_a_bundle_error(values):
    with pytest.raises(BundleError, match="too large"):
        parse(values | {"golden_tolerance": 10**400})


@pytest.mark.parametrize(
    ("field", "value"), [("metrics", {"loss": float("nan")}), ("recipe", {"path": object()})]
)
def test_what_json_does_not_know_cannot_be_written(field, value):
    with pytest.raises(BundleError, match="cannot be written as JSON"):
        render_card(build_tiny_card(**{field: value}))


def test_impossible_preprocessing_is_refused(values):
    for wrong in ({"width": 0}, {"width": True}, {"height": 1.5}, {"fit": "crop"}, {"depth": 3}):
        with pytest.raises(BundleError, match="preprocessing"):
            parse(values | {"preprocessing": values["preprocessing"] | wrong})


def test_a_path_of_a_wrong_length_is_refused(values):
    values["taxonomy"]["paths"].append(["Apparel"])
    with pytest.raises(BundleError, match="taxonomy is broken"):
        parse(values)


def test_fields_that_came_with_format_2_are_needed_in_it_and_refused_before(values):
    values = {name: value for name, value in values.items() if name not in {"embedding", "sources"}}
    second = {"gate" if name == "ood_detector" else name: value for name, value in values.items()} | {
        "format": 2
    }
    assert parse(second).ood_detector is None
    for missing in ("gate", "target_accuracy"):
        named = "ood_detector" if missing == "gate" else missing
        with pytest.raises(BundleError, match=f"the card lacks {named}"):
            parse({name: value for name, value in second.items() if name != missing})
    with pytest.raises(BundleError, match="unknown fields: gate, target_accuracy"):
        parse(second | {"format": 1})


def test_fields_that_came_with_format_3_are_needed_in_it_and_refused_before(values):
    for missing in ("embedding", "sources", "ood_detector"):
        with pytest.raises(BundleError, match=f"the card lacks {missing}"):
            parse({name: value for name, value in values.items() if name != missing})
    with pytest.raises(BundleError, match="unknown fields: embedding, ood_detector, sources"):
        parse(values | {"format": 2})
    with pytest.raises(BundleError, match="unknown fields: gate"):
        parse(values | {"gate": None})


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"embedding": {"output": "embedding"}}, "the embedding lacks size"),
        ({"embedding": {"output": "embedding", "size": 0}}, "has 0 numbers"),
        ({"embedding": {"output": "embedding", "size": 8.0}}, "should be a whole number"),
        ({"embedding": {"output": "gender", "size": 8}}, "that of a head"),
        ({"sources": [{"name": "shop"}]}, "the source lacks attribution, licence, photos"),
        ({"sources": [{"name": "", "photos": 1, "licence": "", "attribution": ""}]}, "no name"),
    ],
)
def test_an_embedding_or_a_source_that_cannot_be_is_refused(values, changes, problem):
    with pytest.raises(BundleError, match=problem):
        parse(values | changes)


@pytest.mark.parametrize(
    ("detector", "problem"),
    [
        ("score", "should be a dict"),
        ({"output": "score"}, "lacks method, threshold"),
        ({"output": "", "threshold": 1.0, "method": ""}, "no output"),
        ({"output": "gender", "threshold": 1.0, "method": ""}, "that of a head"),
        ({"output": "score", "threshold": 1e999, "method": ""}, "card is not JSON|not a finite number"),
    ],
)
def test_an_ood_detector_that_cannot_be_is_refused(values, detector, problem):
    with pytest.raises(BundleError, match=problem):
        parse(values | {"ood_detector": detector})


def test_some_levels_with_a_path_weight_and_some_without_contradict_each_other(values):
    values["heads"][0]["path_weight"] = 0.5
    with pytest.raises(BundleError, match="only masterCategory have a path weight"):
        parse(values)
    values["heads"][1]["path_weight"] = 0.5
    assert parse(values).head("articleType").path_weight == 0.5
