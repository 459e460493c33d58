"""Measure the service: images per second under load next to `hangtag predict`, and the latency of single photos.

    python bench/serving.py PHOTOS [--seconds S] [--clients N] [--photos N] [--rate N] [--model NAME] [--precision P]

The server is started here, on a free port of 127.0.0.1, once with batching and once without. The clients are separate
processes on the same processors, so their cost is part of the measurement. Everything is measured in one run, since
only ratios within a run are meaningful on a machine with other load.
"""

import argparse
import http.client
import itertools
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from hangtag.inference.model import load_model
from hangtag.inference.runtime import count_usable_cpus
from hangtag.labelling.inputs import PhotoFile, PhotoWalk
from hangtag.labelling.outputs import Output, open_table
from hangtag.labelling.run import Labeller

BOUNDARY: Final = "hangtag-bench"
HEADERS: Final = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
MAX_SECONDS: Final = 300
MAX_PHOTOS: Final = 20_000
CLIENT_PROCESSES: Final = 2


@dataclass
class Answers:
    """What some clients saw: the seconds of each response, photos labelled, failed requests."""

    seconds: list[float] = field(default_factory=list)
    photos: int = 0
    failed: int = 0
    elapsed: float = 0.0

    def add(self, other: "Answers") -> None:
        """Add what other clients saw."""
        self.seconds += other.seconds
        self.photos += other.photos
        self.failed += other.failed
        self.elapsed = max(self.elapsed, other.elapsed)

    def milliseconds(self, percent: float) -> float:
        """Return the time that this share of the requests did not exceed."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


@dataclass(frozen=True)
class Load:
    """The load from the clients of one process: bodies in turn, the number of connections, and the duration.

    With a `rate`, a request is sent every 1/rate seconds whether or not earlier ones have been answered.
    """

    port: int
    bodies: Sequence[bytes]
    photos_per_request: int
    connections: int
    seconds: float
    rate: float | None = None


def build_body(photos: Sequence[bytes]) -> bytes:
    """Return the body of a request."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="photos"; filename="{number}.jpg"\r\n\r\n'.encode()
        + photo
        + b"\r\n"
        for number, photo in enumerate(photos)
    ]
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


