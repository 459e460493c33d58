"""The bundle's format is a promise to files that are already out there: what version 1 wrote stays readable."""

import json
from pathlib import Path

import onnx
import onnx.reference
from hypothesis import given, settings
from hypothesis import strategies as st

from hangtag.bundle.card import Card, EmbeddingCard, GoldenCheck, HeadCard, OodDetectorCard, SourceCard
from hangtag.bundle.card_json import card_values, parse_card, render_card
from hangtag.bundle.file import read_bundle, write_bundle
from hangtag.domain.taxonomy import Taxonomy
from hangtag.imaging.preprocess import Preprocessing
from tiny_bundle import TINY_HEADS, build_tiny_card, build_tiny_graph, draw_pixels

FORMAT_1 = Path(__file__).with_name("card_format_1.json")
FORMAT_2 = Path(__file__).with_name("card_format_2.json")
FORMAT_3 = Path(__file__).with_name("card_format_3.json")

NAMES = st.text(min_size=1, max_size=12)
NUMBERS = st.floats(-1e6, 1e6, width=32)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=5), JSON, max_size=3)
SIZES = st.integers(1, 1000)


@st.composite
def cards(draw):
    columns = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    levels = tuple(columns[: draw(st.integers(0, len(columns)))])
    is_weighted = draw(st.booleans())
    heads = [
        HeadCard(
            column,
            draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)),
            draw(st.floats(0.01, 100)),
            draw(st.none() | st.floats(0, 1)),
            draw(st.floats(0.01, 100)) if is_weighted and column in levels else None,
        )
        for column in columns
    ]
    paths = [tuple(draw(st.sampled_from(head.classes)) for head in heads[: len(levels)]) for _ in levels]
    golden = [
        GoldenCheck.from_png(
            draw(st.binary(max_size=20)),
            {head.column: [draw(NUMBERS) for _ in head.classes] for head in heads},
        )
        for _ in range(draw(st.integers(0, 2)))
    ]
    return Card(
        name=draw(NAMES),
        version=draw(st.text(max_size=5)),
        description=draw(st.text(max_size=50)),
        licence=draw(st.text(max_size=5)),
        created=str(draw(st.dates())),
        architecture=draw(st.text(max_size=9)),
        recipe=draw(OBJECTS),
        heads=heads,
        taxonomy=Taxonomy.from_paths(levels, paths),
        preprocessing=Preprocessing(
            draw(SIZES), draw(SIZES), draw(SIZES), draw(SIZES), draw(st.sampled_from(["border", "stretch"]))
        ),
        data=draw(OBJECTS),
        metrics=draw(OBJECTS),
        history=draw(st.lists(OBJECTS, max_size=2)),
        golden=golden,
        golden_tolerance=draw(st.floats(1e-6, 1)),
        precisions=draw(st.sampled_from([("fp32",), ("fp32", "bf16")])),
        target_accuracy=draw(st.none() | st.floats(0.5, 1)),
        ood_detector=draw(
            st.none() | st.builds(OodDetectorCard, st.just("not a column"), NUMBERS, st.text(max_size=9))
        ),
        embedding=draw(st.none() | st.builds(EmbeddingCard, st.just("not a column either"), SIZES)),
        sources=draw(
            st.lists(
                st.builds(SourceCard, NAMES, SIZES, st.text(max_size=9), st.text(max_size=9)), max_size=2
            )
        ),
    )


@settings(deadline=None)
@given(cards())
def test_any_card_survives_the_way_through_its_file(card):
    assert parse_card(render_card(card)) == card


def test_a_card_of_format_1_is_still_read():
    text = FORMAT_1.read_text(encoding="utf-8")
    card = parse_card(text)
    values = card_values(card)
    assert (values.pop("format"), values.pop("ood_detector"), values.pop("target_accuracy")) == (
        3,
        None,
        None,
    )
    assert (values.pop("embedding"), values.pop("sources")) == (None, [])
    assert [head.pop("path_weight") for head in values["heads"]] == [None, None, None]
    assert values | {"format": 1} == json.loads(text)
    assert card.head("masterCategory") == HeadCard("masterCategory", TINY_HEADS["masterCategory"], 1.25, 0.5)
    assert card.golden[0].photo.startswith(b"\x89PNG")


def test_a_card_of_format_2_is_still_read():
    text = FORMAT_2.read_text(encoding="utf-8")
    card = parse_card(text)
    values = card_values(card)
    assert (values.pop("embedding"), values.pop("sources")) == (None, [])
    values["gate"] = values.pop("ood_detector")
    assert values | {"format": 2} == json.loads(text)
    assert card.ood_detector == OodDetectorCard("not_a_product", 3.5, "energy")
    assert (card.target_accuracy, card.head("articleType").path_weight) == (0.98, 0.75)


def test_a_card_of_format_3_is_read_and_written_the_same():
    text = FORMAT_3.read_text(encoding="utf-8")
    card = parse_card(text)
    assert card_values(card) == json.loads(text)
    assert card.ood_detector == OodDetectorCard("not_a_product", 3.5, "energy")
    assert card.embedding == EmbeddingCard("embedding", 8)
    assert card.sources == (SourceCard("shop", 12, "CC BY 4.0", "Nauman"),)


def test_any_onnx_tool_opens_a_bundle_runs_it_and_finds_its_card(tmp_path):
    graph = build_tiny_graph()
    card = build_tiny_card(graph)
    write_bundle(graph, card, tmp_path / "tiny.onnx")
    model = onnx.load(tmp_path / "tiny.onnx")
    onnx.checker.check_model(model, full_check=True)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert [head["column"] for head in json.loads(metadata["hangtag.card"])["heads"]] == list(TINY_HEADS)
    found = onnx.reference.ReferenceEvaluator(model).run(["gender"], {"photos": draw_pixels(2)})
    assert found[0].shape == (2, 2)


def test_a_file_that_another_tool_wrote_again_is_still_a_bundle(tmp_path):
    graph = build_tiny_graph()
    card = build_tiny_card(graph)
    write_bundle(graph, card, tmp_path / "tiny.onnx")
    onnx.save(onnx.load(tmp_path / "tiny.onnx"), tmp_path / "again.onnx")
    assert read_bundle(tmp_path / "again.onnx").card == card


def test_the_page_on_the_format_explains_every_field():
    page = (Path(__file__).parents[2] / "docs" / "bundle.md").read_text(encoding="utf-8")
    assert [field for field in card_values(build_tiny_card()) if f"`{field}`" not in page] == []
