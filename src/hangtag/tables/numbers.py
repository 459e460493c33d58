"""Numbers that a program changed while it saved a table: `15970.0` was 15970, and `8.90123E+12` lost its digits."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hangtag.tables.values import MISSING

_WHOLE_FLOAT: Final = re.compile(r"-?[0-9]+\.0+")
_SCIENTIFIC: Final = re.compile(r"-?[0-9][.,]?[0-9]*[eE]\+?[0-9]+")


@dataclass(frozen=True, slots=True)
class RuinedNumbers:
    """What became of the whole numbers of a column.

    `is_certain`: every value is written `15970.0`, as pandas writes the whole numbers of a column that has a gap, so
    the `.0` can be dropped. `example` is the first value that a program seems to have changed.
    """

    is_certain: bool = False
    example: str | None = None

    @classmethod
    def find(cls, values: Iterable[object]) -> "RuinedNumbers":
        """Look through the values of a column, no further than needed."""
        example: str | None = None
        for value in values:
            text = value.strip() if isinstance(value, str) else ""
            if text in MISSING:
                continue
            if not is_whole_float(text):
                return cls(is_certain=False, example=text if is_scientific(text) else example)
            example = example or text
        return cls(example is not None, example)


def is_whole_float(text: str) -> bool:
    """Tell whether a text is a whole number written `15970.0`."""
    return _WHOLE_FLOAT.fullmatch(text) is not None


def is_ruined(text: str) -> bool:
    """Tell whether a program seems to have changed a number: `15970.0`, `8.90123E+12`."""
    return is_whole_float(text) or is_scientific(text)


def drop_zero_fraction(text: str) -> str:
    """Return a whole number without the `.0` behind it, and any other text as it is."""
    return text.partition(".")[0] if is_whole_float(text) else text


def is_scientific(text: str) -> bool:
    """Tell whether a text is a number such as `8.90123E+12`, as spreadsheets show long ids."""
    return _SCIENTIFIC.fullmatch(text) is not None
