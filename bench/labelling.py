"""Measure labelling, from files on disk to a written table, against its theoretical minimum.

    python bench/labelling.py PHOTOS [--model NAME] [--count N] [--rounds N] [--threads N] [--precision P] [--steps]
    python bench/labelling.py --large 1000

The ideal time is (CPU seconds of reading, decoding and preprocessing all photos alone + CPU seconds of the network
alone, on preprocessed pixels) / processors. The table shows the share of the ideal that labelling reaches: 100 % would
mean that everything else is free. Every round measures all parts in turn, and medians are compared, so that other load
affects all of them alike. "Processors busy" is CPU seconds per second: if it is below their number, something waited,
or other programs used the rest.

Decoding alone leaves the other processors idle, and so is faster than next to other work. Its cost when all processors
decode, each in a separate process, is measured too: the second ideal is for processors that share caches.

`--large` draws photos of 1,200 x 1,600 pixels instead of using PHOTOS. `--steps` also measures labelling without a
table, and the other formats.
"""

import argparse
import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image
from rich.table import Table

from hangtag.cli.console import open_console
from hangtag.imaging.preprocess import Preprocessing, prepare_photo
from hangtag.imaging.samples import load_sample_photos
from hangtag.inference.model import Model, load_model
from hangtag.inference.runtime import count_usable_cpus
from hangtag.labelling.inputs import PhotoFile, PhotoWalk
from hangtag.labelling.job import open_job
from hangtag.labelling.outputs import Output
from hangtag.labelling.plan import Fingerprint, Plan
from hangtag.labelling.run import Labeller
from hangtag.pipelines.bench import decode_all, label_all, read_all, run_engine

LARGE: Final = (1200, 1600)
WHOLE: Final = ("label", "predict")
"""The name prefixes of the parts that run the whole pipeline."""

DECODING: Final = "read, decode, prepare"
DECODING_EVERYWHERE: Final = "the same on all processors"
NETWORK: Final = "network on ready pixels"


@dataclass(frozen=True)
class Cost:
    """The cost of one part."""

    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Bench:
    """The photos, the model and the threads of a measurement. There are as many `processes` as threads."""

    folder: Path
    count: int
    model: Model
    threads: int
    processes: Executor

    def parts(self, *, steps: bool) -> dict[str, Callable[[], object]]:
        """Return the functions to measure, by name."""
        photos = list(islice(PhotoWalk([self.folder]), self.count))
        size, engine = self.model.card.preprocessing, self.model.engine
        pixels = np.full((len(photos), size.height, size.width, 3), 200, np.uint8)
        parts: dict[str, Callable[[], object]] = {
            "read files": partial(read_all, photos),
            DECODING: partial(prepare_all, photos, size),
            DECODING_EVERYWHERE: partial(self.prepare_everywhere, [photo.path for photo in photos]),
            NETWORK: partial(run_engine, engine, pixels),
            "predict to .parquet": partial(self.predict, photos, ".parquet"),
        }
        if steps:
            parts |= {
                "decode on threads, with flags": partial(decode_all, photos, size, self.threads),
                "label, no table": partial(label_all, photos, engine, self.threads),
                "predict to .csv": partial(self.predict, photos, ".csv"),
                "predict to .xlsx": partial(self.predict, photos, ".xlsx"),
            }
        return parts

    def prepare_everywhere(self, paths: Sequence[str]) -> float:
        """Do the same as `prepare_all`, in as many processes as there are threads. Return their CPU seconds."""
        parts = [paths[first :: self.threads] for first in range(self.threads)]
        return sum(self.processes.map(prepare_apart, parts, [self.model.card.preprocessing] * len(parts)))

    def predict(self, photos: Sequence[PhotoFile], ending: str) -> None:
        """Run the whole pipeline like `hangtag predict`: a resumable job, then the table."""
        models = {"model": self.model}
        labeller = Labeller(models, threads=self.threads)
        with tempfile.TemporaryDirectory() as folder:
            output = Output.parse(str(Path(folder) / f"out{ending}"))
            plan = Plan(output, labeller.layout, Fingerprint.of(models, labeller.layout), [str(self.folder)])
            with open_job(plan) as job:
                labeller.resume(Listed(photos), job)


@dataclass(frozen=True)
class Listed:
    """Photos as a job's input."""

    photos: Sequence[PhotoFile]
    other_files: int = 0

    def __iter__(self) -> Iterator[PhotoFile]:
        return iter(self.photos)

    def count(self) -> int:
        """Return how many photos there are."""
        return len(self.photos)


def prepare_all(photos: Sequence[PhotoFile], preprocessing: Preprocessing) -> None:
    """Turn every file into pixels, one after the other, and nothing else."""
    for photo in photos:
        prepare_photo(photo.read(), preprocessing)


