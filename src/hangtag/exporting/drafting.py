"""Drafting a template from an example of the shop's own sheet."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import PurePath
from typing import Any, Final, NamedTuple

from hangtag.exporting.sheet import find_spelling, guess_language, recognise_columns
from hangtag.exporting.template import FORMATS, VERSION
from hangtag.exporting.words import FAMILY, Words, capitalise, load_words
from hangtag.tables.cells import KEY_COLUMNS, plain_name
from hangtag.tables.reading import Table, iter_padded_rows

_COMPUTED: Final[Mapping[str, str]] = {
    FAMILY: "family",
    "path": "path",
    "age_group": "age_group",
    "google": "category_path",
}
"""The computed value for a recognised column that labels alone cannot fill."""

_EXAMPLES: Final = 3
_LOOKED_AT: Final = 200


class MatchedColumn(NamedTuple):
    """A column of the example: its name, what it was recognised as (None: it is copied), and some of its values."""

    name: str
    target: str | None
    examples: list[str]


class TemplateDraft(NamedTuple):
    """A template as a document, and how each column of the example was recognised."""

    document: dict[str, Any]
    columns: list[MatchedColumn]


def draft_template(table: Table, filename: str = "", attributes: Sequence[str] = ()) -> TemplateDraft:
    """Draft a template that writes a table like the example: the same columns, order and spelling.

    Columns for labels get labels, in the example's spelling (`M` for men). All others come from the sheet that is
    labelled, from the column of the same name. `attributes` are the shop's own.
    """
    targets = recognise_columns(table.header, attributes)
    key = _find_key(table)
    targets.pop(-1 if key is None else key, None)
    spelling = find_spelling(table, targets)
    language = guess_language(table.header)
    words = load_words(language)
    places = [place for place, name in enumerate(table.names) if name.strip()]
    columns = []
    for place in places:
        column: dict[str, Any] = {"name": table.names[place], "from": _source(table, place, targets, key)}
        if values := _spell(words, targets.get(place, ""), spelling.get(place, {})):
            column["map"] = values
        columns.append(column)
    document: dict[str, Any] = {
        "template": VERSION,
        "destination": "none",
        "format": _format(filename),
        "language": language,
        "columns": columns,
    }
    if "google" in targets.values():
        document["taxonomy"] = "google"
    examples = _read_examples(table)
    matched = [MatchedColumn(table.names[place], targets.get(place), examples[place]) for place in places]
    return TemplateDraft(document, matched)


def _find_key(table: Table) -> int | None:
    names = [plain_name(name) for name in table.header]
    return next((names.index(name) for name in KEY_COLUMNS if name in names), None)


def _source(table: Table, place: int, targets: Mapping[int, str], key: int | None) -> list[str]:
    target = targets.get(place)
    if target is None:
        own = f"sheet:{table.header[place].replace('|', ' ')}"
        return [own, "computed:key"] if place == key else [own]
    return [f"computed:{_COMPUTED[target]}" if target in _COMPUTED else f"word:{target}"]


def _spell(words: Words, target: str, spelling: Mapping[str, str]) -> dict[str, str]:
    """Return the example's spellings by hangtag's words, where they differ."""
    found = {capitalise(words.name(target, label)): spelled for label, spelled in spelling.items()}
    return {word: spelled for word, spelled in found.items() if word != spelled}


def _read_examples(table: Table) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {place: [] for place in range(len(table.names))}
    for _, cells in islice(iter_padded_rows(table), _LOOKED_AT):
        for place, values in found.items():
            if cells[place] and cells[place] not in values and len(values) < _EXAMPLES:
                values.append(cells[place])
    return found


def _format(filename: str) -> str:
    ending = PurePath(filename).suffix.lower().removeprefix(".")
    return {"txt": "tsv", "tab": "tsv", "xlsm": "xlsx"}.get(ending, ending if ending in FORMATS else "csv")
