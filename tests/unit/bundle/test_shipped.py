import os
from pathlib import Path

import pytest

from hangtag.bundle import file
from hangtag.bundle.file import find_bundle, list_bundles
from hangtag.domain.errors import BundleError


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two folders of one's own and a shipped one; `default` stands in two of them."""
    for name in (
        "first/default",
        "first/mine",
        "second/mine",
        "second/other",
        "shipped/default",
        "shipped/small",
    ):
        path = tmp_path / f"{name}.onnx"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "first" / "notes.txt").touch()
    (tmp_path / "first" / "folder.onnx").mkdir()
    monkeypatch.setattr(file, "SHIPPED_FOLDER", tmp_path / "shipped")
    return {
        "HANGTAG_MODELS": os.pathsep.join([str(tmp_path / "first"), "", str(tmp_path / "second"), "/nowhere"])
    }


def names(paths, below):
    return [str(path.relative_to(below)) for path in paths]


def test_bundles_are_listed_by_name_and_ones_own_go_first(folders, tmp_path):
    assert names(list_bundles(folders), tmp_path) == [
        "first/default.onnx",
        "first/mine.onnx",
        "second/other.onnx",
        "shipped/small.onnx",
    ]


def test_without_the_variable_only_the_shipped_ones_are_known(folders, tmp_path):
    del folders
    assert names(list_bundles({}), tmp_path) == ["shipped/default.onnx", "shipped/small.onnx"]


def test_a_name_is_found(folders, tmp_path):
    assert find_bundle("default", folders) == tmp_path / "first" / "default.onnx"
    assert find_bundle("small", folders) == tmp_path / "shipped" / "small.onnx"


def test_a_path_is_taken_as_it_is(folders, tmp_path, monkeypatch):
    path = tmp_path / "shipped" / "small.onnx"
    assert find_bundle(path, folders) == find_bundle(str(path), folders) == path
    monkeypatch.chdir(tmp_path / "second")
    assert find_bundle("other.onnx", folders) == Path("other.onnx")


@pytest.mark.parametrize("given", [Path("none.onnx"), "none.onnx", "folder/none"])
def test_a_path_without_a_file_is_refused(folders, given):
    with pytest.raises(BundleError, match="no such model"):
        find_bundle(given, folders)


def test_an_unknown_name_proposes_the_close_ones(folders):
    with pytest.raises(BundleError, match=r"no model named 'defualt'\. Did you mean default\?"):
        find_bundle("defualt", folders)
    with pytest.raises(BundleError, match=r"There are: default, mine, other, small\."):
        find_bundle("xyz", folders)


def test_without_any_model_the_message_says_where_they_are_looked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(file, "SHIPPED_FOLDER", tmp_path)
    with pytest.raises(BundleError, match="HANGTAG_MODELS"):
        find_bundle("default", {})
