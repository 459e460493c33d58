import httpx
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from safetensors.torch import save_file  # noqa: E402

from hangtag.domain.errors import RecipeError  # noqa: E402
from hangtag.networks import pretrained  # noqa: E402
from hangtag.networks.pretrained import load_weights, read_weights  # noqa: E402
from hangtag.networks.registry import build_network  # noqa: E402

COUNTS = {"masterCategory": 2}
SIZE = (32, 32)


@pytest.fixture
def torchvision_weights() -> dict[str, torch.Tensor]:
    """VGG16's tensors as torchvision names them, its own classifier at the end."""
    _, network = build_network("vgg16", COUNTS, SIZE)
    features = network.backbone.features.state_dict()
    return {f"features.{name}": torch.full_like(value, 0.5) for name, value in features.items()} | {
        "classifier.6.bias": torch.zeros(1000)
    }


def first_weight(network) -> torch.Tensor:
    return network.backbone.features[0].weight


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_of_weights_is_where_the_backbone_starts(torchvision_weights, tmp_path, suffix):
    path = tmp_path / f"vgg16{suffix}"
    (torch.save if suffix == ".pth" else save_file)(torchvision_weights, path)
    _, network = build_network("vgg16", COUNTS, SIZE, weights=read_weights("vgg16", path))
    assert bool((first_weight(network) == 0.5).all())


def test_a_checkpoint_of_hangtag_is_a_file_of_weights_too(tmp_path):
    _, trained = build_network("vgg16", COUNTS, SIZE)
    tensors = {f"network/{name}": value for name, value in trained.state_dict().items()}
    best = {f"best/{name}": value + 1 for name, value in trained.state_dict().items()}
    save_file(tensors | best, tmp_path / "checkpoint.safetensors")
    weights = read_weights("vgg16", tmp_path / "checkpoint.safetensors")
    _, network = build_network("vgg16", COUNTS, SIZE, weights=weights)
    assert torch.equal(first_weight(network), first_weight(trained) + 1)


def test_weights_under_foreign_names_are_loaded_by_position():
    _, network = build_network("efficientnet_lite0", COUNTS, SIZE)
    state = network.backbone.state_dict()
    foreign = {f"layer{index}": torch.ones_like(value) for index, value in enumerate(state.values())}
    load_weights(network.backbone, {**foreign, "classifier": torch.zeros(1000)}, "efficientnet_lite0")
    assert all(bool((value == 1).all()) for value in network.backbone.state_dict().values())


def test_weights_of_another_network_are_refused(torchvision_weights):
    with pytest.raises(RecipeError, match="do not have the tensors of efficientnet_lite0"):
        build_network("efficientnet_lite0", COUNTS, SIZE, weights=torchvision_weights)
    torchvision_weights["features.0.weight"] = torch.zeros(3)
    with pytest.raises(RecipeError, match="do not have the tensors of vgg16"):
        build_network("vgg16", COUNTS, SIZE, weights=torchvision_weights)


def test_code_in_a_torch_file_is_never_run(tmp_path):
    path = tmp_path / "evil.pth"
    torch.save({"features.0.weight": print}, path)
    with pytest.raises(RecipeError, match="cannot be read"):
        read_weights("vgg16", path)


def test_a_file_that_is_none_and_one_that_is_not_there_say_so(tmp_path):
    path = tmp_path / "weights.safetensors"
    with pytest.raises(RecipeError, match="there is no such weights file"):
        read_weights("vgg16", path)
    path.write_text("nothing")
    with pytest.raises(RecipeError, match="cannot be read"):
        read_weights("vgg16", path)


def test_without_network_and_file_the_error_names_both_ways_out(monkeypatch):
    def unreachable(*_: object, **__: object) -> None:
        raise httpx.ConnectError("no network")

    monkeypatch.setattr(pretrained.httpx, "head", unreachable)
    monkeypatch.setattr("timm.create_model", lambda *_, **__: pytest.fail("tried for minutes"))
    with pytest.raises(RecipeError, match=r"vgg16\.tv_in1k.*`weights`.*`weights='none'`"):
        read_weights("vgg16")


def test_missing_package_of_weights_says_what_to_install(monkeypatch):
    monkeypatch.setitem(pretrained._PACKAGES, "efficientnet_lite0", ("no_such_package", "File"))  # noqa: SLF001
    with pytest.raises(RecipeError, match="Install the package no-such-package"):
        read_weights("efficientnet_lite0")


def test_an_architecture_without_weights_says_so():
    with pytest.raises(RecipeError, match=r"network\.pretrained.*false"):
        read_weights("basic_cnn")


@pytest.mark.parametrize("name", ["model.onnx", "vgg16.h5", "VGG16.H5"])
def test_a_file_of_another_tool_is_named_for_what_it_is(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"\x89HDF")
    with pytest.raises(RecipeError, match=r"(ONNX|Keras).*safetensors") as caught:
        read_weights("vgg16", path)
    assert "weights_only" not in str(caught.value)


def test_the_hub_is_asked_for_a_network_of_timm(monkeypatch):
    asked = []

    def build(name: str, **_: object) -> torch.nn.Module:
        asked.append(name)
        return torch.nn.Linear(1, 1)

    monkeypatch.setattr(pretrained.httpx, "head", lambda *_, **__: None)
    monkeypatch.setattr("timm.create_model", build)
    assert set(read_weights("timm:convnext_atto")) == {"weight", "bias"}
    assert asked == ["convnext_atto"]


def test_a_network_of_timm_that_nobody_has_trained_says_so():
    with pytest.raises(RecipeError, match="no pretrained weights"):
        read_weights("timm:test_resnet_nobody_has")
