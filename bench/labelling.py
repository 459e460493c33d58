"""Measure labelling against its floor: what decoding and the network cost alone, on the same photos.

    python bench/labelling.py PHOTOS [--model NAME] [--count N] [--rounds N] [--threads N] [--precision P]

The ideal end to end is (CPU seconds of decoding alone + CPU seconds of the engine alone) / threads. Every round
measures all parts, and the medians are compared, so that whatever else the machine does burdens all of them alike.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from hangtag.imaging.batches import PhotoDecoder
from hangtag.inference.cpus import count_usable_cpus
from hangtag.inference.model import Model, load_model
from hangtag.labelling.fingerprint import Fingerprint
from hangtag.labelling.inputs import PhotoFile, PhotoWalk
from hangtag.labelling.job import open_job
from hangtag.labelling.label import BATCH_SIZE, iter_labelled
from hangtag.labelling.outputs import Output
from hangtag.labelling.plan import Plan
from hangtag.labelling.rows import build_rows
from hangtag.labelling.run import Labeller


@dataclass(frozen=True)
class Cost:
    """What one part took."""

    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Bench:
    """The photos, the model and the threads of a measurement."""

    photos: Sequence[PhotoFile]
    model: Model
    threads: int

    def read(self) -> None:
        """Read every file."""
        for photo in self.photos:
            photo.read()

    def decode(self) -> None:
        """Read, decode and preprocess every photo."""
        decoder = PhotoDecoder(frozenset([self.model.card.preprocessing]), BATCH_SIZE, self.threads)
        for _ in decoder.iter_batches(self.photos):
            pass

    def run_engine(self) -> None:
        """Run the network on ready pixels."""
        batches = (self._ready for _ in range(len(self.photos) // BATCH_SIZE))
        for _ in self.model.engine.iter_run(batches):
            pass

    def label(self) -> None:
        """Do everything but the table."""
        for _ in iter_labelled(self.photos, [self.model], self.threads):
            pass

    def predict(self, name: str) -> None:
        """Go the whole way, from files to a table, as the command does: in a job that could be gone on with."""
        models = {"model": self.model}
        labeller = Labeller(models, threads=self.threads)
        with tempfile.TemporaryDirectory() as folder:
            output = Output.parse(f"{folder}/{name}")
            fingerprint = Fingerprint.of(models, labeller.layout)
            with open_job(Plan(output, labeller.layout, fingerprint, ("photos",))) as job:
                for batch in iter_labelled(self.photos, [self.model], self.threads):
                    job.write(build_rows(batch, labeller.cards, labeller.layout))

    @property
    def _ready(self) -> npt.NDArray[np.uint8]:
        size = self.model.card.preprocessing
        return np.full((BATCH_SIZE, size.height, size.width, 3), 200, np.uint8)


def measure(work: Callable[[], Any]) -> Cost:
    """Run once and return what it took. CPU seconds are those of all threads together."""
    started, cpu_started = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - started, time.process_time() - cpu_started)


def main() -> None:
    """Measure and print a table."""
    arguments = _parse()
    threads = arguments.threads or count_usable_cpus()
    model = load_model(arguments.model, precision=arguments.precision, threads=threads)
    bench = Bench(list(islice(PhotoWalk([arguments.photos]), arguments.count)), model, threads)
    parts: dict[str, Callable[[], None]] = {
        "read files": bench.read,
        "read and decode": bench.decode,
        "engine on ready pixels": bench.run_engine,
        "label, no table": bench.label,
        "predict to .parquet": lambda: bench.predict("out.parquet"),
        "predict to parts": lambda: bench.predict("out/"),
        "predict to .csv": lambda: bench.predict("out.csv"),
        "predict to .xlsx": lambda: bench.predict("out.xlsx"),
    }
    for work in parts.values():  # the first time pays for caches and compilation
        work()
    rounds = [{name: measure(work) for name, work in parts.items()} for _ in range(arguments.rounds)]
    costs = {name: _median([one[name] for one in rounds]) for name in parts}
    _print(costs, len(bench.photos), threads, model.engine.precision)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure labelling against its floor.")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--count", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--precision", default="auto", choices=["auto", "fp32", "bf16"])
    return parser.parse_args()


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.seconds for cost in costs),
        statistics.median(cost.cpu_seconds for cost in costs),
    )


def _print(costs: dict[str, Cost], photos: int, threads: int, precision: str) -> None:
    ideal_cpu = costs["read and decode"].cpu_seconds + costs["engine on ready pixels"].cpu_seconds
    table = Table("part", title=f"{photos:,} photos, {threads} threads, {precision}", title_justify="left")
    for heading in ("seconds", "CPU seconds", "images/s", "of the ideal", "CPU over the ideal"):
        table.add_column(heading, justify="right")
    for name, cost in costs.items():
        whole = name.startswith(("label", "predict"))
        table.add_row(
            name,
            f"{cost.seconds:.2f}",
            f"{cost.cpu_seconds:.2f}",
            f"{photos / cost.seconds:,.0f}",
            f"{ideal_cpu / threads / cost.seconds:.0%}" if whole else "",
            f"{cost.cpu_seconds / ideal_cpu - 1:+.1%}" if whole else "",
        )
    table.add_row(
        "ideal", f"{ideal_cpu / threads:.2f}", f"{ideal_cpu:.2f}", f"{photos * threads / ideal_cpu:,.0f}"
    )
    Console().print(table)


if __name__ == "__main__":
    main()
