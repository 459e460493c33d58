"""What a job is to write, and what is to become of an earlier one."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Final

from hangtag.labelling.fingerprint import Fingerprint
from hangtag.labelling.layout import Layout
from hangtag.labelling.outputs import Output

ROWS_A_PART: Final = 100_000


class Start(Enum):
    """What is to happen when there is a job for this output already."""

    NEW = auto()
    """Replace the table of a finished job; refuse to lose what is begun, or a folder of parts."""
    RESUME = auto()
    """Go on: label the photos that have no row."""
    RETRY = auto()
    """Go on, and label the failed photos again."""
    RESTART = auto()
    """Drop what is there."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a job is to write, and what its answers depend on. `inputs` are called what a person called them."""

    output: Output
    layout: Layout
    fingerprint: Fingerprint
    inputs: Sequence[str]
    start: Start = Start.NEW
    rows_a_part: int = ROWS_A_PART

    @property
    def folder(self) -> Path:
        """Where the job's rows lie."""
        path = self.output.path.resolve()
        return path if self.output.is_folder else path.with_name(f".{path.name}.job")

    @property
    def goes_on(self) -> bool:
        """Whether rows of an earlier run are to stay."""
        return self.start in {Start.RESUME, Start.RETRY}
