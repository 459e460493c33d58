import contextlib

import onnx
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from hangtag.bundle.graph import WireError, read_graph, read_metadata, replace_metadata
from tiny_bundle import build_tiny_graph

KEYS = st.text(min_size=1, max_size=20)


def encoded(model):
    return model.SerializeToString()


@given(metadata=st.dictionaries(KEYS, st.text(max_size=300), max_size=5))
def test_metadata_are_what_onnx_says_they_are(metadata):
    model = build_tiny_graph()
    helper.set_model_props(model, metadata)
    assert read_metadata(encoded(model)) == metadata


@given(
    before=st.dictionaries(KEYS, st.text(max_size=300), max_size=4), key=KEYS, value=st.text(max_size=20_000)
)
def test_metadata_that_are_replaced_are_what_onnx_reads(before, key, value):
    model = build_tiny_graph()
    helper.set_model_props(model, before)
    changed = onnx.ModelProto.FromString(replace_metadata(encoded(model), key, value))
    assert {entry.key: entry.value for entry in changed.metadata_props} == before | {key: value}
    del changed.metadata_props[:], model.metadata_props[:]
    assert changed == model


@given(
    sizes=st.lists(st.one_of(st.none(), st.integers(0, 2**40)), max_size=5),
    kind=st.sampled_from([1, 2, 7, 10]),
)
def test_inputs_and_outputs_are_what_onnx_says_they_are(sizes, kind):
    port = helper.make_tensor_value_info("photos", kind, sizes)
    graph = helper.make_graph([], "g", [port], [port])
    found = read_graph(encoded(helper.make_model(graph)))
    assert found.inputs == found.outputs
    assert (found.inputs[0].name, found.inputs[0].kind, found.inputs[0].shape) == (
        "photos",
        kind,
        tuple(sizes),
    )


def test_an_output_that_is_no_tensor_has_no_type():
    sequence = helper.make_tensor_sequence_value_info("many", TensorProto.FLOAT, ["N"])
    found = read_graph(encoded(helper.make_model(helper.make_graph([], "g", [], [sequence]))))
    assert (found.outputs[0].kind, found.outputs[0].shape) == (0, ())


def nest(depth):
    graph = helper.make_graph([], "leaf", [], [])
    for _ in range(depth):
        graph = helper.make_graph([helper.make_node("Loop", [], ["x"], body=graph)], "g", [], [])
    return encoded(helper.make_model(graph))


def test_graphs_within_graphs_are_read_to_a_depth_that_no_stack_overflows_at():
    assert read_graph(nest(10)).outside == ()
    with pytest.raises(WireError, match="nested too deep"):
        read_graph(nest(30))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    with contextlib.suppress(WireError):  # any other error fails the test
        read_graph(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\x08",  # a number that is missing
        b"\x3a\x05ab",  # three of five bytes are missing
        b"\x3b",  # a group, which protobuf gave up before ONNX was born
        b"\x02\x00",  # the tag 0
        b"\x99\x80\x80\x80\x10\x00\x00\x00\x00\x00\x00\x00\x00",  # a tag beyond 29 bits
        b"\x08" + b"\xff" * 11,  # a number that does not end
        b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",  # a length beyond any file
    ],
)
def test_what_onnx_refuses_is_refused_here_too(data):
    with pytest.raises(WireError):
        read_graph(data)
    with pytest.raises(DecodeError):
        onnx.ModelProto.FromString(data)
