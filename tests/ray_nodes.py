"""A Ray cluster of several node processes on this machine, in a separate process.

    python tests/ray_nodes.py NODES

Prints the address of the cluster when it is ready: a head without processors, NODES nodes with one processor each. A
line on standard input kills one node, like a power failure; the end of standard input stops the cluster.
"""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

STARTED_WITHIN_S = 300
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_health_check_period_ms": "1000",  # so that a killed node is noticed within seconds
    "RAY_worker_register_timeout_seconds": "300",  # a machine that runs tests may be busy
}


ATTEMPTS = 3


def start_nodes(count):
    """Return a cluster, or None if Ray fails to start: on a busy machine its nodes give up."""
    for _ in range(ATTEMPTS):
        nodes = RayNodes(count)
        if nodes.address:
            return nodes
        nodes.close()
    return None


class RayNodes:
    """The cluster as a test sees it; a context manager. `address` is empty if it did not start."""

    def __init__(self, count):
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(count)],
            env=os.environ | SETTINGS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.address = self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Stop the cluster."""
        self.process.stdin.close()
        try:
            self.process.wait(60)
        finally:
            self.process.kill()
            self.process.stdout.close()

    def kill_node(self):
        """Kill one of the nodes."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.process.stdout.readline()

    def find_workers(self):
        """Return the processes on all nodes that label photos."""
        return [
            process for process in _descendants(self.process.pid) if "LabellingWorker" in _command(process)
        ]


def _descendants(process):
    try:
        tasks = Path(f"/proc/{process}/task").iterdir()
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:  # it has ended
        return
    for child in children:
        yield child
        yield from _descendants(child)


def _command(process):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_text()
    return ""


def main(count):
    """Start the cluster, and stop it at the end of standard input."""
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - not in the process that tests

    sys.stdout, told = sys.stderr, sys.stdout  # Ray prints to standard output, too
    head = {"num_cpus": 0, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes = [cluster.add_node(num_cpus=1) for _ in range(count)]
    cluster.wait_for_nodes(timeout=STARTED_WITHIN_S)
    print(cluster.address, file=told, flush=True)
    for _ in sys.stdin:
        cluster.remove_node(nodes.pop(), allow_graceful=False)
        print("killed", file=told, flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]))
