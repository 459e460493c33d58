"""Where `hangtag predict` labels: in its own process, or on the workers of a cluster."""

import contextlib
import sys
from collections.abc import Generator, Iterable, Mapping, Sequence

from hangtag.bundle.shipped import find_bundle
from hangtag.domain.errors import UsageError
from hangtag.inference.model import Model
from hangtag.inference.predictions import Predictions
from hangtag.labelling.cluster.pool import WorkerPool
from hangtag.labelling.cluster.settings import ClusterSettings
from hangtag.labelling.cluster.with_ray import RayCluster, import_ray
from hangtag.labelling.cluster.worker import Identity, ModelFiles, WorkPlan
from hangtag.labelling.inputs.photo import InputPhoto
from hangtag.labelling.inputs.settings import InputSettings
from hangtag.labelling.run import Pipeline


def label_on_ray(
    cluster: ClusterSettings, names: Sequence[str], models: Mapping[str, Model], inputs: InputSettings
) -> Pipeline:
    """Return a pipeline that connects to a Ray cluster when it is given photos. `names` say where the models are.

    Raises `UsageError` when the extra `ray` is not installed.
    """
    import_ray()
    files = {
        name: ModelFiles.of(find_bundle(called), model)
        for called, (name, model) in zip(names, models.items(), strict=True)
    }
    plan = WorkPlan(files, inputs)

    def label(photos: Iterable[InputPhoto]) -> Generator[tuple[Predictions, ...]]:
        # Ray prints what it notices, such as a lost worker, and standard output may be the table.
        with contextlib.redirect_stdout(sys.stderr), RayCluster(cluster, plan) as connected:
            yield from WorkerPool(connected, Identity.of(models), cluster).iter_labelled(photos)

    return label


def check_options(engine: str, options: Mapping[str, object]) -> None:
    """Raise `UsageError` when an option is given that only Ray knows, by its name, and another engine is to label."""
    given = [name for name, value in options.items() if value]
    if engine != "ray" and given:
        raise UsageError(
            "this is about Ray, which does not label here", where=given[0], fix="Add --engine ray."
        )
