from copy import deepcopy

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from hangtag.domain.errors import RecipeError  # noqa: E402
from hangtag.networks.multihead import ServedNetwork  # noqa: E402
from hangtag.networks.pretrained import read_weights  # noqa: E402
from hangtag.networks.registry import ARCHITECTURES, build_network  # noqa: E402

COUNTS = {"masterCategory": 7, "gender": 5}
SIZE = (64, 72)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_answers_every_head_from_raw_pixels(architecture):
    normalise, network = build_network(architecture, COUNTS, SIZE, dropout=0.1)
    photos = torch.randint(0, 256, (3, *SIZE, 3), dtype=torch.uint8)
    answers = ServedNetwork(normalise, network).eval()(photos)
    assert [tuple(answer.shape) for answer in answers] == [(3, 7), (3, 5)]


def test_imagenet_weights_are_not_the_random_ones():
    _, random = build_network("efficientnet_lite0", COUNTS, SIZE)
    _, trained = build_network("efficientnet_lite0", COUNTS, SIZE, weights=read_weights("efficientnet_lite0"))
    name = "backbone.conv_stem.weight"
    assert not torch.equal(random.state_dict()[name], trained.state_dict()[name])
    # ImageNet's batch norms have seen data: their running means are not the zeros of a fresh network.
    assert trained.state_dict()["backbone.bn1.running_mean"].abs().min() > 0


@pytest.mark.parametrize("name", ["timm:test_convnext", "timm:test_efficientnet", "timm:test_vit"])
def test_any_network_of_timm_answers_every_head(name):
    normalise, network = build_network(name, COUNTS, (160, 128), dropout=0.1)
    assert len(network.blocks) > 1
    photos = torch.randint(0, 256, (2, 160, 128, 3), dtype=torch.uint8)
    answers = ServedNetwork(normalise, network).eval()(photos)
    assert [tuple(answer.shape) for answer in answers] == [(2, 7), (2, 5)]
    network.freeze(all_but_last=1)
    assert {weight.requires_grad for weight in network.backbone.parameters()} == {True, False}


def test_a_network_of_timm_starts_from_a_file_of_timms_own_names():
    _, first = build_network("timm:test_convnext", COUNTS, SIZE)
    _, second = build_network("timm:test_convnext", COUNTS, SIZE, weights=first.backbone.state_dict())
    for name, weight in first.backbone.state_dict().items():
        assert torch.equal(weight, second.backbone.state_dict()[name]), name


def test_a_network_that_timm_does_not_have_suggests_one():
    with pytest.raises(RecipeError, match="timm:convnext_atto"):
        build_network("timm:convnext_ato", COUNTS, SIZE)


def test_an_unknown_architecture_lists_the_known_ones():
    with pytest.raises(RecipeError, match="efficientnet_lite0"):
        build_network("efficientnet_lite9", COUNTS, SIZE)


@pytest.mark.parametrize(("architecture", "smallest"), [("basic_cnn", 22), ("deep_cnn", 62)])
def test_a_flattened_network_refuses_photos_that_leave_it_nothing(architecture, smallest):
    build_network(architecture, COUNTS, (smallest, smallest))
    with pytest.raises(RecipeError, match="too small"):
        build_network(architecture, COUNTS, (smallest - 1, smallest))


def test_frozen_blocks_stand_still_and_the_last_ones_learn():
    _, network = build_network("vgg16", COUNTS, SIZE)
    network.freeze(all_but_last=0)
    learning = [name for name, weight in network.named_parameters() if weight.requires_grad]
    assert [name.split(".")[1] for name in learning[:2]] == ["dense", "dense"]
    network.freeze(all_but_last=2)
    learning = [name for name, weight in network.named_parameters() if weight.requires_grad]
    first = network.backbone.features[17]  # the first convolution of the fourth block
    assert first.weight.requires_grad
    assert learning[0] == "backbone.features.17.weight"


def test_a_frozen_batch_norm_keeps_its_statistics():
    _, network = build_network("efficientnet_lite0", COUNTS, SIZE)
    network.freeze(all_but_last=1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()(torch.randn(4, 3, *SIZE))
    changed = {name for name, value in network.state_dict().items() if not torch.equal(before[name], value)}
    assert changed == {
        "backbone.bn2.running_mean",
        "backbone.bn2.running_var",
        "backbone.bn2.num_batches_tracked",
    }


def test_tapped_heads_also_see_what_the_backbone_sees_early():
    _, network = build_network("efficientnet_lite0", COUNTS, SIZE)
    network.tap(["gender"])
    _, plain = build_network("efficientnet_lite0", COUNTS, SIZE)
    network.eval()
    assert network.heads["gender"].in_features == plain.heads["gender"].in_features + 2 * 40
    assert network.heads["masterCategory"].in_features == plain.heads["masterCategory"].in_features
    photos = torch.rand(2, 3, *SIZE)
    with torch.no_grad():
        before = network(photos)
        features = network.backbone(photos)
        assert torch.allclose(network.heads["masterCategory"](features), before["masterCategory"], atol=1e-5)
        network.heads["gender"].weight[:, features.shape[1] :] = 0
        after = network(photos)
    assert torch.equal(after["masterCategory"], before["masterCategory"])
    assert not torch.allclose(after["gender"], before["gender"])
    assert torch.allclose(deepcopy(network)(photos)["gender"], after["gender"])


@pytest.mark.parametrize(
    ("architecture", "tapped"), [("basic_cnn", ["gender"]), ("efficientnet_lite0", ["colour"])]
)
def test_what_cannot_be_tapped_is_said(architecture, tapped):
    _, network = build_network(architecture, COUNTS, (64, 64))
    with pytest.raises(RecipeError, match="early features"):
        network.tap(tapped)
