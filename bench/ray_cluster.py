"""A Ray cluster of several node processes on this machine, for measurements."""

import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, Self

MARK: Final = "HANGTAG_BENCH_CLUSTER"
"""An environment variable that identifies the processes of the cluster, which inherit it."""

STARTED_WITHIN_S: Final = 300

_TICKS: Final = os.sysconf("SC_CLK_TCK")


class BenchCluster:
    """A head without processors and `nodes` nodes with `cpus` each; a context manager."""

    def __init__(self, nodes: int, cpus: int = 1) -> None:
        os.environ.update({"RAY_USAGE_STATS_ENABLED": "0", MARK: secrets.token_hex(8)})
        from ray.cluster_utils import Cluster  # noqa: PLC0415 - not before Ray is told to be quiet

        self._spent: dict[int, float] = {}
        self._cluster: Any = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
        )
        self.nodes = [self._cluster.add_node(num_cpus=cpus, wait=True) for _ in range(nodes)]
        self.address = str(self._cluster.address)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._cluster.shutdown()

    def find_workers(self) -> list[int]:
        """Return the processes that label photos."""
        return [process for process in self._processes() if "LabellingWorker" in _command(process)]

    def kill_node(self) -> None:
        """Kill the processes of a node one after the other, like a power failure."""
        self._cluster.remove_node(self.nodes.pop(), allow_graceful=False)

    def spent_cpu_s(self) -> float:
        """Return the CPU seconds of all processes so far. For those that ended, the last known value is used."""
        for process in self._processes():
            self._spent[process] = _cpu_s(process)
        return sum(self._spent.values())

    def _processes(self) -> list[int]:
        mark = f"{MARK}={os.environ[MARK]}".encode()
        found = []
        for folder in Path("/proc").iterdir():
            try:
                if folder.name.isdecimal() and mark in folder.joinpath("environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
            except OSError:  # it has ended, or belongs to another user
                continue
        return found


def kill(process: int) -> None:
    """Kill a process like `kill -9`."""
    os.kill(process, signal.SIGKILL)


def start(command: list[str], folder: Path) -> subprocess.Popen[str]:
    """Start a command in a folder, without the cluster's mark."""
    environment = {name: value for name, value in os.environ.items() if name != MARK}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def start_predict(folder: Path, *options: str) -> subprocess.Popen[str]:
    """Start `hangtag predict` on `photos` in a folder."""
    return start([sys.executable, "-m", "hangtag.cli.main", "predict", "photos", *options], folder)


def link_photos(photos: Path, count: int, folder: Path) -> int:
    """Link the first photos of a folder, by name, into a new one. Return their number."""
    folder.mkdir()
    chosen = sorted(path for path in photos.iterdir() if path.is_file())[:count]
    for path in chosen:
        folder.joinpath(path.name).symlink_to(path.resolve())
    return len(chosen)


def _command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def _cpu_s(process: int) -> float:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS
