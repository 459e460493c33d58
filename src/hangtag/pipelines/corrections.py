"""Corrections: labels set by people, on the page or in any table, that replace a catalogue's own."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from hangtag.adapting.decisions import is_decisions, merge_decisions, read_decisions
from hangtag.catalogue.known_labels import KnownLabels
from hangtag.datasets.splits import ADDED_COLUMNS
from hangtag.domain.columns import ID, PATH
from hangtag.domain.errors import UsageError
from hangtag.tables.cells import KEY_COLUMNS, plain_name
from hangtag.tables.matching import match_products, product_id
from hangtag.tables.reading import find_column, iter_padded_rows, list_columns, open_table
from hangtag.tables.writing import restore_text

if TYPE_CHECKING:
    from hangtag.datasets.interface import Catalogue

CORRECTIONS_KEY: Final = b"hangtag.corrections"
"""The key in a table's metadata with the corrections in its labels."""

_USUAL_KEYS: Final = (ID, "sku", "photo", PATH)
"""The preferred columns that identify a row's product, in order; then come those of `KEY_COLUMNS`."""

_CORRECTED: Final = "corrected"
"""The column of hangtag's own tables that lists what a person set; the other labels in it are predictions."""

_SHOWN: Final = 5

Labels = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class CorrectionFacts:
    """What a card says about corrections: the file's name and SHA-256, and how many labels they changed by column."""

    file: str
    sha256: str
    labels: Mapping[str, int]


def correct_labels(table: pa.Table, path: Path, catalogue: "Catalogue") -> tuple[pa.Table, CorrectionFacts]:
    """Return a cleaned or split table with the labels in a file of corrections, and what they changed.

    The file is a table with the catalogue's column `id` and any of its columns, such as the corrected `styles.csv` of
    the page; a table exported by the page, of which only a person's corrections count; or decisions, as a table or as
    Label Studio's JSON. Empty cells change nothing. If an article type is given without its parent levels, they follow
    from the catalogue.

    Raises `UsageError` for products or columns that the table lacks, and for a file without labels.
    """
    correctable = [name for name in table.column_names if name != ID and name not in ADDED_COLUMNS]
    said = _name_columns(_find_products(_read(path, correctable), table, catalogue, path), correctable, path)
    counts: Counter[str] = Counter()
    corrected = {name: table[name].to_pylist() for name in correctable}
    known = KnownLabels.from_table(table)
    for row, id_ in enumerate(table[ID].to_pylist()):
        labels = said.get(id_)
        if labels is None or all(corrected[name][row] == label for name, label in labels.items()):
            continue
        for name, label in _complete(labels, known).items():
            if corrected[name][row] != label:
                corrected[name][row] = label
                counts[name] += 1
    facts = CorrectionFacts(
        path.name, _hash(path), {name: counts[name] for name in corrected if counts[name]}
    )
    return _replace(table, corrected, facts), facts


def keep_facts(table: pa.Table, facts: CorrectionFacts) -> pa.Table:
    """Return a table with the facts about its corrections in its metadata."""
    said = {**(table.schema.metadata or {}), CORRECTIONS_KEY: json.dumps(asdict(facts))}
    return table.replace_schema_metadata(said)


def read_facts(table: pa.Table) -> dict[str, Any] | None:
    """Return the corrections in a table's labels; None for none."""
    said = (table.schema.metadata or {}).get(CORRECTIONS_KEY)
    return None if said is None else dict(json.loads(said))


def require_same_corrections(table: pa.Table, path: Path) -> None:
    """Raise `UsageError` unless a table's labels include the corrections in a file."""
    facts = read_facts(table)
    if facts is None or facts["sha256"] != _hash(path):
        raise UsageError(
            "this run was started with different corrections",
            where=path,
            fix="Resume it without `corrections`, or start again in another folder.",
        )


