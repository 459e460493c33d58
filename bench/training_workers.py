"""Training with one process per processor against one process with several threads: idle, and under load.

    python bench/training_workers.py CATALOGUE [--photos 600] [--rounds 3] [--recipe default]

Each variant is a `hangtag train` command, from random weights, in turn with the others. Its figures are the images/s of
the second epoch, and of the third next to one busy process per processor: medians of the rounds.
"""

import argparse
import csv
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hangtag.inference.runtime import count_usable_cpus

WAITS_S: Final = 600
EPOCHS: Final = 3


def main() -> None:
    """Measure all ways and print a table."""
    arguments = _parse()
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(1)
    )  # so that the training, in its own session, ends too
    processors = count_usable_cpus()
    threads = ["--threads", str(processors)]
    ways: dict[str, tuple[list[str], dict[str, str]]] = {
        f"one process, {processors} threads that spin": (threads, {"OMP_WAIT_POLICY": "ACTIVE"}),
        f"one process, {processors} threads that sleep": (threads, {"OMP_WAIT_POLICY": "PASSIVE"}),
        "one process on each processor (the default)": ([], {}),
    }
    rates: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(arguments.rounds):
        for way, (options, environment) in ways.items():
            rates[way].append(measure(arguments, options, environment))
            print(way, rates[way][-1], file=sys.stderr)
    print(f"| {arguments.recipe}, images/s | quiet | beside {processors} busy processes |\n|---|---|---|")
    for way, measured in rates.items():
        quiet, beside = (statistics.median(values) for values in zip(*measured, strict=True))
        print(f"| {way} | {quiet:.0f} | {beside:.0f} |")


def measure(
    arguments: argparse.Namespace, options: list[str], environment: Mapping[str, str]
) -> tuple[float, float]:
    """Return the images/s of a new training, idle and under load."""
    with tempfile.TemporaryDirectory(prefix="hangtag-bench-") as folder:
        run = Path(folder) / "run"
        command = [sys.executable, "-m", "hangtag.cli.main", "train", arguments.recipe, "--weights", "none"]
        command += ["--catalogue", str(arguments.catalogue), "--run", str(run)]
        command += ["--limit", str(arguments.photos), "--epochs", str(EPOCHS + 1), *options]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
        with (Path(folder) / "log").open("w+") as log:
            training = subprocess.Popen(
                command, env={**inherited, **environment}, stdout=log, stderr=log, start_new_session=True
            )
            try:
                quiet = _wait_for_epoch(run / "history.csv", EPOCHS - 1, training, Path(log.name))
                with busy_processes(count_usable_cpus()):
                    return quiet, _wait_for_epoch(run / "history.csv", EPOCHS, training, Path(log.name))
            finally:
                os.killpg(training.pid, signal.SIGKILL)
                training.wait()


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Keep this many processors busy during the block."""
    loads = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for load in loads:
            load.kill()
            load.wait()


def _wait_for_epoch(history: Path, epoch: int, training: subprocess.Popen[bytes], log: Path) -> float:
    until = time.monotonic() + WAITS_S
    while time.monotonic() < until:
        if history.is_file() and len(rows := list(csv.DictReader(history.open()))) >= epoch:
            return float(rows[epoch - 1]["images_per_s"])
        if training.poll() is not None:
            sys.exit(f"The training ended with {training.returncode}:\n{log.read_text()}")
        time.sleep(0.2)
    sys.exit(f"No epoch {epoch} in {WAITS_S} s:\n{log.read_text()}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the ways to train on several processors.")
    parser.add_argument("catalogue", type=Path)
    parser.add_argument("--photos", type=int, default=600, help="train photos")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--recipe", default="default")
    return parser.parse_args()


if __name__ == "__main__":
    main()
