"""The word that was perhaps meant."""

import difflib
from collections.abc import Iterable


def suggest(word: str, words: Iterable[str], count: int = 1) -> list[str]:
    """Return the words most like a word, at most `count`, whatever their capitals; none if none is alike."""
    by_small = {one.casefold(): one for one in words}
    return [by_small[small] for small in difflib.get_close_matches(word.casefold(), by_small, n=count)]


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Return the question `Did you mean X? `, or nothing where no word is alike."""
    found = suggest(word, words)
    return f"Did you mean {found[0]}? " if found else ""
