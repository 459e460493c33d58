"""Display names of attributes, classes and values: by language, with synonyms, colour families and titles."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Final

from hangtag.domain.errors import UsageError
from hangtag.domain.text import did_you_mean

LANGUAGES: Final = ("en-GB", "en-US", "de", "fr", "es")
"""The supported languages; `en` is en-GB."""

FAMILY: Final = "family"
"""The key of the colour families in a language's words."""

COLUMNS: Final = "columns"
_IN_TITLES: Final = "in titles"
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_WORD_LEFT_ALONE: Final = re.compile(r"(?:\bfür|\bin|,)\s*(?=,|$)|\bfür (?=in\b)")
"""What a missing label leaves behind in a title: a preposition or a comma followed by nothing."""


@dataclass(frozen=True, slots=True)
class Words:
    """The display names of one language.

    They are written as within a sentence: `casual shoes`, `T-shirt`, `Hemd`. `capitalise` makes headings of them.
    `names` holds, by column and class, the singular and the plural.
    """

    language: str
    columns: Mapping[str, str]
    names: Mapping[str, Mapping[str, tuple[str, str]]]
    title: str
    title_words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def name(self, column: str, label: str, *, plural: bool = False) -> str:
        """Return the name of a class, or the class itself if no word is known."""
        names = self.names.get(column, {}).get(label)
        return label if names is None else names[plural]

    def heading(self, column: str, label: str, *, plural: bool = False) -> str:
        """Return the capitalised name of a class. A class without a word stays as the shop wrote it."""
        known = label in self.names.get(column, {})
        return capitalise(self.name(column, label, plural=plural)) if known else label

    def suggest_title(self, labels: Mapping[str, str]) -> str:
        """Suggest a title from the known labels: `Navy women's casual shirt`. It contains nothing else."""
        if "articleType" not in labels:
            return ""
        filled = _PLACEHOLDER.sub(lambda found: self._title_word(found[1], labels), self.title)
        text = _WORD_LEFT_ALONE.sub("", " ".join(filled.split()).replace(" ,", ",")).strip(" ,")
        return capitalise(" ".join(text.split()))

    def _title_word(self, column: str, labels: Mapping[str, str]) -> str:
        label = labels.get(column)
        if label is None:
            return ""
        word = self.title_words.get(column, {}).get(label, self.name(column, label))
        return "" if _is_said(word, column, labels, self) else word

    def with_synonyms(self, synonyms: Mapping[str, Mapping[str, str]]) -> "Words":
        """Return these words with a shop's own for some classes, by column: `{"articleType": {"Tshirts": "Tee"}}`.

        A synonym is used for singular and plural, unless it gives both, as in `Tee|Tees`.
        """
        names = {column: dict(classes) for column, classes in self.names.items()}
        for column, classes in synonyms.items():
            for label, word in classes.items():
                one, _, several = word.partition("|")
                names.setdefault(column, {})[label] = (one, several or one)
        return Words(self.language, self.columns, names, self.title, self.title_words)


def capitalise(text: str) -> str:
    """Return a text with its first letter capitalised and the rest unchanged."""
    return text[:1].upper() + text[1:]


@cache
def load_words(language: str) -> Words:
    """Load the words of a language. Raises `UsageError` for an unsupported language."""
    name = "en-GB" if language == "en" else language
    if name not in LANGUAGES:
        fix = f"{did_you_mean(language, LANGUAGES)}There are {', '.join(LANGUAGES)}."
        raise UsageError(f"this language is not supported: {language}", fix=fix)
    values = _read(name)
    title = values.pop(_IN_TITLES)
    columns = values.pop(COLUMNS)
    names = {
        column: {label: (one, several) for label, (one, several) in classes.items()}
        for column, classes in values.items()
        if isinstance(classes, dict)
    }
    return Words(name, columns, names, title.pop("title"), title)


def _read(name: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(_folder().joinpath(f"{name}.json").read_text("utf-8"))
    if "extends" in values:
        base = _read(values["extends"])
        return {
            part: known | values.get(part, {}) if isinstance(known, dict) else values.get(part, known)
            for part, known in base.items()
        }
    return values


def _folder() -> Any:  # noqa: ANN401 - `importlib.resources` gives a Traversable, whose place has changed
    return files("hangtag.exporting").joinpath("words")


def _is_said(word: str, column: str, labels: Mapping[str, str], words: Words) -> bool:
    """Return whether the product type already contains a word, as `casual shoes` contains `casual`."""
    return (
        column == "usage"
        and word.casefold() in words.name("articleType", labels["articleType"]).casefold().split()
    )


@cache
def _colours() -> Mapping[str, tuple[str, str]]:
    lines = _folder().joinpath("colours.csv").read_text("utf-8").splitlines()
    return {row["baseColour"]: (row["family"], row["shopify"]) for row in csv.DictReader(lines)}


def colour_family(colour: str) -> str | None:
    """Return the family of a colour, one of the 12 that shops filter by, or `Multicolour`; None for an unknown one.

    >>> colour_family("Navy Blue")
    'Blue'
    """
    found = _colours().get(colour)
    return None if found is None else found[0]


def shopify_colour(colour: str) -> str | None:
    """Return the value of Shopify's attribute Color for a colour; None for an unknown one."""
    found = _colours().get(colour)
    return None if found is None else found[1]


def iter_names(columns: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield display names of columns: the language, hangtag's column, and its name there, in lower case."""
    for language in LANGUAGES:
        words = load_words(language)
        for column in columns:
            if column in words.columns:
                yield language, column, words.columns[column].casefold()