def send(load: Load) -> Answers:
    """Send a load from this process and return the results."""
    total, lock, started = Answers(), threading.Lock(), time.perf_counter()
    turns = itertools.count()

    def run() -> None:
        own = Answers()
        connection = http.client.HTTPConnection("127.0.0.1", load.port, timeout=60)
        while time.perf_counter() - started < load.seconds:
            turn = next(turns)
            if load.rate is not None:
                time.sleep(max(0.0, started + turn / load.rate - time.perf_counter()))
            _send_one(connection, load, load.bodies[turn % len(load.bodies)], own)
        own.elapsed = time.perf_counter() - started
        with lock:
            total.add(own)

    threads = [threading.Thread(target=run) for _ in range(load.connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return total


def _send_one(connection: http.client.HTTPConnection, load: Load, body: bytes, answers: Answers) -> None:
    sent = time.perf_counter()
    try:
        connection.request("POST", "/api/v1/predictions", body, HEADERS)
        response = connection.getresponse()
        text = response.read()
    except OSError:
        answers.failed += 1
        connection.close()
        return
    labelled = text.count(b'"status":"labelled"')
    if response.status != http.client.OK or labelled != load.photos_per_request:
        answers.failed += 1
        return
    answers.seconds.append(time.perf_counter() - sent)
    answers.photos += labelled


def measure_load(loads: Sequence[Load]) -> Answers:
    """Send several loads, each from its own process."""
    total = Answers()
    with ProcessPoolExecutor(len(loads), multiprocessing.get_context("spawn")) as pool:
        list(pool.map(time.sleep, [0.2] * len(loads)))  # so that starting the processes is not measured
        for answers in pool.map(send, loads):
            total.add(answers)
    return total


@contextmanager
def open_server(arguments: argparse.Namespace, *, batching: bool) -> Iterator[int]:
    """Start the service, yield its port, and stop it at the end."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "hangtag.cli.main", "serve", "--port", "0", "--data-folder", folder]
        command += ["--model", arguments.model, "--precision", arguments.precision]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HANGTAG_D")}
        environment["HANGTAG_BATCHING"] = str(batching)
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as server:
            try:
                assert server.stdout is not None  # noqa: S101 - for the type checker
                yield int(server.stdout.readline().rpartition(":")[2])
            finally:
                server.terminate()


def measure_predict(photos: Sequence[Path], arguments: argparse.Namespace) -> float:
    """Return how many photos per second `hangtag predict` writes to a table, without its start."""
    model = load_model(arguments.model, precision=arguments.precision)
    labeller = Labeller({"model": model}, threads=count_usable_cpus())
    with tempfile.TemporaryDirectory() as folder:
        for name in ("warm.csv", "labels.csv"):
            with open_table(Output.parse(str(Path(folder) / name)), labeller.layout) as writer:
                summary = labeller.label(PhotoWalk(photos), writer)
    return len(photos) / summary.seconds


def main() -> None:
    """Measure and print a table."""
    arguments = _parse()
    photos = [Path(photo.path) for photo in islice(PhotoWalk([arguments.input]), arguments.count)]
    alone = measure_predict(photos, arguments)
    console = Console(width=None if sys.stdout.isatty() else 120)
    table = Table(
        title=f"{len(photos):,} photos; hangtag predict: {alone:,.0f} images/s", title_justify="left"
    )
    for heading in ("load", "batching", "images/s", "of predict", "requests", "failed", "p50 ms", "p99 ms"):
        table.add_column(heading, justify="left" if heading in {"load", "batching"} else "right")
    for batching in (True, False):
        with open_server(arguments, batching=batching) as port:
            for name, loads in _loads(port, photos, arguments).items():
                answers = measure_load(loads)
                rate = answers.photos / answers.elapsed
                row = [f"{rate:,.0f}", f"{rate / alone:.0%}" if loads[0].rate is None else ""]
                row += [f"{len(answers.seconds):,}", f"{answers.failed:,}"]
                row += [f"{answers.milliseconds(50):.1f}", f"{answers.milliseconds(99):.1f}"]
                table.add_row(name, "on" if batching else "off", *row)
    console.print(table)


def _loads(port: int, photos: Sequence[Path], arguments: argparse.Namespace) -> dict[str, list[Load]]:
    data = [PhotoFile(str(path)).read() for path in photos]
    size, seconds = arguments.photos, arguments.seconds
    bodies = [build_body(data[start : start + size]) for start in range(0, len(data) - size + 1, size)]
    singles = [build_body([photo]) for photo in data[:1000]]
    shares = [arguments.clients // CLIENT_PROCESSES] * CLIENT_PROCESSES
    warm = [Load(port, bodies, size, 4, min(2.0, seconds))]
    measure_load(warm)
    return {
        f"{arguments.clients} clients, {size} photos a request": [
            Load(port, bodies[number::CLIENT_PROCESSES], size, share, seconds)
            for number, share in enumerate(shares)
        ],
        f"single photos, {arguments.rate:g} a second": [Load(port, singles, 1, 4, seconds, arguments.rate)],
    }


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the service.")
    parser.add_argument("input", type=Path, metavar="PHOTOS")
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--photos", type=int, default=8)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--model", default="default")
    parser.add_argument("--precision", default="auto", choices=["auto", "fp32", "bf16"])
    found = parser.parse_args()
    if found.seconds > MAX_SECONDS or found.count > MAX_PHOTOS:
        parser.error(f"at most {MAX_SECONDS} seconds and {MAX_PHOTOS:,} photos")
    return found


if __name__ == "__main__":
    main()
