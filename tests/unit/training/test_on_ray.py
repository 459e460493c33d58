"""How many workers a cluster is to have. Clusters themselves are in `tests/stages/test_training_on_ray.py`."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("ray", reason="the extra `ray` is not installed")

from hangtag.domain.errors import UsageError
from hangtag.training.loop import RunSettings
from hangtag.training.on_ray import Cluster, Crew, choose_crew

SMALL, LARGE, GPUS = {"CPU": 4.0}, {"CPU": 16.0}, {"CPU": 16.0, "GPU": 4.0}


@pytest.mark.parametrize(
    ("nodes", "workers", "threads", "crew"),
    [
        ([SMALL, SMALL], None, None, Crew(2, 4)),
        ([SMALL, SMALL], None, 3, Crew(2, 3)),
        ([SMALL, SMALL], 4, None, Crew(4, 2)),
        ([SMALL, SMALL], 3, None, Crew(3, 2)),
        (
            [SMALL, LARGE],
            None,
            None,
            Crew(2, 8),
        ),  # both on the large one, which leaves the small one to others
        ([SMALL, {"memory": 1.0}], None, None, Crew(1, 4)),  # a machine that only keeps the cluster together
        ([SMALL, GPUS], None, None, Crew(4, 4, use_gpu=True)),
        ([SMALL, GPUS, GPUS], 2, None, Crew(2, 16, use_gpu=True)),
    ],
)
def test_workers_take_what_there_is(nodes, workers, threads, crew):
    settings = RunSettings(Path(), threads=threads)
    assert choose_crew(nodes, Cluster(workers=workers), settings) == crew


@pytest.mark.parametrize(
    ("nodes", "workers", "threads"),
    [([SMALL], 5, None), ([SMALL], None, 5), ([GPUS], 5, None), ([{"memory": 1.0}], None, None)],
)
def test_what_a_cluster_has_no_room_for_is_refused(nodes, workers, threads):
    with pytest.raises(UsageError, match="no room"):
        choose_crew(nodes, Cluster(workers=workers), RunSettings(Path(), threads=threads))
