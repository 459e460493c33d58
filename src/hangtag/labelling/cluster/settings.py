"""What can be chosen about workers."""

from dataclasses import dataclass
from typing import Final

from hangtag.domain.errors import UsageError

CHUNK_PHOTOS: Final = 1024
"""About a second of work for two processors: enough that handing over costs nothing, little to do again when lost."""


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Which cluster, how many workers, and what each of them takes of its machine.

    `address` is that of a running cluster, `auto` for the one that this machine belongs to, None to start one on this
    machine for the time of the run. `workers` None is as many as there is room for, looked up again as machines come
    and go. Each worker has `cpus` processors, None for those of the smallest machine and at most 4, and `gpus` GPUs.
    `chunk` photos are handed over at a time. When no worker has been there for `patience_s` seconds, the run ends.

    Raises `UsageError` when a number is too small to mean anything.
    """

    address: str | None = None
    workers: int | None = None
    cpus: int | None = None
    gpus: float = 0.0
    chunk: int = CHUNK_PHOTOS
    patience_s: float = 600.0

    def __post_init__(self) -> None:
        if min(self.workers or 1, self.cpus or 1, self.chunk) < 1 or 0 in (self.workers, self.cpus):
            raise UsageError("workers, their processors and the photos of a chunk start at 1")
        if self.gpus < 0:
            raise UsageError("there are no fewer than 0 GPUs")
