import copy

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from torch import nn  # noqa: E402

from hangtag.networks.depthwise import DepthwiseConv2d, speed_up_depthwise  # noqa: E402


def gradients(layer: nn.Module, photos: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    leaf = photos.clone().requires_grad_()
    answer = layer(leaf)
    answer.float().square().sum().backward()
    return answer, leaf.grad, layer.weight.grad


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 2, 1), (5, 1, 2), (5, 2, 2)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_equals_the_layer_that_it_replaces(kernel, stride, padding, dtype):
    torch.manual_seed(0)
    original = nn.Conv2d(6, 6, kernel, stride, padding, groups=6, bias=False)
    replacement = DepthwiseConv2d.replacing(copy.deepcopy(original))
    photos = torch.randn(2, 6, 9, 7)
    expected = gradients(original, photos)
    found = gradients(replacement, photos.to(dtype))
    loose = 0.0 if dtype == torch.float32 else 0.02
    for one, other in zip(found, expected, strict=True):
        assert (one.float() - other).abs().max() <= 1e-5 + loose * other.abs().max()


def test_tensorflow_padding_is_kept():
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    original = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    replaced = copy.deepcopy(original)
    speed_up_depthwise(replaced)
    assert sum(isinstance(layer, DepthwiseConv2d) for layer in replaced.modules()) > 5
    photos = torch.randn(2, 3, 45, 32)
    assert torch.equal(original(photos), replaced(photos))
    assert list(original.state_dict()) == list(replaced.state_dict())


def test_other_convolutions_are_left_alone():
    network = nn.Sequential(
        nn.Conv2d(4, 8, 5, groups=4, bias=False),
        nn.Conv2d(8, 8, 5, groups=8),
        nn.Conv2d(8, 8, 3, groups=8, bias=False),
    )
    before = list(network)
    speed_up_depthwise(network)
    assert list(network) == before
