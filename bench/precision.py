"""Measure the accuracy cost and the speed gain of bf16, with 0 to 6 layers kept in float32.

    python bench/precision.py PHOTOS [--model default] [--count 2000] [--rounds 5]

PHOTOS is a folder. Differences are between logits and those of the same graph in float32, over all heads; `changed` is
the share of photos with another most probable class. Decision 0002 is based on this table.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from hangtag.bundle.card import Card
from hangtag.bundle.file import find_bundle, read_bundle
from hangtag.imaging.preprocess import prepare_photo
from hangtag.inference import runtime
from hangtag.inference.engine import Engine

Logits = dict[str, npt.NDArray[np.float32]]

EXACT_LAYERS: Final = (0, 1, 2, 3, 4, 6)


def main() -> None:
    """Measure and print a table."""
    arguments = _parse()
    path = find_bundle(arguments.model)
    bundle = read_bundle(path)
    pixels = _read_pixels(arguments.photos, arguments.count, bundle.card)
    engines = {"fp32": Engine(bundle, precision="fp32")}
    for count in EXACT_LAYERS:
        with patch.object(runtime, "EXACT_CONVOLUTIONS", count):
            engine = Engine(bundle, precision="bf16")
            engine.run(pixels[:64])  # compiles the other graph too
        engines[f"{engine.precision}, {count} layers in float32"] = engine
    answers = {name: engine.run(pixels) for name, engine in engines.items()}
    times: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(arguments.rounds):
        for name, engine in engines.items():
            times[name].append(_cpu_seconds(lambda engine=engine: engine.run(pixels)))  # type: ignore[misc]
    rates = {name: len(pixels) / statistics.median(seconds) for name, seconds in times.items()}
    _print(rates, answers, len(pixels))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure what bf16 costs and wins.")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def _read_pixels(folder: Path, count: int, card: Card) -> npt.NDArray[np.uint8]:
    photos = islice(sorted(folder.glob("*.jpg")), count)
    return np.stack([prepare_photo(photo.read_bytes(), card.preprocessing) for photo in photos])


def _cpu_seconds(work: Callable[[], Any]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _print(rates: dict[str, float], answers: dict[str, Logits], photos: int) -> None:
    reference, first = answers["fp32"], rates["fp32"]
    table = Table(title=f"{photos:,} photos", title_justify="left", box=None)
    table.add_column("precision")
    for heading in ("images per CPU second", "beside fp32", "mean difference", "largest", "changed"):
        table.add_column(heading, justify="right")
    for name, found in answers.items():
        differences = np.concatenate(
            [np.abs(found[column] - reference[column]).ravel() for column in reference]
        )
        changed = [found[column].argmax(axis=1) != reference[column].argmax(axis=1) for column in reference]
        table.add_row(
            name,
            f"{rates[name]:,.0f}",
            f"{rates[name] / first:.2f}",
            f"{differences.mean():.4f}",
            f"{differences.max():.3f}",
            f"{np.mean(changed):.2%}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
