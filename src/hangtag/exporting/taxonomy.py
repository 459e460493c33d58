"""Mapping the model's categories to those of a shop or a channel."""

import csv
import difflib
import io
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Any, Final, NamedTuple

from hangtag.domain.columns import CATEGORY_COLUMNS, LABEL_COLUMNS
from hangtag.domain.errors import TableError, UsageError
from hangtag.domain.taxonomy import SEPARATOR, CategoryPath, format_path
from hangtag.domain.text import did_you_mean
from hangtag.exporting.words import LANGUAGES, load_words
from hangtag.tables.reading import find_column, iter_padded_rows, open_table

BUILT_IN: Final = ("google", "shopify")
"""The built-in taxonomies."""

CONFIDENCES: Final = ("exact", "broader", "judgement", "none")
"""How certain a row is: the same category, the nearest broader one, an arguable choice, or left open."""

OUTCOMES: Final = ("id", "path", "confidence", "note")
"""The columns of a mapping that give the category."""

_OFFICIAL_LINE: Final = re.compile(r"(?P<id>\S+)\s+[-:]\s+(?P<path>.+)")
_ALIKE: Final = 0.8
"""The similarity that two names need for a draft, by `difflib`: 1 is equal."""


class Category(NamedTuple):
    """A category of a shop or channel: its id and path, one of which may be empty, and how certain the row is."""

    id: str
    path: str
    confidence: str = "exact"
    note: str = ""

    @property
    def is_open(self) -> bool:
        """Whether the mapping says that there is no category."""
        return not self.id and not self.path