def _read(path: Path, correctable: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the labels in a file, by the identifier of the product: an id, a SKU, or a photo."""
    if not path.is_file():
        raise UsageError("there is no such file", where=path)
    if is_decisions(path):
        return merge_decisions(read_decisions(path))
    said: dict[str, dict[str, str]] = {}
    for key, labels in _iter_rows(path, correctable):
        said.setdefault(key, labels)
    return said


def _iter_rows(path: Path, correctable: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the product and labels of each row. Of several rows for a product, the first counts, as in a catalogue."""
    table = open_table(path)
    names = table.names
    key = _find_key(names, correctable)
    if key is None:
        raise UsageError(
            "no column says which product a correction is for",
            where=path,
            fix=f"Name it {' or '.join(_USUAL_KEYS)}. {list_columns(names)}",
        )
    listed = find_column(_CORRECTED, names)
    for _, cells in iter_padded_rows(table):
        labels = {
            name: restore_text(text.strip())
            for place, (name, text) in enumerate(zip(names, cells, strict=True))
            if place != key and text.strip()
        }
        if listed is not None:
            counted = {name.strip() for name in cells[listed].replace(";", ",").split(",")}
            labels = {name: label for name, label in labels.items() if name in counted}
        if cells[key].strip():
            yield restore_text(cells[key].strip()), labels


def _find_key(names: Sequence[str], correctable: Sequence[str]) -> int | None:
    """Return the column that identifies products. A label that is called like one, such as a style, is none."""
    labels = set(map(plain_name, correctable))
    wanted = (*_USUAL_KEYS, *(name for name in KEY_COLUMNS if name not in labels))
    places = (find_column(name, names) for name in wanted)
    return next((place for place in places if place is not None), None)


def _find_products(
    said: Mapping[str, dict[str, str]], table: pa.Table, catalogue: "Catalogue", path: Path
) -> dict[str, dict[str, str]]:
    """Return labels by the table's ids. An identifier that is not an id may name a photo."""
    ids = table[ID].to_pylist()
    known = set(ids)
    stated = {key: labels for key, labels in said.items() if labels}
    if not stated:
        raise UsageError("the file has no labels", where=path)
    found = {key: labels for key, labels in stated.items() if key in known}
    others = [key for key in stated if key not in known]
    if others:
        id_of = match_products(ids, catalogue.photo_names()).id_of
        by_name = {name.rpartition("/")[2]: id_ for name, id_ in id_of.items()} | id_of
        strangers = []
        for key in others:
            id_ = by_name.get(key) or by_name.get(key.rpartition("/")[2]) or product_id(key)
            if id_ in known:
                found[id_] = {**found.get(id_, {}), **stated[key]}
            else:
                strangers.append(key)
        if strangers:
            raise _explain_strangers(strangers, len(stated), path)
    return found


def _name_columns(said: Labels, correctable: Sequence[str], path: Path) -> Labels:
    """Return labels by the catalogue's column names, ignoring case."""
    written = dict.fromkeys(column for labels in said.values() for column in labels)
    names = {column: find_column(column, correctable) for column in written}
    unknown = [column for column, place in names.items() if place is None]
    if unknown:
        raise UsageError(
            f"the catalogue has no column {' or '.join(unknown)}",
            where=path,
            fix=f"{list_columns(correctable)} Rename these columns, or leave them out.",
        )
    own = {column: correctable[place] for column, place in names.items() if place is not None}
    return {id_: {own[column]: label for column, label in labels.items()} for id_, labels in said.items()}


def _explain_strangers(strangers: list[str], stated: int, path: Path) -> UsageError:
    shown = ", ".join(islice(strangers, _SHOWN)) + (", …" if len(strangers) > _SHOWN else "")
    none = len(strangers) == stated
    return UsageError(
        f"{'none' if none else f'{len(strangers):,}'} of its {stated:,} products "
        f"{'is' if none else 'are not' if len(strangers) > 1 else 'is not'} in the catalogue: {shown}",
        where=path,
        fix="Its ids or photos must be those of the catalogue that you train on.",
    )


def _complete(labels: Mapping[str, str], known: KnownLabels) -> Mapping[str, str]:
    """Return labels with the parent levels of the given category. A class that the catalogue lacks stays unchanged."""
    stated = {level: labels[level] for level in known.levels if level in labels}
    checked = known.check(stated)
    return labels if checked.problems else {**labels, **checked.labels}


def _replace(table: pa.Table, corrected: Mapping[str, list[str | None]], facts: CorrectionFacts) -> pa.Table:
    for name in facts.labels:
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pa.array(corrected[name], pa.string()))
    return table


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
