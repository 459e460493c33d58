"""Text for people: strings from outside made safe to print, and numbers."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any


def printable(text: str) -> str:
    """Return a file name, a label or a message with its control characters escaped.

    Printed as they are, they could move the cursor, rename the window or hide earlier output.
    """
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def render_share(share: float) -> str:
    """Format a share from 0 to 1 as a percentage with one decimal; a small one as `< 0.1 %` instead of `0.0 %`."""
    return "< 0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"  # noqa: PLR2004 - half of 0.1 %


def render_count(count: int, one: str, several: str) -> str:
    """Format a number with its noun: `1 photo`, `39,655 photos`."""
    return f"{count:,} {one if count == 1 else several}"


def describe_invalid(error: Mapping[str, Any]) -> str:
    """Return the message of one of pydantic's errors without the name that Python has for its kind."""
    reason = error.get("ctx", {}).get("error")
    return str(error["msg"] if reason is None else reason)


def suggest(word: str, words: Iterable[str], count: int = 1) -> list[str]:
    """Return the `count` words closest to `word`, ignoring case. Empty if none is close."""
    by_small = {known.casefold(): known for known in words}
    return [by_small[small] for small in difflib.get_close_matches(word.casefold(), by_small, n=count)]


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Return `Did you mean X? `, or an empty string if no word is close."""
    found = suggest(word, words)
    return f"Did you mean {found[0]}? " if found else ""
