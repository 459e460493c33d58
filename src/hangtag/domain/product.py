"""A row of a catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Product:
    """One product: its id, its values by column (a missing value is absent), and the line it came from.

    `line` counts from 1, the header being line 1 of the file.
    """

    id: str
    values: Mapping[str, str]
    line: int

    def __getitem__(self, column: str) -> str | None:
        """Return the value of a column, or None where it is missing."""
        return self.values.get(column)
