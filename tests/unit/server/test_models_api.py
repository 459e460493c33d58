import os

import pytest
from fastapi.testclient import TestClient

from hangtag.bundle.file import SHIPPED_FOLDER, write_bundle
from hangtag.server.app import create_app
from tiny_bundle import TINY_HEADS, TINY_TAXONOMY, build_tiny_card, build_tiny_graph

MODELS = "/api/v1/models"
CONFUSION = {"labels": ["Men", "Women"], "counts": [[0, 0, 9], [1, 0, 2], [1, 1, 8]]}
METRICS = {
    "validation": {"mean_top1_accuracy": 0.5},
    "test": {
        "photos": {"labelled": 19, "failed": {}},
        "heads": {
            "gender": {"top1_accuracy": 0.9, "macro_f1": 0.8, "confusion": CONFUSION, "per_class": []},
            "articleType": {"top1_accuracy": 0.7, "macro_f1": 0.6},
        },
        "mean_top1_accuracy": 0.8,
        "all_right": {"rate": 0.6},
    },
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory, build_settings):
    """A service, and the folder that its measured model `tiny` lies in."""
    folder = tmp_path_factory.mktemp("registry")
    graph = build_tiny_graph()
    card = build_tiny_card(graph, metrics=METRICS, history=[{"epoch": 1, "train_loss": 2.0}])
    write_bundle(graph, card, folder / "tiny.onnx")
    with TestClient(create_app(build_settings(models=str(folder)))) as client:
        yield client, folder


def test_the_models_are_listed_the_default_one_first(registry):
    client, _ = registry
    found = client.get(MODELS).json()["models"]
    shipped = [(path.stem, False) for path in sorted(SHIPPED_FOLDER.glob("*.onnx"))]
    assert [(model["id"], model["is_default"]) for model in found] == [("tiny", True), *shipped]
    assert found[0]["columns"] == list(TINY_HEADS)
    assert found[0]["input"] == {"width": 12, "height": 16}
    assert found[0]["size_bytes"] > 1000


def test_the_figures_are_those_of_the_test_split(registry):
    client, _ = registry
    figures = client.get(f"{MODELS}/tiny").json()["figures"]
    assert figures == {
        "split": "test",
        "support": 19,
        "heads": {
            "masterCategory": {"top1_accuracy": None, "macro_f1": None},
            "articleType": {"top1_accuracy": 0.7, "macro_f1": 0.6},
            "gender": {"top1_accuracy": 0.9, "macro_f1": 0.8},
        },
        "mean_top1_accuracy": 0.8,
        "all_right": 0.6,
    }


def test_a_model_that_was_never_measured_has_no_figures(client):
    assert client.get(f"{MODELS}/other").json()["figures"] is None


def test_the_card_is_shown_without_the_confusion_matrices(registry):
    client, _ = registry
    detail = client.get(f"{MODELS}/tiny").json()
    assert detail["precision"] == "fp32"
    assert detail["metrics"]["test"]["heads"]["gender"] == {
        "top1_accuracy": 0.9,
        "macro_f1": 0.8,
        "per_class": [],
    }
    assert detail["metrics"]["validation"] == METRICS["validation"]
    assert detail["history"] == [{"epoch": 1, "train_loss": 2.0}]
    assert [head["classes"] for head in detail["heads"]] == [list(names) for names in TINY_HEADS.values()]
    assert len(detail["sha256"]) == 64


def test_a_model_that_nobody_has_asked_is_not_loaded_to_be_shown(registry):
    client, _ = registry
    detail = client.get(f"{MODELS}/default").json()
    assert detail["precision"] is None
    assert len(detail["heads"]) == 7


def test_a_confusion_matrix_is_given(registry):
    client, _ = registry
    found = client.get(f"{MODELS}/tiny/confusion", params={"column": "gender"}).json()
    assert found == {"split": "test", "column": "gender", **CONFUSION}


@pytest.mark.parametrize(
    "params",
    [
        {"column": "articleType"},
        {"column": "gender", "split": "validation"},
        {"column": "nix"},
        {"column": "gender", "split": "nix"},
    ],
)
def test_a_confusion_matrix_that_the_card_does_not_have_is_not_found(registry, params):
    client, _ = registry
    response = client.get(f"{MODELS}/tiny/confusion", params=params)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_an_unknown_model_is_not_found(client):
    for address in (f"{MODELS}/nix", f"{MODELS}/nix/confusion?column=gender", "/api/v1/taxonomy?model=nix"):
        response = client.get(address)
        assert (response.status_code, response.json()["code"]) == (404, "model_not_found")


def test_a_new_bundle_needs_no_restart_and_a_broken_one_is_left_out(registry):
    client, folder = registry
    graph = build_tiny_graph(seed=7)
    write_bundle(graph, build_tiny_card(graph, version="9"), folder / "added.onnx")
    (folder / "broken.onnx").write_bytes(b"no model")
    assert [one["id"] for one in client.get(MODELS).json()["models"]][:2] == ["tiny", "added"]
    response = client.get(f"{MODELS}/broken")
    assert (response.status_code, response.json()["code"]) == (503, "bundle")
    assert str(folder) not in response.text
    write_bundle(graph, build_tiny_card(graph, version="10"), folder / "added.onnx")
    assert client.get(f"{MODELS}/added").json()["version"] == "10"
    (folder / "added.onnx").unlink()


def test_the_taxonomy_is_that_of_the_model(client):
    found = client.get("/api/v1/taxonomy").json()
    assert found["levels"] == list(TINY_TAXONOMY.levels)
    assert found["paths"] == [list(path) for path in TINY_TAXONOMY.paths]
    assert found["columns"] == {column: list(names) for column, names in TINY_HEADS.items()}


def test_folders_of_bundles_are_listed_anew_only_after_a_change(registry, monkeypatch):
    client, folder = registry
    listed = []
    monkeypatch.setattr("hangtag.server.models.list_bundles", lambda _: listed.append(1) or [])
    os.utime(folder, (1_700_000_000, 1_700_000_000))
    for _ in range(3):
        client.get(MODELS)
    assert len(listed) == 1
    os.utime(folder)
    client.get(MODELS)
    assert len(listed) == 2
    os.utime(folder, (1_700_000_001, 1_700_000_001))  # the next test looks anew
