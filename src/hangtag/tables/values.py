"""Tidying one value: stray spaces, invisible characters, the ways to say "missing"."""

import re
from enum import StrEnum
from typing import Final


class Repair(StrEnum):
    """What was put right in a row. The value is the stable code."""

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
"""The ways in which tables say that a value is missing."""

_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # control characters that are no white space
    "\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]+"  # of no width, or turning the text around
)


def is_perhaps_untidy(line: str, delimiter: str = ",") -> bool:
    """Tell in a few quick looks whether any value of an unquoted line may need tidying; most lines do not."""
    return (
        not (line.isascii() and line.isprintable())
        or "  " in line
        or f"{delimiter} " in line
        or f" {delimiter}" in line
        or line.startswith(" ")
        or line.endswith(" ")
    )


def drop_invisible(value: str) -> str:
    """Return a value without NUL and other characters that nobody sees and many programs choke on."""
    return _INVISIBLE.sub("", value)


def single_spaced(value: str) -> str:
    """Return a value with each run of white space, of any kind, as one space, and none at its ends."""
    return " ".join(value.split())
