"""The Ray cluster that all tests on one share: starting one takes longer than most of them."""

import pytest

from ray_nodes import start_nodes

NODES = 2


@pytest.fixture(scope="session")
def started_ray():
    nodes = start_nodes(NODES)
    if nodes is None:
        pytest.skip("Ray cannot start on this machine")
    with nodes:
        yield nodes


@pytest.fixture
def ray_nodes(started_ray):
    """A Ray cluster with a head without processors, and two nodes with one each; a test may kill a node."""
    started_ray.fill()
    return started_ray
