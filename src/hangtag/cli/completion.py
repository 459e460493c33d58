"""Completing what a person types, with the Tab key or without."""

import contextlib
from collections.abc import Iterator, Sequence


def complete_word(text: str, words: Sequence[str]) -> list[str]:
    """Return the word that a text is, or else the words that it begins, whatever the capitals."""
    small = text.casefold()
    same = [word for word in words if word.casefold() == small]
    return same[:1] or [word for word in words if small and word.casefold().startswith(small)]


@contextlib.contextmanager
def completing(words: Sequence[str]) -> Iterator[None]:
    """Let the Tab key complete words, where Python has line editing."""
    try:
        import readline
    except ImportError:
        yield
        return

    def answer(text: str, state: int) -> str | None:
        found = complete_word(text, words)
        return found[state] if state < len(found) else None

    before, delimiters = readline.get_completer(), readline.get_completer_delims()
    readline.set_completer(answer)
    readline.set_completer_delims("")
    readline.parse_and_bind("tab: complete")
    try:
        yield
    finally:
        readline.set_completer(before)
        readline.set_completer_delims(delimiters)
