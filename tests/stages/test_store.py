"""The store as a whole: what is acknowledged outlives any end of the process."""

import subprocess
import sys
from pathlib import Path

import pytest

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