class Rule(NamedTuple):
    """A row of a mapping: its line, the labels that it requires by column, and its category."""

    line: int
    conditions: Mapping[str, str]
    category: Category

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Return whether a product has every label that the rule requires."""
        return all(labels.get(column) == label for column, label in self.conditions.items())

    @property
    def weight(self) -> tuple[int, int]:
        """How specific the rule is: first by its category levels, then by its other labels."""
        levels = sum(column in CATEGORY_COLUMNS for column in self.conditions)
        return levels, len(self.conditions) - levels


class CategoryMapping:
    """The rules of a taxonomy. Of those that match a product, the most specific one applies, or else the first.

    A rule without a leaf is the default of its level; one without any label is the default for everything. Two rules
    for one category that differ, for example, in gender send its products to two categories.
    """

    def __init__(self, name: str, rules: Sequence[Rule], source: Mapping[str, Any] | None = None) -> None:
        self.name = name
        self.rules = list(rules)
        self.source = dict(source or {})
        self.columns = tuple(
            column for column in LABEL_COLUMNS if any(column in rule.conditions for rule in rules)
        )
        self._sorted = sorted(rules, key=lambda rule: rule.weight, reverse=True)
        self._found: dict[tuple[str | None, ...], Rule | None] = {}

    def find(self, labels: Mapping[str, str]) -> Rule | None:
        """Return the rule that applies to a product with these labels, by column; None if no rule matches."""
        key = tuple(map(labels.get, self.columns))
        if key not in self._found:
            self._found[key] = next((rule for rule in self._sorted if rule.fits(labels)), None)
        return self._found[key]

    def categories(self) -> dict[str, str]:
        """Return the paths of all categories in use by id, or by path if there is no id."""
        found = (rule.category for rule in self.rules if not rule.category.is_open)
        return {category.id or category.path: category.path for category in found}


def load_mapping(name: str | PathLike[str]) -> CategoryMapping:
    """Load a mapping: a built-in one by name, or a shop's own from a table.

    The table has a column for each label that decides (masterCategory, subCategory, articleType, gender, ...), in which
    an empty cell matches everything, and the columns `id` or `path` or both. `confidence` and `note` are optional.

    Raises `UsageError` for an unknown name, and `TableError` for a table that is not a mapping.
    """
    if isinstance(name, str) and name in BUILT_IN:
        return _load_built_in(name)
    path = Path(name)
    if not path.is_file():
        fix = f"{did_you_mean(str(name), BUILT_IN)}Name {', '.join(BUILT_IN)} or a table with a mapping."
        raise UsageError("there is no such taxonomy", where=name, fix=fix)
    return CategoryMapping(path.stem, list(read_rules(path)))


@cache
def _load_built_in(name: str) -> CategoryMapping:
    folder = files("hangtag.exporting").joinpath("taxonomies")
    sources = tomllib.loads(folder.joinpath("sources.toml").read_text("utf-8"))
    table = folder.joinpath(f"{name}.csv").read_bytes()
    return CategoryMapping(name, list(read_rules(table, f"{name}.csv")), sources[name])


def read_rules(source: Path | bytes, name: str | None = None) -> Iterator[Rule]:
    """Iterate the rules of a table, as in `load_mapping`. Raises `TableError` for one that is not a mapping."""
    table = open_table(source, name)
    outcomes = {outcome: find_column(outcome, table.names) for outcome in OUTCOMES}
    if outcomes["id"] is None and outcomes["path"] is None:
        fix = "Give it a column `id`, a column `path`, or both."
        raise TableError("a mapping needs a column of categories", where=table.where, fix=fix)
    conditions: dict[int, str] = {}
    for position, column in enumerate(table.names):
        if position in outcomes.values():
            continue
        known = find_column(column, LABEL_COLUMNS)
        if known is None:
            fix = f"{did_you_mean(column, LABEL_COLUMNS)}There are {', '.join((*LABEL_COLUMNS, *OUTCOMES))}."
            raise TableError(f"a mapping has no column {column}", where=table.where, fix=fix)
        conditions[position] = LABEL_COLUMNS[known]
    for line, cells in iter_padded_rows(table):
        values = {key: "" if place is None else cells[place].strip() for key, place in outcomes.items()}
        asked = {column: cells[place].strip() for place, column in conditions.items() if cells[place].strip()}
        yield Rule(line, asked, make_category(values, line, table.where))


def make_category(values: Mapping[str, str], line: int, where: object) -> Category:
    """Return the category in a row. Raises `TableError` for an invalid confidence."""
    is_open = not values["id"] and not values["path"]
    confidence = values["confidence"] or ("none" if is_open else "exact")
    if confidence not in CONFIDENCES:
        fix = f"Use {', '.join(CONFIDENCES)}."
        raise TableError(f"line {line:,}: {confidence!r} is not a confidence", where=where, fix=fix)
    return Category(values["id"], values["path"], confidence, values["note"])


class PathCheck(NamedTuple):
    """What a mapping does with one category path, for one gender or another label that it requires."""

    labels: Mapping[str, str]
    rule: Rule | None
    is_inherited: bool

    @property
    def outcome(self) -> str:
        """`unmapped`, `inherited` for the default of a level above, or the confidence of the rule."""
        if self.rule is None:
            return "unmapped"
        return "inherited" if self.is_inherited else self.rule.category.confidence


class MappingCheck(NamedTuple):
    """What a mapping does with every path of a model, and which of its rules can never apply."""

    paths: list[PathCheck]
    unknown: list[str]

    @property
    def counts(self) -> Counter[str]:
        """How many paths have each outcome."""
        return Counter(check.outcome for check in self.paths)

    @property
    def is_complete(self) -> bool:
        """Whether every path has a category, of its own or of a level above, or is deliberately left open."""
        return not self.unknown and all(check.rule is not None for check in self.paths)


def check_mapping(
    mapping: CategoryMapping, paths: Iterable[CategoryPath], classes: Mapping[str, Iterable[str]]
) -> MappingCheck:
    """Check a mapping against the paths of a model and the classes of its columns."""
    checks = []
    for path in paths:
        labels = dict(zip(CATEGORY_COLUMNS, path, strict=True))
        rule = mapping.find(labels)
        inherited = rule is not None and CATEGORY_COLUMNS[-1] not in rule.conditions
        checks.append(PathCheck(labels, rule, inherited))
    known = {column: set(labels) for column, labels in classes.items()}
    unknown = [
        f"line {rule.line:,}: {column} has no class {label}. {_suggest(label, known.get(column, ()))}".rstrip()
        for rule in mapping.rules
        for column, label in rule.conditions.items()
        if label not in known.get(column, ())
    ]
    return MappingCheck(checks, unknown)


def _suggest(label: str, known: Iterable[str]) -> str:
    return did_you_mean(label, known)


def compare_with_official(mapping: CategoryMapping, lines: Iterable[str]) -> list[str]:
    """Compare the ids and paths of a mapping with the channel's own file. Return the differences, one sentence each.

    The lines are `166 - Apparel & Accessories` or `gid://... : Apparel & Accessories`; other lines are ignored.
    """
    official = {
        found["id"]: found["path"].strip()
        for line in lines
        if (found := _OFFICIAL_LINE.fullmatch(line.strip()))
    }
    by_path = {path: id_ for id_, path in official.items()}
    problems = []
    for id_, path in mapping.categories().items():
        if official.get(id_) == path:
            continue
        if id_ in official:
            problems.append(f"{id_} is {official[id_]}, not {path}")
        elif path in by_path:
            problems.append(f"{path} is {by_path[path]}, not {id_}")
        else:
            problems.append(f"there is no {id_}, {path}")
    return problems


def draft_mapping(paths: Sequence[CategoryPath], categories: Sequence[str]) -> bytes:
    """Return a CSV that maps every path to the shop's category of the same or a similar name, or to none.

    A path's names are its class and its words in every language. It is only a draft: a person has to read every row, so
    all are marked as a judgement.
    """
    leaves: dict[str, str] = {}
    for category in categories:
        leaves.setdefault(re.split(r"\s*[>›/]\s*", category.strip())[-1].casefold(), category.strip())
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow((*CATEGORY_COLUMNS, "path", "confidence", "note"))
    for path in paths:
        chosen = _find_alike(path, leaves)
        note = "by its name; please check" if chosen else ""
        writer.writerow((*path, chosen, "judgement" if chosen else "none", note))
    return buffer.getvalue().encode("utf-8")


def _find_alike(path: CategoryPath, leaves: Mapping[str, str]) -> str:
    """Return the category whose last name matches a path's leaf, or its parent; empty if none does."""
    for column, label in reversed(list(zip(CATEGORY_COLUMNS, path, strict=True))[1:]):
        words = [name for language in LANGUAGES for name in load_words(language).names[column].get(label, ())]
        names = [name.casefold() for name in (label, *words)]
        same = next((name for name in names if name in leaves), None)
        alike = [found for name in names for found in difflib.get_close_matches(name, leaves, 1, _ALIKE)]
        if same is not None or alike:
            return leaves[same or alike[0]]
    return ""


