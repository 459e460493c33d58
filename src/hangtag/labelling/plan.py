"""What a job writes, and what happens to an earlier job for the same output."""

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
    """What to do if there is already a job for this output."""

    NEW = auto()
    """Replace the table of a finished job. Refuse to lose an unfinished one, or a folder of parts."""
    RESUME = auto()
    """Label the photos that have no row."""
    RETRY = auto()
    """Label the photos that have no row, and those that failed."""
    RESTART = auto()
    """Delete the rows of the earlier job."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a job writes, and what its answers depend on. `inputs` are as the user named them."""

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
    def resumes(self) -> bool:
        """Whether the rows of an earlier run stay."""
        return self.start in {Start.RESUME, Start.RETRY}
