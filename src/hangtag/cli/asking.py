"""Asking a person for the labels of photos, in a terminal: the photo, the question, the Tab key."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from PIL import Image
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

from hangtag.catalogue.custom import Labels, describe_doubt
from hangtag.catalogue.known_labels import CheckedLabels, KnownLabels
from hangtag.datasets.folder import custom_photos
from hangtag.domain.prediction import Label
from hangtag.domain.taxonomy import SEPARATOR, format_path
from hangtag.domain.text import did_you_mean, printable
from hangtag.imaging.decode import decode_photo
from hangtag.pipelines.custom import Answers, Questions

SKIP: Final = "-"
BACK: Final = "<"
LISTED: Final = 12
"""How many labels are listed if an answer is ambiguous."""

LIKELY: Final = 0.01
"""The lowest confidence (0 to 1) of a proposal that is listed; the first one always is."""

HELP: Final = (
    "Type a label or its beginning (Tab completes it), a path such as Bags/Wallets, or the number of a proposal. "
    f"Enter takes the first proposal. {SKIP} leaves the label out, {BACK} goes back, Ctrl-C stops "
    "and keeps the answers so far."
)

COLUMNS: Final = 36
MAX_ROWS: Final = 24
_UPPER_HALF: Final = (
    "▀"  # its foreground colours the upper half, its background the lower: two pixels per character
)


class GoBack(Exception):  # noqa: N818 - a request, not an error
    """The person wants to go back to the previous photo."""


class Asker:
    """Asks for the labels of one photo after the other."""

    def __init__(self, known: KnownLabels) -> None:
        self._known = known
        self._console = Console(highlight=False)
        self._is_introduced = False

    def show(self, title: str, photo: bytes) -> None:
        """Show a photo, on a terminal with colours; before the first one, explain how to answer."""
        if not self._is_introduced:
            self._say(HELP)
            self._is_introduced = True
        self._console.print()
        self._say(title)
        print_photo(self._console, decode_photo(photo))

    def ask(self, column: str, candidates: Sequence[Label]) -> Labels:
        """Return the labels that a person gives for a column; the path of a category, or nothing.

        Raises `GoBack` if the person goes back, and `KeyboardInterrupt` at the end of the input.
        """
        proposals = self._list_proposals(column, candidates)
        while True:
            answer = self._read_line(column) or (proposals[0] if proposals else SKIP)
            if answer == BACK:
                raise GoBack
            if answer == SKIP:
                return {}
            if answer.isdecimal() and 0 < int(answer) <= len(proposals):
                answer = proposals[int(answer) - 1]
            checked = self._check(column, answer)
            if checked is not None:
                self._say_taken(column, checked)
                return checked.labels

    def _read_line(self, column: str) -> str:
        try:
            with completing(self._words(column)):
                return self._console.input(f"{column}: ").strip()
        except EOFError:
            raise KeyboardInterrupt from None

    def _list_proposals(self, column: str, candidates: Sequence[Label]) -> list[str]:
        labels = [label for label in candidates if self._known.find(column, label.value)]
        likely = [label for place, label in enumerate(labels) if place == 0 or label.confidence >= LIKELY]
        for number, label in enumerate(likely, start=1):
            path = self._path(self._known.check({column: label.value}).labels)
            self._say(f"  {number}  {path or label.value}  {label.confidence:.0%}")
        return [label.value for label in likely]

    def _check(self, column: str, answer: str) -> CheckedLabels | None:
        """Return the labels for an answer. If it is invalid or ambiguous, print why and return None."""
        words, names = self._words(column), []
        parts = (
            [answer] if complete_word(answer, words) else answer.replace(SEPARATOR.strip(), "/").split("/")
        )
        for part in map(str.strip, parts):
            found = complete_word(part, words)
            if len(found) != 1:
                self._say_why_not(part, found, words)
                return None
            names += found
        if not self._is_level(column):
            return self._known.check({column: names[0]})
        checked = self._known.read_folders(names)
        if checked.problems:
            self._say("; ".join(checked.problems))
            return None
        return checked

    def _words(self, column: str) -> list[str]:
        """Return the labels that answer a question for a column. For the category, those of every level."""
        levels = reversed(self._known.levels) if self._is_level(column) else [column]
        return list(dict.fromkeys(label for level in levels for label in self._known.classes.get(level, ())))

    def _is_level(self, column: str) -> bool:
        return column in self._known.levels

    def _path(self, labels: Labels) -> str:
        return format_path([labels[level] for level in self._known.levels if level in labels])

    def _say_taken(self, column: str, checked: CheckedLabels) -> None:
        if checked.others:
            self._say(describe_doubt(checked.labels, checked.others))
        else:
            self._say(self._path(checked.labels) if self._is_level(column) else checked.labels[column])

    def _say_why_not(self, text: str, found: Sequence[str], words: Sequence[str]) -> None:
        if found:
            more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
            self._say(f"{text} could be {', '.join(found[:LISTED])}{more}.")
        else:
            self._say(f"There is no label {text}. {did_you_mean(text, words)}")

    def _say(self, text: str) -> None:
        self._console.print(printable(text), markup=False, soft_wrap=True)


def ask_for_labels(
    folder: Path, questions: Questions, known: KnownLabels, labels: dict[str, Labels]
) -> Answers:
    """Ask for the labels that `labels` lacks and put all answers into it, including those of an interrupted run.

    The caller removes the file of answers once the labels are written elsewhere. Ctrl-C, or the end of the input, is a
    `KeyboardInterrupt`. Raises `CatalogueError` if the file of answers cannot be read.
    """
    answers, asker, photos = Answers(folder), Asker(known), custom_photos(folder)

    def open_columns(name: str) -> list[str]:
        known_already = labels.get(name, {})
        return [
            column
            for column in questions.columns
            if column not in known_already and not answers.has(name, column)
        ]

    todo = [name for name in questions.names if open_columns(name)]
    place = 0
    while place < len(todo):
        name = todo[place]
        asker.show(f"{place + 1} of {len(todo)}: {photos.folder / name}", photos.read(name))
        try:
            for column in open_columns(name):
                candidates = questions.candidates.get(name, {}).get(column, ())
                answers.keep(name, column, asker.ask(column, candidates))
            place += 1
        except GoBack:
            if not answers.forget(name) and place > 0:
                place -= 1
                answers.forget(todo[place])
    for name in questions.names:
        labels[name] = _replace(labels.get(name, {}), answers.labels(name), known.levels)
    return answers


def _replace(labels: Labels, given: Labels, levels: Sequence[str]) -> Labels:
    """Return labels updated with those given. A given category replaces all levels of the old one."""
    is_category = any(level in given for level in levels)
    return {
        column: label for column, label in labels.items() if not (is_category and column in levels)
    } | given


def complete_word(text: str, words: Sequence[str]) -> list[str]:
    """Return the word that equals a text, or else the words that start with it, ignoring case."""
    small = text.casefold()
    same = [word for word in words if word.casefold() == small]
    return same[:1] or [word for word in words if small and word.casefold().startswith(small)]


@contextlib.contextmanager
def completing(words: Sequence[str]) -> Iterator[None]:
    """Let the Tab key complete words, if Python has line editing."""
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


def print_photo(console: Console, image: Image.Image) -> None:
    """Print an RGB photo on a terminal with colours; elsewhere print nothing."""
    if console.is_terminal and console.color_system is not None:
        console.print(render_photo(image))


def render_photo(image: Image.Image, columns: int = COLUMNS, max_rows: int = MAX_ROWS) -> Text:
    """Return an RGB photo as text, as wide as `columns` unless it would be higher than `max_rows` lines."""
    scale = min(columns / image.width, 2 * max_rows / image.height)
    width, rows = max(1, round(image.width * scale)), max(1, round(image.height * scale / 2))
    small = image.resize((width, 2 * rows), Image.Resampling.LANCZOS)
    text = Text()
    for row in range(rows):
        for column in range(width):
            upper, lower = (_colour(small, column, 2 * row + half) for half in (0, 1))
            text.append(_UPPER_HALF, Style(color=upper, bgcolor=lower))
        text.append("\n")
    return text


def _colour(image: Image.Image, column: int, row: int) -> Color:
    red, green, blue = image.getpixel((column, row))  # type: ignore[misc]  # an RGB image has three
    return Color.from_rgb(red, green, blue)
