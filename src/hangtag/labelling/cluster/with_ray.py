"""Workers on a Ray cluster. The only module of labelling that imports Ray, and only if a run asks for it."""

import logging
import os
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from hangtag.domain.errors import UsageError
from hangtag.domain.extras import missing_extra
from hangtag.inference.runtime import count_usable_cpus
from hangtag.labelling.cluster.pool import ClusterSettings, WorkerLostError
from hangtag.labelling.cluster.worker import LabellingWorker, WorkPlan

if TYPE_CHECKING:
    from types import ModuleType

    from hangtag.labelling.cluster.worker import HandedPhoto

MOST_CPUS: Final = 4
"""The default limit of processors per worker. With so few, Python's lock is no bottleneck."""

_QUIET: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",  # do not report usage
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # opt in to Ray's future treatment of GPUs, which silences a warning
}


class RayCluster:
    """A `Cluster` on Ray: connected when constructed, disconnected by `close` or as a context manager.

    Raises `UsageError` if the extra `ray` is not installed, no cluster answers, or no machine has room for a worker.
    """

    def __init__(self, settings: ClusterSettings, plan: WorkPlan) -> None:
        self._ray = import_ray()
        self._settings = settings
        _connect(self._ray, settings)
        try:
            self.cpus = settings.cpus or self._usual_cpus()
            self._check_room()
            self._plan = self._ray.put(plan)
        except BaseException:
            self.close()
            raise
        self._actor = self._ray.remote(LabellingWorker).options(
            num_cpus=self.cpus,
            num_gpus=settings.gpus or None,
            max_restarts=0,  # the pool starts another one, wherever there is room
            max_task_retries=0,  # the pool sends its photos to other workers
            scheduling_strategy="SPREAD",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def count_places(self) -> int:
        """Return how many workers the machines of the cluster could hold, ignoring other jobs."""
        return sum(self._places_of(resources) for resources in self._machines())

    def start_worker(self) -> tuple[Any, Any]:
        """Start a worker without waiting. Return it and the ticket of its `start`."""
        worker = self._actor.remote(self._plan, self.cpus)
        return worker, worker.start.remote()

    def hand_over(self, worker: Any, photos: "Sequence[HandedPhoto]") -> Any:  # noqa: ANN401 - Ray's own
        """Send photos to a worker. Return the ticket of their predictions."""
        return worker.label.remote(photos)

    def wait(self, tickets: Sequence[Any], timeout_s: float) -> Sequence[Any]:
        """Return the finished tickets as soon as there is one, or none after `timeout_s` seconds."""
        if not tickets:
            time.sleep(timeout_s)
            return []
        done, _ = self._ray.wait(tickets, num_returns=1, timeout=timeout_s)
        more: list[Any]
        more, _ = self._ray.wait(tickets, num_returns=len(tickets), timeout=0) if done else (done, [])
        return more

    def fetch(self, ticket: Any) -> Any:  # noqa: ANN401 - as above
        """Return the result of a ticket. Raises `WorkerLostError` if its worker is gone."""
        errors = self._ray.exceptions
        gone = (
            errors.RayActorError,
            errors.ObjectLostError,
            errors.WorkerCrashedError,
            errors.OutOfMemoryError,
        )
        try:
            return self._ray.get(ticket)
        except gone as error:
            raise WorkerLostError(str(error).strip() or type(error).__name__) from None

    def stop(self, worker: Any) -> None:  # noqa: ANN401 - as above
        """Stop a worker, dead or alive."""
        self._ray.kill(worker, no_restart=True)

    def close(self) -> None:
        """Disconnect from the cluster, which stops its workers. A cluster that was started here is stopped too."""
        self._ray.shutdown()

    def _machines(self) -> list[dict[str, float]]:
        return [node["Resources"] for node in self._ray.nodes() if node["Alive"]]

    def _usual_cpus(self) -> int:
        sizes = [int(machine.get("CPU", 0)) for machine in self._machines()]
        return min([MOST_CPUS, *(size for size in sizes if size >= 1)])

    def _places_of(self, resources: dict[str, float]) -> int:
        places = resources.get("CPU", 0) // self.cpus
        if self._settings.gpus:
            places = min(places, resources.get("GPU", 0) // self._settings.gpus)
        return int(places)

    def _check_room(self) -> None:
        if self._settings.workers is None and not self.count_places():
            raise UsageError(
                f"no machine of the cluster has room for a worker ({self._describe_worker()})",
                fix="Let each worker take less with `threads` and `gpus`, or say how many `workers` there will be.",
            )

    def _describe_worker(self) -> str:
        gpus = f", {self._settings.gpus:g} GPU" if self._settings.gpus else ""
        return f"{self.cpus} CPU{gpus}"


def import_ray() -> "ModuleType":
    """Return Ray with its logging silenced. Raises `UsageError` if the extra `ray` is not installed."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray  # noqa: PLC0415 - an extra, and asked for only here
    except ImportError:
        raise missing_extra("ray", "labelling on many machines") from None
    module: ModuleType = ray
    return module


def _connect(ray: "ModuleType", settings: ClusterSettings) -> None:
    """Connect to a cluster, or start one on this machine. Raises `UsageError` if none answers."""
    if settings.address is None:
        ray.init(
            address="local",
            num_cpus=count_usable_cpus(),
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        return
    try:
        ray.init(address=settings.address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UsageError(
            f"no Ray cluster answers ({(str(error).splitlines() or ['no reason given'])[0]})",
            where=settings.address,
            fix="Start one with `ray start --head`, or leave `address` out to use this machine alone.",
        ) from None
