"""What a pipeline tells while it works."""

from collections.abc import Callable
from typing import Final, Protocol


class Progress(Protocol):
    """Is told what a pipeline finds and how far it is."""

    def say(self, text: str) -> None:
        """Take a line about what was found or begins."""
        ...

    def advance(self, task: str, done: int, total: int | None) -> None:
        """Know that `done` of `total` steps of a task are done; None where nobody knows how many there are."""
        ...


class _Silent:
    def say(self, text: str) -> None: ...

    def advance(self, task: str, done: int, total: int | None) -> None: ...


SILENT: Final[Progress] = _Silent()


def follow(progress: Progress, task: str) -> Callable[[int, int], None]:
    """Return what a stage calls with the steps done and the steps in all."""
    return lambda done, total: progress.advance(task, done, total)
