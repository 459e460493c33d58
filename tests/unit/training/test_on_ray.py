"""How many workers a cluster is to have. Clusters themselves are in `tests/stages/test_training_on_ray.py`."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("ray", reason="the extra `ray` is not installed")

from hangtag.domain.errors import UsageError
from hangtag.training.loop import RunSettings
from hangtag.training.on_ray import Cluster, WorkerPlan, plan_workers

SMALL, LARGE, GPUS = {"CPU": 4.0}, {"CPU": 16.0}, {"CPU": 16.0, "GPU": 4.0}


@pytest.mark.parametrize(
    ("nodes", "workers", "threads", "plan"),
    [
        ([SMALL, SMALL], None, None, WorkerPlan(2, 4)),
        ([SMALL, SMALL], None, 3, WorkerPlan(2, 3)),
        ([SMALL, SMALL], 4, None, WorkerPlan(4, 2)),
        ([SMALL, SMALL], 3, None, WorkerPlan(3, 2)),
        (
            [SMALL, LARGE],
            None,
            None,
            WorkerPlan(2, 8),
        ),  # both on the large one, which leaves the small one to others
        (
            [SMALL, {"memory": 1.0}],
            None,
            None,
            WorkerPlan(1, 4),
        ),  # a machine that only keeps the cluster together
        ([SMALL, GPUS], None, None, WorkerPlan(4, 4, use_gpu=True)),
        ([SMALL, GPUS, GPUS], 2, None, WorkerPlan(2, 16, use_gpu=True)),
    ],
)
def test_workers_take_what_there_is(nodes, workers, threads, plan):
    settings = RunSettings(Path(), threads=threads)
    assert plan_workers(nodes, Cluster(workers=workers), settings) == plan


@pytest.mark.parametrize(
    ("nodes", "workers", "threads"),
    [([SMALL], 5, None), ([SMALL], None, 5), ([GPUS], 5, None), ([{"memory": 1.0}], None, None)],
)
def test_what_a_cluster_has_no_room_for_is_refused(nodes, workers, threads):
    with pytest.raises(UsageError, match="no room"):
        plan_workers(nodes, Cluster(workers=workers), RunSettings(Path(), threads=threads))
