"""Export templates: files that describe a destination, its columns and their values."""

import json
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Any, Final, Literal, cast

from hangtag.domain.columns import LABEL_COLUMNS
from hangtag.domain.errors import TableError, UsageError
from hangtag.domain.text import did_you_mean
from hangtag.exporting.words import load_words

Format = Literal["csv", "tsv", "xml", "xlsx", "jsonl", "parquet"]
Doubtful = Literal["empty", "mark", "refuse"]
Rows = Literal["product", "photo"]
Destination = Literal["none", "google", "google-supplemental", "shopify", "woocommerce", "magento"]

FORMATS: Final = ("csv", "tsv", "xml", "xlsx", "jsonl", "parquet")
DOUBTFUL: Final = ("empty", "mark", "refuse")
ROWS: Final = ("product", "photo")
DESTINATIONS: Final = ("none", "google", "google-supplemental", "shopify", "woocommerce", "magento")
VERSION: Final = 1
"""The version of the template format that this hangtag reads."""

COMPUTED: Final = (
    "age_group",
    "category_id",
    "category_path",
    "category_leaf",
    "confidence",
    "doubts",
    "family",
    "handle",
    "hex",
    "key",
    "path",
    "photo",
    "photos",
    "shopify_colour",
    "tags",
    "title",
)
"""The computed values that a column can have."""

KINDS: Final = ("label", "word", "sheet", "price", "computed", "text")
ALL: Final = "*"
_EVERY: Final = ("sheet", "label", "word")
"""The kinds of sources with a wildcard: `sheet:*`, `label:*`, `word:*`."""

_SETTINGS: Final = frozenset(
    ("template", "name", "title", "destination", "format", "language", "rows", "plural", "doubtful", "mark",
     "taxonomy", "countries", "currency", "key", "sure", "synonyms", "columns")
)  # fmt: skip
_COLUMN_SETTINGS: Final = frozenset(("name", "from", "map", "default", "required"))


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value comes from: `label:gender`, `word:articleType`, `sheet:sku|id`, `price:price`, `text:new`, ..."""

    kind: str
    argument: str

    @classmethod
    def parse(cls, text: str, where: object, attributes: Collection[str] | None = ()) -> "Source":
        """Parse a source. `attributes` are the shop's own; None allows any. Raises `TableError` for an invalid one."""
        kind, colon, argument = text.partition(":")
        if not colon or kind not in KINDS:
            fix = f"{did_you_mean(kind, KINDS)}Write {', '.join(f'{known}:...' for known in KINDS)}."
            raise TableError(f"{text!r} is not a source of a column", where=where, fix=fix)
        labels = (*LABEL_COLUMNS, *([argument] if attributes is None else attributes))
        known = {"label": labels, "word": labels, "computed": COMPUTED}.get(kind)
        if known is not None and argument not in known and not (argument == ALL and kind in _EVERY):
            fix = f"{did_you_mean(argument, known)}There are {', '.join(known)}."
            raise TableError(f"{text!r}: {argument or 'the name'} does not exist", where=where, fix=fix)
        return cls(kind, argument)


@dataclass(frozen=True, slots=True)
class TemplateColumn:
    """A column: its name, its sources in order of preference, and how its value is changed.

    `values` replaces values by others. `default` is used if there is none. A row without a `required` value is refused.
    """

    name: str
    sources: tuple[Source, ...]
    values: Mapping[str, str] = field(default_factory=dict)
    default: str = ""
    required: bool = False

    @property
    def every(self) -> str | None:
        """The kind of the column's wildcard: all columns of the `sheet`, or own attributes as `label` or `word`."""
        return next(
            (source.kind for source in self.sources if source.argument == ALL and source.kind in _EVERY), None
        )


@dataclass(frozen=True, slots=True)
class Template:
    """How a table of labels is exported.

    `doubtful` says what happens to doubtful values: they stay `empty`, get the `mark` as a suffix, or the row is
    refused. `sure` is the confidence from which a label outside the category counts as certain.
    """

    name: str
    columns: tuple[TemplateColumn, ...]
    title: str = ""
    destination: Destination = "none"
    format: Format = "csv"
    language: str = "en-GB"
    rows: Rows = "product"
    plural: bool = False
    doubtful: Doubtful = "empty"
    mark: str = " (?)"
    taxonomy: str = ""
    countries: tuple[str, ...] = ()
    currency: str = ""
    key: str = ""
    sure: float = 0.7
    synonyms: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def changed(self, **values: Any) -> "Template":  # noqa: ANN401 - the fields have several types
        """Return the template with other values for some fields. Fields that are None stay unchanged."""
        given = {name: value for name, value in values.items() if value is not None}
        return _checked(replace(self, **given), self.name)


