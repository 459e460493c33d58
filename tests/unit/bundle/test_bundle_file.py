import contextlib
import hashlib
import json
from dataclasses import replace

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from hangtag.bundle import file as bundle_file
from hangtag.bundle.file import DIGEST_KEY, METADATA_KEY, read_bundle, read_card, replace_card, write_bundle
from hangtag.domain.errors import BundleError
from tiny_bundle import TINY_HEADS, build_tiny_card, build_tiny_graph

GRAPH = build_tiny_graph()
CARD = build_tiny_card(GRAPH)


@pytest.fixture
def path(tmp_path):
    write_bundle(GRAPH, CARD, tmp_path / "tiny.onnx")
    return tmp_path / "tiny.onnx"


def write_raw(path, model, **metadata):
    """Write a model as any other tool would, without a look at it."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    helper.set_model_props(model, metadata)
    path.write_bytes(model.SerializeToString())
    return path


def with_card(path, model, card=CARD):
    text = bundle_file.render_card(card)
    return write_raw(path, model, **{METADATA_KEY: text})


def test_what_is_written_is_read(path):
    bundle = read_bundle(path)
    assert bundle.card == read_card(path) == CARD
    assert bundle.model_bytes == path.read_bytes()
    assert bundle.path == path


def test_the_hash_is_that_of_the_file(path):
    assert read_bundle(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_writing_leaves_the_model_in_memory_alone(tmp_path):
    model = build_tiny_graph()
    before = model.SerializeToString()
    write_bundle(model, CARD, tmp_path / "tiny.onnx")
    assert model.SerializeToString() == before


def test_other_tools_open_it_and_find_the_same_graph(path):
    model = onnx.load(path)
    onnx.checker.check_model(model)
    assert model.graph == GRAPH.graph
    assert [entry.key for entry in model.metadata_props] == [METADATA_KEY, DIGEST_KEY]


def test_a_new_card_replaces_the_old_one_and_nothing_else(path):
    helped = onnx.load(path)
    helper.set_model_props(helped, {METADATA_KEY: helped.metadata_props[0].value, "author": "somebody"})
    path.write_bytes(helped.SerializeToString())
    replace_card(path, replace(CARD, description="Größer, with a ☂."))
    assert read_bundle(path).card == replace(CARD, description="Größer, with a ☂.")
    model = onnx.load(path)
    assert model.graph == GRAPH.graph
    assert sorted(entry.key for entry in model.metadata_props) == ["author", METADATA_KEY, DIGEST_KEY]


def test_a_card_that_does_not_fit_changes_nothing(path):
    before = path.read_bytes()
    with pytest.raises(BundleError, match="'gender' has 2 outputs, but 3 classes in the card"):
        replace_card(path, build_tiny_card(classes=TINY_HEADS | {"gender": ("Men", "Women", "Boys")}))
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file_and_no_other(path, monkeypatch):
    before = path.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="No space left"):
        replace_card(path, replace(CARD, version="2"))
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_new_card_is_on_the_disk_before_it_takes_the_place_of_the_old_one(path, synced):
    replace_card(path, replace(CARD, version="2"))
    file, folder = synced
    assert file.startswith(".tiny.onnx.")
    assert folder == path.parent.name


def test_the_folder_of_a_new_bundle_is_made(tmp_path):
    write_bundle(GRAPH, CARD, tmp_path / "new" / "folder" / "tiny.onnx")
    assert read_card(tmp_path / "new" / "folder" / "tiny.onnx") == CARD


def test_a_written_bundle_may_be_read_by_all_who_may_read_other_files(path, tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"")
    assert path.stat().st_mode == other.stat().st_mode


@pytest.mark.parametrize("read", [read_card, read_bundle])
class TestFilesThatAreNoBundles:
    def test_missing(self, read, tmp_path):
        with pytest.raises(BundleError, match="no such model") as error:
            read(tmp_path / "none.onnx")
        assert error.value.where == str(tmp_path / "none.onnx")

    def test_a_folder(self, read, tmp_path):
        with pytest.raises(BundleError, match="cannot be read"):
            read(tmp_path)

    @pytest.mark.parametrize(
        "data", [b"<html>not found</html>", b"\x89PNG\r\n\x1a\n" * 9, b"\0" * 1000, b"\xff" * 1000]
    )
    def test_another_kind_of_file(self, read, tmp_path, data):
        (tmp_path / "other.onnx").write_bytes(data)
        with pytest.raises(BundleError, match="not a complete ONNX model"):
            read(tmp_path / "other.onnx")

    def test_an_empty_file_has_no_card(self, read, tmp_path):
        (tmp_path / "empty.onnx").write_bytes(b"")
        with pytest.raises(BundleError, match="the file is empty"):
            read(tmp_path / "empty.onnx")

    def test_a_model_without_a_card(self, read, tmp_path):
        with pytest.raises(BundleError, match="has no card"):
            read(write_raw(tmp_path / "plain.onnx", GRAPH))

    def test_a_card_of_a_newer_format(self, read, tmp_path):
        card = json.dumps({"format": 7})
        with pytest.raises(BundleError, match=r"format 7.*Install a newer hangtag"):
            read(write_raw(tmp_path / "newer.onnx", GRAPH, **{METADATA_KEY: card}))

    def test_a_card_that_is_no_json(self, read, tmp_path):
        with pytest.raises(BundleError, match="not JSON"):
            read(write_raw(tmp_path / "broken.onnx", GRAPH, **{METADATA_KEY: "{"}))

    def test_a_file_beyond_the_limit(self, read, path, monkeypatch):
        monkeypatch.setattr(bundle_file, "MAX_BUNDLE_BYTES", 1000)
        with pytest.raises(BundleError, match=r"larger than a model may be \(1,000 bytes\)"):
            read(path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "tiny.onnx"
    write_bundle(GRAPH, CARD, path)
    return path.read_bytes()


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_off_anywhere_is_refused(whole, tmp_path_factory, share):
    path = tmp_path_factory.mktemp("cut") / "cut.onnx"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(BundleError):
        read_bundle(path)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_damage_is_a_bundle_error_or_harmless_but_never_another_error(whole, tmp_path_factory, data):
    damaged = bytearray(whole)
    for position in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=5)):
        damaged[position] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "damaged.onnx"
    path.write_bytes(damaged)
    with contextlib.suppress(BundleError):  # any other error fails the test
        assert read_bundle(path).model_bytes == damaged


def external(tensor):
    """Let a tensor name a file that is none of its business."""
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../../etc/passwd")
    tensor.ClearField("raw_data")


def external_initializer(model):
    external(model.graph.initializer[1])


def external_constant(model):
    constant = helper.make_tensor("secret", TensorProto.FLOAT, [1], [1.0])
    external(constant)
    model.graph.node.append(helper.make_node("Constant", [], ["unused"], value=constant))


def external_in_a_branch(model):
    constant = helper.make_tensor("secret", TensorProto.FLOAT, [1], [1.0])
    external(constant)
    branch = helper.make_graph([helper.make_node("Constant", [], ["x"], value=constant)], "branch", [], [])
    model.graph.node.append(helper.make_node("If", ["scale"], ["y"], then_branch=branch, else_branch=branch))


def external_without_a_location(model):
    model.graph.initializer[1].data_location = TensorProto.EXTERNAL


def external_sparse(model):
    values = helper.make_tensor("secret", TensorProto.FLOAT, [1], [1.0])
    external(values)
    indices = helper.make_tensor("where", TensorProto.INT64, [1], [0])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4]))


def external_in_a_function(model):
    constant = helper.make_tensor("secret", TensorProto.FLOAT, [1], [1.0])
    external(constant)
    node = helper.make_node("Constant", [], ["x"], value=constant)
    model.functions.append(helper.make_function("own", "f", [], ["x"], [node], [helper.make_opsetid("", 18)]))


@pytest.mark.parametrize(
    "hide",
    [
        external_initializer,
        external_constant,
        external_in_a_branch,
        external_without_a_location,
        external_sparse,
        external_in_a_function,
    ],
)
def test_weights_in_another_file_are_refused_wherever_they_are_named(tmp_path, hide):
    model = build_tiny_graph()
    hide(model)
    with pytest.raises(BundleError, match="are stored outside the file"):
        read_bundle(with_card(tmp_path / "outside.onnx", model))
    with pytest.raises(BundleError, match="are stored outside the file"):
        write_bundle(model, CARD, tmp_path / "written.onnx")
    assert not (tmp_path / "written.onnx").exists()


def rename_input(model):
    model.graph.input[0].name = "images"


def second_input(model):
    model.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1]))


def float_input(model):
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT


def other_size(model):
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 17


def fixed_batch(model):
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


def one_output_less(model):
    del model.graph.output[0]


def one_output_more(model):
    model.graph.output.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", 8]))


def double_output(model):
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE


def flat_output(model):
    del model.graph.output[0].type.tensor_type.shape.dim[1]


def unknown_classes(model):
    model.graph.output[0].type.tensor_type.shape.dim[1].ClearField("dim_value")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (rename_input, "one input, 'photos', but it has 'images'"),
        (second_input, "one input, 'photos', but it has 'photos', 'mask'"),
        (
            float_input,
            r"is float32 \(N, 16, 12, 3\), but the card's preprocessing makes uint8 \(N, 16, 12, 3\)",
        ),
        (other_size, r"is uint8 \(N, 17, 12, 3\)"),
        (fixed_batch, r"is uint8 \(1, 16, 12, 3\)"),
        (one_output_less, "heads that the model does not have: masterCategory"),
        (one_output_more, "outputs that the card does not describe: features"),
        (double_output, r"'masterCategory' is of the ONNX type 11 \(N, 3\), not float32"),
        (flat_output, r"'masterCategory' is float32 \(N\), not float32 \(N, classes\)"),
        (unknown_classes, "'masterCategory' has an unknown number of outputs, but 3 classes in the card"),
    ],
)
def test_a_graph_that_contradicts_its_card_is_refused(tmp_path, change, problem):
    model = build_tiny_graph()
    change(model)
    with pytest.raises(BundleError, match=problem):
        read_bundle(with_card(tmp_path / "wrong.onnx", model))


def run_in_a_circle(model):
    model.graph.node[1].input[0] = "scaled"


def swap_two_nodes(model):
    first = onnx.NodeProto.FromString(model.graph.node[0].SerializeToString())
    model.graph.node[0].CopyFrom(model.graph.node[1])
    model.graph.node[1].CopyFrom(first)


def forget_a_node(model):
    del model.graph.node[0]


def circle_in_a_branch(model):
    node = helper.make_node("Relu", ["x"], ["x"])
    branch = helper.make_graph([node], "branch", [], [])
    model.graph.node.append(helper.make_node("If", ["scale"], ["y"], then_branch=branch, else_branch=branch))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (run_in_a_circle, "scaled"),
        (swap_two_nodes, "numbers"),
        (forget_a_node, "numbers"),
        (circle_in_a_branch, "x"),
    ],
)
def test_a_graph_that_cannot_be_run_in_order_is_refused(tmp_path, change, name):
    """OpenVINO would fill the memory while it looks for the beginning of a circle."""
    model = build_tiny_graph()
    change(model)
    with pytest.raises(BundleError, match=f"the graph reads '{name}' before it exists"):
        read_bundle(with_card(tmp_path / "circle.onnx", model))


def test_a_branch_may_read_what_stands_before_it(tmp_path):
    model = build_tiny_graph()
    branch = helper.make_graph([helper.make_node("Relu", ["features"], ["x"])], "branch", [], [])
    model.graph.node.append(helper.make_node("If", ["scale"], ["y"], then_branch=branch, else_branch=branch))
    assert read_bundle(with_card(tmp_path / "branch.onnx", model)).card == CARD


def test_operators_that_the_file_defines_itself_are_refused(tmp_path):
    """One that uses itself would never end."""
    model = build_tiny_graph()
    node = helper.make_node("f", ["x"], ["y"], domain="own")
    model.functions.append(
        helper.make_function("own", "f", ["x"], ["y"], [node], [helper.make_opsetid("own", 1)])
    )
    with pytest.raises(BundleError, match="defines its own operators"):
        read_bundle(with_card(tmp_path / "own.onnx", model))


def test_weights_that_old_tools_list_as_inputs_are_no_inputs(tmp_path):
    model = build_tiny_graph()
    model.graph.input.append(helper.make_tensor_value_info("scale", TensorProto.FLOAT, []))
    assert read_bundle(with_card(tmp_path / "old.onnx", model)).card == CARD


def test_a_bundle_is_sealed_and_an_older_one_without_a_digest_is_read(path):
    assert read_bundle(path).is_sealed
    assert not read_bundle(with_card(path, GRAPH)).is_sealed


@pytest.mark.parametrize("change", ["weight", "classes", "card", "entry"])
def test_a_bundle_that_was_changed_is_not_read(path, change):
    model = onnx.load(path)
    if change == "weight":
        weight = model.graph.initializer[0]
        data = bytearray(
            weight.raw_data or helper.tensor_dtype_to_np_dtype(weight.data_type).type(1).tobytes()
        )
        data[0] ^= 1
        weight.raw_data = bytes(data)
    elif change == "classes":
        card = json.loads(model.metadata_props[0].value)
        card["heads"][0]["classes"].reverse()
        model.metadata_props[0].value = json.dumps(card)
    elif change == "card":
        model.metadata_props[0].value = model.metadata_props[0].value.replace("0.001", "0.5")
        model.metadata_props[0].value += " "
    else:
        model.metadata_props.add(key="hangtag.other", value="1")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BundleError, match="changed after it was made"):
        read_bundle(path)


def test_a_new_card_gets_a_new_digest_and_the_graph_keeps_its_own(path):
    before = read_bundle(path)
    replace_card(path, replace(CARD, description="another"))
    after = read_bundle(path)
    assert after.is_sealed
    assert after.sha256 != before.sha256
    assert bundle_file.graph_digest(after.model_bytes) == bundle_file.graph_digest(before.model_bytes)
