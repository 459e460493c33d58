import os

import pytest

from hangtag.inference import runtime
from hangtag.inference.runtime import count_usable_cpus


@pytest.fixture
def count(tmp_path, monkeypatch):
    """Count on a machine that lets this process run on eight processors, with the given cgroup files."""
    monkeypatch.setattr(runtime, "_count_allowed", lambda: 8)

    def count(own="/", **files):
        for name, text in files.items():
            path = tmp_path / "cgroup" / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (tmp_path / "own").write_text(own if ":" in own else f"0::{own}\n")
        return count_usable_cpus(tmp_path / "cgroup", tmp_path / "own")

    return count


def test_without_cgroups_all_that_the_process_is_allowed(count):
    assert count() == 8


def test_a_quota_limits(count):
    assert count(cpu_dot_max="200000 100000\n") == 2


def test_no_quota_does_not(count):
    assert count(cpu_dot_max="max 100000\n") == 8


def test_part_of_a_processor_is_rounded_down_but_never_to_none(count):
    assert count(cpu_dot_max="350000 100000\n") == 3
    assert count(cpu_dot_max="50000 100000\n") == 1


def test_the_own_group_and_every_one_above_it_count(count):
    assert count(own="/shop/job", shop__cpu_dot_max="300000 100000") == 3
    assert count(own="/shop/job", shop__job__cpu_dot_max="100000 100000") == 1


def test_the_first_version_of_cgroups(count):
    files = {"cpu__cpu_dot_cfs_quota_us": "400000", "cpu__cpu_dot_cfs_period_us": "100000"}
    assert count(**files) == 4
    assert count(**(files | {"cpu__cpu_dot_cfs_quota_us": "-1"})) == 8


@pytest.mark.parametrize("controllers", ["cpu", "cpu,cpuacct"])
def test_the_own_group_of_the_first_version(count, controllers):
    own = f"3:memory:/else\n2:{controllers}:/shop/job\n1:cpuset:/other\n0::/\n"
    quota = {"cpu_dot_cfs_quota_us": "300000", "cpu_dot_cfs_period_us": "100000"}
    assert count(own, **{f"{controllers}__shop__{name}": text for name, text in quota.items()}) == 3
    tighter = {"cpu_dot_cfs_quota_us": "150000", "cpu_dot_cfs_period_us": "100000"}
    assert count(own, **{f"{controllers}__shop__job__{name}": text for name, text in tighter.items()}) == 1


def test_a_container_that_sees_the_path_of_its_host(count):
    assert count(own="/docker/0123abcd", cpu_dot_max="200000 100000") == 2


def test_the_group_of_another_controller_does_not_count(count):
    own = "2:cpuacct:/shop\n1:cpu:/\n"
    quota = {"cpu_dot_cfs_quota_us": "100000", "cpu_dot_cfs_period_us": "100000"}
    assert count(own, **{f"cpu__shop__{name}": text for name, text in quota.items()}) == 8


@pytest.mark.parametrize("text", ["", "garbage", "1 2 3", "100000 0", "\xff"])
def test_files_that_say_nothing_are_no_limit(count, text):
    assert count(cpu_dot_max=text) == 8


def test_the_affinity_of_this_process_counts():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert count_usable_cpus() == 1
    finally:
        os.sched_setaffinity(0, before)
