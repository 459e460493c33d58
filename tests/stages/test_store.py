"""The store as a whole: what is acknowledged outlives any end of the process, and any other fault."""

import subprocess
import sys
from pathlib import Path

import pytest

from faulty_store import ACTIONS, FAULTS, World, check, prepare, throw

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("seed", [3, 11])
def test_what_is_acknowledged_survives_a_kill_at_any_moment(seed):
    done = subprocess.run(
        [sys.executable, TESTS / "crashing_store.py", str(seed), "20"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 3


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "kill -9"])
def test_a_fault_in_the_middle_of_what_people_do_loses_nothing(tmp_path, fault, action):
    world = World(tmp_path, throw(len(fault) + len(action)))
    prepare(world, ACTIONS[action])
    FAULTS[fault](world, ACTIONS[action])
    assert check(world) is None
