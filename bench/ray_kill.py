"""Kill workers and a node during a run on a Ray cluster, and compare its table with that of one process.

    python bench/ray_kill.py PHOTOS [--count N] [--kills N] [--nodes N] [--seed S]

Every kill is a SIGKILL to a random worker; the last one kills a whole node. Exits with 1 if a row is lost, duplicated,
different, or in another place than in the table of one process.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from ray_cluster import BenchCluster, kill, link_photos, start_predict

LOOKED_EVERY_S: Final = 0.1
ENDED_WELL: Final = (0, 3)


def main() -> None:
    """Kill, wait, compare, and print the log."""
    arguments = _parse()
    with (
        tempfile.TemporaryDirectory(prefix="hangtag-bench-") as name,
        BenchCluster(arguments.nodes) as cluster,
    ):
        folder = Path(name)
        count = link_photos(arguments.photos, arguments.count, folder / "photos")
        usual = ["--precision", "fp32", "--summary", "summary.json"]
        _finish(start_predict(folder, *usual, "--output", "alone.parquet"))
        seconds = json.loads((folder / "summary.json").read_text("utf-8"))["seconds"]
        print(f"one process: {count:,} photos in {seconds:.1f} s")
        options = ["--engine", "ray", "--address", cluster.address, "--threads", "1", "--output", "spread/"]
        started = time.monotonic()
        process = start_predict(folder, *usual, *options)
        _kill_some(process, cluster, arguments, (started, seconds))
        _finish(process)
        print(f"Ray: ended by itself with {process.returncode} after {time.monotonic() - started:.1f} s")
        tables = [pq.read_table(folder / path).to_pylist() for path in ("alone.parquet", "spread")]
    sys.exit(_compare(*tables))


def _kill_some(
    process: subprocess.Popen[str],
    cluster: BenchCluster,
    arguments: argparse.Namespace,
    times: tuple[float, float],
) -> None:
    """Kill workers while the photos are labelled, and finally a node."""
    started, usual = times
    dice = random.Random(arguments.seed)  # noqa: S311 - a moment needs no cryptography
    for number in range(1, arguments.kills + 1):
        workers = _wait_for_workers(process, cluster)
        time.sleep(dice.uniform(0, usual / arguments.kills))
        if process.poll() is not None or not workers:
            print("the run has ended by itself")
            return
        after = f"kill {number} after {time.monotonic() - started:6.2f} s"
        if number == arguments.kills:
            cluster.kill_node()
            print(f"{after}: a node, {len(cluster.nodes)} left")
        else:
            victim = dice.choice(cluster.find_workers() or workers)
            kill(victim)
            print(f"{after}: SIGKILL to worker {victim}, one of {len(workers)}")


def _wait_for_workers(process: subprocess.Popen[str], cluster: BenchCluster) -> list[int]:
    while process.poll() is None:
        if workers := cluster.find_workers():
            return workers
        time.sleep(LOOKED_EVERY_S)
    return []


def _finish(process: subprocess.Popen[str]) -> None:
    _, said = process.communicate()
    if process.returncode not in ENDED_WELL:
        sys.exit(f"the command left with {process.returncode}: {said}")


def _compare(expected: Sequence[dict[str, Any]], found: Sequence[dict[str, Any]]) -> int:
    wanted, there = Counter(map(str, expected)), Counter(map(str, found))
    paths = Counter(str(row["path"]) for row in found)
    twice = sum(count - 1 for count in paths.values())
    lost = (Counter(str(row["path"]) for row in expected) - paths).total()
    other = (there - wanted).total()
    moved = sum(row["path"] != other["path"] for row, other in zip(expected, found, strict=False))
    print(f"{len(found):,} rows: {twice} twice, {lost} lost, {other} different, {moved} in another place")
    return int(bool(twice or lost or other or moved))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Kill workers of a run on a Ray cluster.")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=40_000)
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
