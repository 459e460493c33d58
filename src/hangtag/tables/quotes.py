"""Quotes in a line: those that enclose a field, and those that are part of a value."""

import csv
import re
from typing import NamedTuple

from hangtag.tables.values import Repair


class QuotedSplit(NamedTuple):
    """The fields of a line that holds quotes. `is_open`: a field's opening quote is never closed."""

    fields: list[str]
    repairs: list[Repair]
    is_open: bool


_BODY = r'[ \t]*"([^"]*+(?:""[^"]*+)*+)'
_QUOTED = re.compile(_BODY + r'"[ \t]*(?:,|\Z)')
_QUOTED_TO_THE_END = re.compile(_BODY + r'"[ \t]*\Z')
_OPEN = re.compile(_BODY + r"\Z")


def split_quoted(text: str, last: int) -> QuotedSplit:
    """Split a line that holds quotes into at most `last` + 1 fields, the last one taking all that remains.

    A field is quoted when its first character and its last one are quotes, as the CSV standard has it. Any
    other quote, such as the inch sign in 3.5", is a character of the value.
    """
    fields: list[str] = []
    bare: list[str] = []
    position: int | None = 0
    is_open = False
    while position is not None and len(fields) < last:
        is_open = is_open or _OPEN.match(text, position) is not None
        field, is_bare, position = _next_field(text, position)
        fields.append(field)
        bare += [field] if is_bare else []
    repairs: list[Repair] = []
    if position is not None:
        rest = text[position:]
        is_open = is_open or _OPEN.match(rest) is not None
        quoted = _QUOTED_TO_THE_END.match(rest)
        if quoted is None and "," in rest:
            rest = rest.rstrip(", \t")
            repairs.append(Repair.EXTRA_COMMAS)
        fields.append(rest if quoted is None else _unquote(quoted[1]))
        bare += [rest] if quoted is None else []
    if any('"' in field for field in bare):
        repairs.append(Repair.BARE_QUOTE)
    return QuotedSplit(fields, repairs, is_open)


def split_strictly(text: str) -> list[str] | None:
    """Split one record by the letter of the CSV standard; None if it does not keep to it."""
    try:
        return next(csv.reader([text], strict=True, skipinitialspace=True))
    except csv.Error:
        return None


def _next_field(text: str, start: int) -> tuple[str, bool, int | None]:
    """Return the field at `start`, whether it is bare, and where the next one starts (None: nowhere)."""
    quoted = _QUOTED.match(text, start)
    if quoted is not None:
        return _unquote(quoted[1]), False, quoted.end() if quoted[0].endswith(",") else None
    comma = text.find(",", start)
    return (text[start:], True, None) if comma < 0 else (text[start:comma], True, comma + 1)


def _unquote(body: str) -> str:
    return body.replace('""', '"')
