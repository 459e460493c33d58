"""Cleaning one value: stray spaces, invisible characters, markers for missing values, damaged numbers.

A damaged number such as `15970.0` was 15970; one such as `8.90123E+12` has lost its digits.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Repair(StrEnum):
    """What was repaired in a row. The value is the stable code."""

    EXTRA_COMMAS = "extra_commas"
    BARE_QUOTE = "bare_quote"
    JOINED_LINES = "joined_lines"
    COMPOSITION = "unicode_composition"
    SPACES = "spaces"
    INVISIBLE = "invisible_characters"
    ENCODING = "encoding"
    NUMBERS = "whole_numbers"


MISSING: Final = frozenset(
    ("", "NA", "Na", "na", "N/A", "n/a", "#N/A", "NULL", "Null", "null", "NaN", "nan", "NAN"),
)
"""Markers for missing values."""

_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # control characters other than white space
    "\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]+"  # zero-width and text direction
)


def is_perhaps_untidy(line: str, delimiter: str = ",") -> bool:
    """Check quickly whether any value of an unquoted line may need tidying; most lines do not."""
    return (
        not (line.isascii() and line.isprintable())
        or "  " in line
        or f"{delimiter} " in line
        or f" {delimiter}" in line
        or line.startswith(" ")
        or line.endswith(" ")
    )


def drop_invisible(value: str) -> str:
    """Return a value without NUL and other invisible characters, which break many programs."""
    return _INVISIBLE.sub("", value)


def single_spaced(value: str) -> str:
    """Return a value with each run of white space as one space, and none at its ends."""
    return " ".join(value.split())


_WHOLE_FLOAT: Final = re.compile(r"-?[0-9]+\.0+")
_SCIENTIFIC: Final = re.compile(r"-?[0-9][.,]?[0-9]*[eE]\+?[0-9]+")


@dataclass(frozen=True, slots=True)
class RuinedNumbers:
    """How a program changed the whole numbers of a column.

    `is_certain`: every value looks like `15970.0`, which pandas writes for whole numbers if the column has a gap, so
    the `.0` can be dropped. `example` is the first value that seems to be changed.
    """

    is_certain: bool = False
    example: str | None = None

    @classmethod
    def find(cls, values: Iterable[object]) -> "RuinedNumbers":
        """Search the values of a column, no further than needed."""
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
    """Return whether a text is a whole number written like `15970.0`."""
    return _WHOLE_FLOAT.fullmatch(text) is not None


def is_ruined(text: str) -> bool:
    """Return whether a program seems to have changed a number: `15970.0`, `8.90123E+12`."""
    return is_whole_float(text) or is_scientific(text)


def drop_zero_fraction(text: str) -> str:
    """Return a whole number without its `.0`, and any other text unchanged."""
    return text.partition(".")[0] if is_whole_float(text) else text


def is_scientific(text: str) -> bool:
    """Return whether a text is a number such as `8.90123E+12`, the way spreadsheets show long ids."""
    return _SCIENTIFIC.fullmatch(text) is not None
