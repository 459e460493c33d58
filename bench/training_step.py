"""How much faster a training step is with the depthwise gradients of `hangtag.networks.depthwise`.

    python bench/training_step.py [--batch 64] [--rounds 5]

Both networks take their steps in turn, on the same ready tensors; the ratio is of the medians.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import timm
import torch
from torch import Tensor, nn

from hangtag.networks.depthwise import speed_up_depthwise


def build_step(network: nn.Module, photos: Tensor) -> Callable[[], None]:
    """Return a function that takes one training step in bfloat16."""
    network = network.to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, foreach=True)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            loss = network(photos).float().square().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    return step


def main() -> None:
    """Time both and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    photos = torch.rand(options.batch, 3, 112, 84).contiguous(memory_format=torch.channels_last)
    names = ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"]
    print(
        f"{'network':20} {'torch':>12} {'hangtag':>12} {'ratio':>7}   (images/s, medians of {options.rounds})"
    )
    for name in names:
        plain, fast = (timm.create_model(f"tf_{name}", num_classes=250) for _ in range(2))
        speed_up_depthwise(fast)
        steps = [build_step(network, photos) for network in (plain, fast)]
        seconds: list[list[float]] = [[], []]
        for turn in range(options.rounds + 1):
            for step, times in zip(steps, seconds, strict=True):
                started = time.perf_counter()
                step()
                if turn:  # the first is a warm-up
                    times.append(time.perf_counter() - started)
        before, after = (options.batch / statistics.median(times) for times in seconds)
        print(f"{name:20} {before:12.0f} {after:12.0f} {after / before:7.2f}")


if __name__ == "__main__":
    main()