def prepare_apart(paths: Sequence[str], preprocessing: Preprocessing) -> float:
    """Do the same as `prepare_all`, in a separate process. Return the CPU seconds that it took."""
    started = time.process_time()
    prepare_all([PhotoFile(path) for path in paths], preprocessing)
    return time.process_time() - started


def write_large_photos(folder: Path, count: int) -> None:
    """Draw photos of 1,200 x 1,600 pixels with camera noise: a few different ones and links to them."""
    dice = np.random.default_rng(0)
    drawn = list(load_sample_photos().values())
    for number in range(count):
        path, first = folder / f"{number:05}.jpg", folder / f"{number % (2 * len(drawn)):05}.jpg"
        if number >= 2 * len(drawn):
            path.hardlink_to(first)
            continue
        image = drawn[number % len(drawn)].resize(LARGE, Image.Resampling.BICUBIC)
        noise = dice.normal(0, 6, (LARGE[1], LARGE[0], 1))
        noisy = np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(path, quality=90)


def measure(work: Callable[[], object]) -> Cost:
    """Run once and return the cost. CPU seconds are those of all threads, and of processes if work returns them."""
    started, cpu_started = time.perf_counter(), time.process_time()
    elsewhere = work()
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    return Cost(seconds, cpu_seconds + (elsewhere if isinstance(elsewhere, float) else 0.0))


def main() -> None:
    """Measure and print a table."""
    arguments = _parse()
    threads = arguments.threads or count_usable_cpus()
    model = load_model(arguments.model, precision=arguments.precision, threads=arguments.threads)
    pool = ProcessPoolExecutor(
        threads, mp_context=get_context("spawn")
    )  # a fork would share the engine's locks
    with _open_photos(arguments) as folder, pool:
        bench = Bench(folder, arguments.large or arguments.count, model, threads, pool)
        parts = bench.parts(steps=arguments.steps)
        for work in parts.values():  # the first time includes caches and compilation
            work()
        rounds = [{name: measure(work) for name, work in parts.items()} for _ in range(arguments.rounds)]
        count = min(bench.count, sum(1 for _ in PhotoWalk([folder])))
    costs = {name: _median([costs[name] for costs in rounds]) for name in parts}
    _print(costs, count, threads, _describe(model))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure labelling against its floor.")
    parser.add_argument("photos", type=Path, nargs="?")
    parser.add_argument("--large", type=int, default=0, help="draw so many large photos instead")
    parser.add_argument("--model", default="default")
    parser.add_argument("--count", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--precision", default="auto", choices=["auto", "fp32", "bf16", "int8"])
    parser.add_argument("--steps", action="store_true", help="measure what lies between the parts, too")
    arguments = parser.parse_args()
    if bool(arguments.photos) == bool(arguments.large):
        parser.error("name a folder of photos, or a number with --large")
    return arguments


@contextlib.contextmanager
def _open_photos(arguments: argparse.Namespace) -> Iterator[Path]:
    if arguments.photos:
        yield arguments.photos
        return
    with tempfile.TemporaryDirectory(prefix="hangtag-bench-") as folder:
        write_large_photos(Path(folder), arguments.large)
        yield Path(folder)


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.seconds for cost in costs),
        statistics.median(cost.cpu_seconds for cost in costs),
    )


def _describe(model: Model) -> str:
    engine = model.engine
    return f"{engine.precision}, {engine.threads} threads, batches of {engine.batch_size}"


def _print(costs: dict[str, Cost], photos: int, threads: int, setting: str) -> None:
    ideals = {
        "ideal": costs[DECODING].cpu_seconds + costs[NETWORK].cpu_seconds,
        "ideal, decoding on all processors": costs[DECODING_EVERYWHERE].cpu_seconds
        + costs[NETWORK].cpu_seconds,
    }
    title = f"{photos:,} photos, {threads} processors; {setting}"
    table = Table("part", title=title, title_justify="left", box=None)
    for heading in (
        "seconds",
        "CPU seconds",
        "processors busy",
        "images/s",
        *(f"of the {name}" for name in ideals),
    ):
        table.add_column(heading, justify="right")
    for name, cost in costs.items():
        shares = [
            f"{cpu / threads / cost.seconds:.0%} ({cost.cpu_seconds / cpu - 1:+.1%} CPU)"
            for cpu in ideals.values()
        ]
        table.add_row(
            name,
            f"{cost.seconds:.2f}",
            f"{cost.cpu_seconds:.2f}",
            f"{cost.cpu_seconds / cost.seconds:.2f}",
            f"{photos / cost.seconds:,.0f}",
            *(shares if name.startswith(WHOLE) else []),
        )
    for name, cpu in ideals.items():
        table.add_row(
            name, f"{cpu / threads:.2f}", f"{cpu:.2f}", f"{threads:.2f}", f"{photos * threads / cpu:,.0f}"
        )
    open_console().print(table)


if __name__ == "__main__":
    main()