def list_templates() -> list[str]:
    """Return the names of the built-in templates."""
    found = (entry.name for entry in _folder().iterdir())
    return sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml"))


def load_template(name: str | PathLike[str], attributes: Collection[str] = ()) -> Template:
    """Load a built-in template by name, or a shop's own from a .toml or .json file.

    `attributes` are the shop's own, which its templates may name. Raises `UsageError` for an unknown name, and
    `TableError` for a file that is not a template.
    """
    if isinstance(name, str) and name in list_templates():
        return _load_built_in(name)
    path = Path(name)
    if not path.is_file():
        fix = f"{did_you_mean(str(name), list_templates())}There are {', '.join(list_templates())}, or name a file."
        raise UsageError("there is no such template", where=name, fix=fix)
    return parse_template(path.read_text("utf-8"), path, attributes)


def read_built_in(name: str) -> dict[str, Any]:
    """Return a built-in template as a document, as a starting point for your own."""
    return tomllib.loads(_folder().joinpath(f"{name}.toml").read_text("utf-8"))


@cache
def _load_built_in(name: str) -> Template:
    return parse_template(_folder().joinpath(f"{name}.toml").read_text("utf-8"), f"{name}.toml")


def _folder() -> Any:  # noqa: ANN401 - `importlib.resources` gives a Traversable, whose place has changed
    return files("hangtag.exporting").joinpath("templates")


def parse_template(text: str, where: object, attributes: Collection[str] | None = ()) -> Template:
    """Parse a template from TOML, or from JSON if it begins with a brace.

    `attributes` are the shop's own, which it may name; None allows any. Raises `TableError` if it is not a template.
    """
    try:
        values = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, tomllib.TOMLDecodeError) as error:
        raise TableError(f"the template cannot be read ({error})", where=where) from None
    _check_names(values, _SETTINGS, where)
    if values.get("template") != VERSION:
        fix = f"Write `template = {VERSION}` into it."
        raise TableError(f"the template is of version {values.get('template')}", where=where, fix=fix)
    columns = values.get("columns")
    if not isinstance(columns, list) or not columns:
        raise TableError(
            "the template has no columns", where=where, fix="Write [[columns]] with a name and from."
        )
    fields = {name: value for name, value in values.items() if name not in {"template", "columns"}}
    fields["columns"] = tuple(_parse_column(column, where, attributes) for column in columns)
    fields["countries"] = tuple(fields.get("countries", ()))
    fields.setdefault("name", Path(str(where)).stem)
    return _checked(Template(**fields), where)


def _parse_column(
    values: Any,  # noqa: ANN401 - whatever a file holds
    where: object,
    attributes: Collection[str] | None,
) -> TemplateColumn:
    if not isinstance(values, dict) or not values.get("from"):
        raise TableError(f"a column has no `from`: {values}", where=where)
    _check_names(values, _COLUMN_SETTINGS, where)
    given = values["from"]
    sources = tuple(
        Source.parse(str(source), where, attributes)
        for source in ([given] if isinstance(given, str) else given)
    )
    name = str(values.get("name", ""))
    column = TemplateColumn(
        name,
        sources,
        {str(key): str(value) for key, value in values.get("map", {}).items()},
        str(values.get("default", "")),
        bool(values.get("required", False)),
    )
    if not name and column.every is None:
        raise TableError(f"a column from {given} has no name", where=where)
    return column


def _check_names(values: Mapping[str, Any], known: frozenset[str], where: object) -> None:
    for name in values:
        if name not in known:
            fix = f"{did_you_mean(name, known)}There are {', '.join(sorted(known))}."
            raise TableError(f"a template has no {name}", where=where, fix=fix)


def _checked(template: Template, where: object) -> Template:
    choices: Mapping[str, Sequence[str]] = {
        "destination": DESTINATIONS,
        "format": FORMATS,
        "rows": ROWS,
        "doubtful": DOUBTFUL,
    }
    for name, allowed in choices.items():
        value = cast("str", getattr(template, name))
        if value not in allowed:
            fix = f"{did_you_mean(str(value), allowed)}Use {', '.join(allowed)}."
            raise TableError(f"{value!r} is not a valid value of `{name}`", where=where, fix=fix)
    if template.currency and not re.fullmatch("[A-Z]{3}", template.currency):
        raise TableError(f"{template.currency!r} is not a currency", where=where, fix="Write it as EUR.")
    load_words(template.language)
    names = [column.name for column in template.columns if column.name]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TableError(f"the template has two columns {twice[0]}", where=where)
    if not isinstance(template.sure, int | float) or not 0 <= template.sure <= 1:
        raise TableError(f"sure is {template.sure!r}", where=where, fix="Use a confidence from 0 to 1.")
    return template


def make_handle(text: str) -> str:
    """Return a text as a URL handle: lower-case letters and digits, joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")