def describe_rule(rule: Rule) -> str:
    """Describe the labels that a rule requires: `Apparel › Innerwear › Briefs, Women`."""
    levels = [rule.conditions[column] for column in CATEGORY_COLUMNS if column in rule.conditions]
    others = [label for column, label in rule.conditions.items() if column not in CATEGORY_COLUMNS]
    return ", ".join([format_path(levels) or f"anything{SEPARATOR}", *others])


MOST_RULES: Final = 20_000
MOST_CATEGORIES: Final = 50_000


def parse_mapping(name: str, document: Mapping[str, Any]) -> CategoryMapping:
    """Return the mapping in a document. Raises `TableError` for invalid rules.

    `rules` have `labels` by column, and `id`, `path`, `confidence` and `note`, in the order of the document.
    """
    rules = []
    seen: dict[tuple[tuple[str, str], ...], int] = {}
    for line, entry in enumerate(document.get("rules", ()), 1):
        labels = {str(column): str(label) for column, label in entry.get("labels", {}).items() if label}
        for column in labels:
            if column not in LABEL_COLUMNS:
                fix = f"{did_you_mean(column, LABEL_COLUMNS)}There are {', '.join(LABEL_COLUMNS)}."
                raise TableError(f"rule {line:,}: there is no label {column}", where=name, fix=fix)
        first = seen.setdefault(tuple(sorted(labels.items())), line)
        if first != line:
            raise TableError(
                f"rule {line:,} has the same labels as rule {first:,}", where=name, fix="Remove one."
            )
        values = {outcome: str(entry.get(outcome) or "").strip() for outcome in OUTCOMES}
        rules.append(Rule(line, labels, make_category(values, line, name)))
    source = {"title": name, "version": "", "licence": ""}
    return CategoryMapping(name, rules, source)


def describe_rules(rules: Iterable[Rule]) -> list[dict[str, Any]]:
    """Return rules in the form of a document."""
    return [{"labels": dict(rule.conditions), **rule.category._asdict()} for rule in rules]


def read_mapping(source: bytes, filename: str) -> dict[str, Any]:
    """Read a mapping from a table, as a document. Raises `TableError` for a table that is not a mapping."""
    rules = list(read_rules(source, filename))
    return {"categories": list_categories(rules), "rules": describe_rules(rules)}


def draft_rules(paths: Sequence[CategoryPath], categories: Sequence[str]) -> dict[str, Any]:
    """Draft a mapping of paths to the shop's categories of the same or a similar name, as a document.

    A path without a match has no rule, and counts as unmapped until a person decides.
    """
    wanted = [category.strip() for category in categories if category.strip()]
    drafted = read_rules(draft_mapping(paths, wanted), "draft.csv")
    rules = [rule for rule in drafted if not rule.category.is_open]
    return {"categories": list(dict.fromkeys(wanted)), "rules": describe_rules(rules)}


def list_categories(rules: Iterable[Rule]) -> list[str]:
    """Return the paths of the categories in use, in the order of the rules; the id of one without a path."""
    found = (rule.category.path or rule.category.id for rule in rules if not rule.category.is_open)
    return list(dict.fromkeys(found))


def render_mapping(mapping: CategoryMapping) -> bytes:
    """Return a mapping as the CSV that `load_mapping` reads."""
    columns = [column for column in LABEL_COLUMNS if column in mapping.columns or column in CATEGORY_COLUMNS]
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow((*columns, *OUTCOMES))
    for rule in mapping.rules:
        writer.writerow((*(rule.conditions.get(column, "") for column in columns), *rule.category))
    return buffer.getvalue().encode("utf-8")
