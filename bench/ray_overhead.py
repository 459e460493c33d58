"""Measure the overhead of Ray: the same photos and processors, labelled by one process and by a cluster, in turn.

    python bench/ray_overhead.py PHOTOS [--count N] [--rounds N] [--precision P] [--nodes N] [--data]

The cluster is a real one on this machine: a head without processors, and node processes with one processor each, as
many as a single process may use threads. Both sides run `hangtag predict`, from the command to the complete Parquet
file; medians of the rounds are compared. CPU seconds of the cluster are those of all its processes. `--data` also
measures Ray Data instead of hangtag's pool (`bench/ray_data.py`). Exits with 1 if the two tables differ in a row or in
their order.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq
from rich.table import Table

from hangtag.cli.console import open_console
from hangtag.inference.runtime import count_usable_cpus
from ray_cluster import BenchCluster, link_photos, start

SINGLE_PROCESS: Final = "one process"
SPREAD: Final = "Ray"
PARTS: Final = ("seconds", "labelling_s", "cpu_s")
SUMMARY: Final = "summary.json"
WATCHED_EVERY_S: Final = 0.5
SOME_FAILED: Final = 3


@dataclass(frozen=True)
class Cost:
    """The cost of one run: of the whole command, its labelling alone, all processors, and the command's own."""

    seconds: float
    labelling_s: float
    cpu_s: float
    command_cpu_s: float


def main() -> None:
    """Measure and print a table."""
    arguments = _parse()
    with (
        tempfile.TemporaryDirectory(prefix="hangtag-bench-") as name,
        BenchCluster(arguments.nodes) as cluster,
    ):
        folder = Path(name)
        count = link_photos(arguments.photos, arguments.count, folder / "photos")
        ways = _list_ways(arguments, cluster.address)
        if arguments.warm_up:
            for way, command in ways.items():
                measure(folder, way, command, cluster)
        rounds = [
            {way: measure(folder, way, command, cluster) for way, command in ways.items()}
            for _ in range(arguments.rounds)
        ]
        costs = {way: _median([costs[way] for costs in rounds]) for way in ways}
        _print(costs, count, arguments)
        tables = [pq.read_table(folder / f"{way}.parquet") for way in (SINGLE_PROCESS, SPREAD)]
    same = tables[0].equals(tables[1])
    print("the same rows in the same order" if same else "THE ROWS DIFFER")
    sys.exit(not same)


def _list_ways(arguments: argparse.Namespace, address: str) -> dict[str, list[str]]:
    """Return the commands to measure, by name."""
    predict = [sys.executable, "-m", "hangtag.cli.main", "predict", "photos", "--restart"]
    predict += ["--precision", arguments.precision, "--summary", SUMMARY]
    ways = {
        SINGLE_PROCESS: [
            *predict,
            "--output",
            f"{SINGLE_PROCESS}.parquet",
            "--threads",
            str(arguments.nodes),
        ],
        SPREAD: [
            *predict,
            "--output",
            f"{SPREAD}.parquet",
            "--threads",
            "1",
            "--engine",
            "ray",
            "--address",
            address,
        ],
    }
    if arguments.data:
        script = str(Path(__file__).with_name("ray_data.py").resolve())
        settings = ["photos", address, str(arguments.nodes), arguments.precision, SUMMARY]
        ways["Ray Data, no table"] = [sys.executable, script, *settings]
    return ways


def measure(folder: Path, way: str, command: list[str], cluster: BenchCluster) -> Cost:
    """Label the photos once. The cost of an idle cluster is not charged to a single process."""
    before, started = cluster.spent_cpu_s(), time.perf_counter()
    process = start(command, folder)
    watcher = threading.Thread(target=_watch, args=(cluster, process))
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    watcher.join()
    if process.returncode not in {0, SOME_FAILED}:
        sys.exit(f"{way} left with {process.returncode}: {process.stderr and process.stderr.read()}")
    own = usage.ru_utime + usage.ru_stime
    others = 0.0 if way == SINGLE_PROCESS else cluster.spent_cpu_s() - before
    summary = json.loads((folder / SUMMARY).read_text("utf-8"))
    return Cost(seconds, summary["seconds"], own + others, own)


def _watch(cluster: BenchCluster, process: object) -> None:
    while getattr(process, "returncode", 0) is None:
        cluster.spent_cpu_s()
        time.sleep(WATCHED_EVERY_S)


def _median(costs: list[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.seconds for cost in costs),
        statistics.median(cost.labelling_s for cost in costs),
        statistics.median(cost.cpu_s for cost in costs),
        statistics.median(cost.command_cpu_s for cost in costs),
    )


def _print(costs: dict[str, Cost], photos: int, arguments: argparse.Namespace) -> None:
    title = (
        f"{photos:,} photos, {arguments.nodes} processors, {arguments.precision}, rounds: {arguments.rounds}"
    )
    table = Table("", title=title, title_justify="left", box=None)
    headings = (
        "seconds",
        "labelling alone",
        "photos/s",
        "CPU seconds",
        "of the command",
        "photos per CPU second",
    )
    for heading in headings:
        table.add_column(heading, justify="right")
    for way, cost in costs.items():
        table.add_row(
            way,
            f"{cost.seconds:.1f}",
            f"{cost.labelling_s:.1f}",
            f"{photos / cost.seconds:,.0f}",
            f"{cost.cpu_s:.1f}",
            f"{cost.command_cpu_s:.1f}",
            f"{photos / cost.cpu_s:,.0f}",
        )
    for way in [way for way in costs if way != SINGLE_PROCESS]:
        over = [
            f"{getattr(costs[way], part) / getattr(costs[SINGLE_PROCESS], part) - 1:+.1%}" for part in PARTS
        ]
        table.add_row(f"overhead of {way}", over[0], over[1], "", over[2], "", "")
    open_console().print(table)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure what Ray costs.")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--nodes", type=int, default=count_usable_cpus())
    parser.add_argument("--data", action="store_true", help="measure Ray Data, too")
    parser.add_argument(
        "--no-warm-up", dest="warm_up", action="store_false", help="do not run both once before"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
