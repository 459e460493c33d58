import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from hangtag.domain.errors import RecipeError  # noqa: E402
from hangtag.networks import pretrained  # noqa: E402
from hangtag.networks.multihead import ServedNetwork  # noqa: E402
from hangtag.networks.registry import ARCHITECTURES, build_network  # noqa: E402

COUNTS = {"masterCategory": 7, "gender": 5}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_answers_every_head_from_raw_pixels(architecture):
    normalise, network = build_network(architecture, COUNTS, pretrained=False, dropout=0.1)
    photos = torch.randint(0, 256, (3, 64, 48, 3), dtype=torch.uint8)
    answers = ServedNetwork(normalise, network).eval()(photos)
    assert [tuple(answer.shape) for answer in answers] == [(3, 7), (3, 5)]


def test_imagenet_weights_are_not_the_random_ones():
    _, random = build_network("efficientnet_lite0", COUNTS, pretrained=False, dropout=0.0)
    _, trained = build_network("efficientnet_lite0", COUNTS, pretrained=True, dropout=0.0)
    name = "backbone.conv_stem.weight"
    assert not torch.equal(random.state_dict()[name], trained.state_dict()[name])
    # ImageNet's batch norms have seen data: their running means are not the zeros of a fresh network.
    assert trained.state_dict()["backbone.bn1.running_mean"].abs().min() > 0


def test_an_unknown_architecture_lists_the_known_ones():
    with pytest.raises(RecipeError, match="efficientnet_lite0"):
        build_network("efficientnet_lite9", COUNTS, pretrained=False, dropout=0.0)


def test_missing_weights_say_what_to_install(monkeypatch):
    monkeypatch.setitem(pretrained._PACKAGES, "efficientnet_lite0", ("no_such_package", "File"))  # noqa: SLF001
    with pytest.raises(RecipeError, match="Install the package no-such-package"):
        build_network("efficientnet_lite0", COUNTS, pretrained=True, dropout=0.0)
