"""How many processors this process may use: what it is pinned to, and what its container was given."""

import os
from pathlib import Path
from typing import Final

_CGROUPS: Final = Path("/sys/fs/cgroup")
_OWN_CGROUP: Final = Path("/proc/self/cgroup")


def count_usable_cpus(cgroups: Path = _CGROUPS, own_cgroup: Path = _OWN_CGROUP) -> int:
    """Return how many threads can really run at a time, at least 1.

    `os.cpu_count` names the machine's processors; a container limited to two of 64 that starts 64 threads is
    stopped by the kernel for most of every tenth of a second.
    """
    quotas = [_read_quota(folder) for folder in _iter_cgroup_folders(cgroups, own_cgroup)]
    limits = [max(1, int(quota)) for quota in quotas if quota is not None]
    return min([_count_allowed(), *limits])


def _count_allowed() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _iter_cgroup_folders(cgroups: Path, own_cgroup: Path) -> list[Path]:
    """Return the folders that may limit this process: its own groups and those above, of both versions of cgroups."""
    folders = []
    for line in _read_text(own_cgroup).splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":  # version 2: one tree for everything
            folders += _upwards(cgroups, path)
        elif "cpu" in controllers.split(","):  # version 1: a tree for each controller, or for a few together
            folders += _upwards(cgroups / controllers, path)
            folders += _upwards(cgroups / "cpu", path)
    # Inside a container the paths are often those of the host, and only the roots can be seen.
    return [*dict.fromkeys([*folders, cgroups, cgroups / "cpu", cgroups / "cpu,cpuacct"])]


def _upwards(root: Path, path: str) -> list[Path]:
    own = Path(path.lstrip("/"))
    return [root / folder for folder in (own, *own.parents)]


def _read_quota(folder: Path) -> float | None:
    """Return the processors that a cgroup may use, None when it says nothing or has no limit."""
    words = _read_text(folder / "cpu.max").split() or [
        *_read_text(folder / "cpu.cfs_quota_us").split(),
        *_read_text(folder / "cpu.cfs_period_us").split(),
    ]
    try:
        quota, period = (float(word) for word in words)
    except ValueError:  # "max", or no such files
        return None
    return quota / period if quota > 0 and period > 0 else None


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""
