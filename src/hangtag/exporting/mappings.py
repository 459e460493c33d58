"""Mappings as documents that are stored and edited: the shop's categories, and the rules that lead to them."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from hangtag.domain.columns import CATEGORY_COLUMNS, LABEL_COLUMNS
from hangtag.domain.errors import TableError
from hangtag.domain.taxonomy import CategoryPath
from hangtag.domain.text import did_you_mean
from hangtag.exporting.taxonomy import (
    OUTCOMES,
    CategoryMapping,
    Rule,
    draft_mapping,
    make_category,
    read_rules,
)

MOST_RULES: Final = 20_000
MOST_CATEGORIES: Final = 50_000


def parse_mapping(name: str, document: Mapping[str, Any]) -> CategoryMapping:
    """Return the mapping that a document holds. Raises `TableError` for rules that cannot be.

    `rules` have `labels` by column, and `id`, `path`, `confidence` and `note`; their order is that of the document.
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
                f"rule {line:,} asks for the same labels as rule {first:,}", where=name, fix="Remove one."
            )
        values = {outcome: str(entry.get(outcome) or "").strip() for outcome in OUTCOMES}
        rules.append(Rule(line, labels, make_category(values, line, name)))
    source = {"title": name, "version": "", "licence": ""}
    return CategoryMapping(name, rules, source)


def describe_rules(rules: Iterable[Rule]) -> list[dict[str, Any]]:
    """Return rules as a document holds them."""
    return [{"labels": dict(rule.conditions), **rule.category._asdict()} for rule in rules]


def read_mapping(source: bytes, filename: str) -> dict[str, Any]:
    """Read a mapping from a table, as a document. Raises `TableError` for a table that is not a mapping."""
    rules = list(read_rules(source, filename))
    return {"categories": list_categories(rules), "rules": describe_rules(rules)}


def draft_rules(paths: Sequence[CategoryPath], categories: Sequence[str]) -> dict[str, Any]:
    """Draft a mapping of paths to the shop's categories of the same or a similar name, as a document.

    A path without one has no rule, and counts as unmapped until a person decides.
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
