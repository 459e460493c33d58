"""A shop's templates and mappings, together with the built-in ones: found by name, checked, previewed."""

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from sqlalchemy import Engine

from hangtag.domain.columns import LABEL_COLUMNS
from hangtag.domain.errors import NotStoredError, TableError, UsageError
from hangtag.exporting.taxonomy import (
    BUILT_IN,
    MOST_CATEGORIES,
    MOST_RULES,
    CategoryMapping,
    describe_rules,
    list_categories,
    load_mapping,
    parse_mapping,
)
from hangtag.exporting.template import Template, list_templates, load_template, parse_template, read_built_in
from hangtag.server.problems import InvalidRequestError
from hangtag.server.schemas import InvalidValue
from hangtag.store.documents import Document, Documents
from hangtag.store.store import read_own_classes


class ShopDocuments:
    """Finds templates and mappings by id or name: the shop's own, and built-in ones. Thread-safe.

    `columns` returns the attributes of the default model. Templates may name these, and those that the shop created.
    """

    def __init__(self, engine: Engine, columns: Callable[[], Collection[str]]) -> None:
        self._engine = engine
        self._columns = columns
        self.templates = Documents(engine, "template", frozenset(list_templates()))
        self.mappings = Documents(engine, "taxonomy", frozenset(BUILT_IN))

    def list_attributes(self) -> list[str]:
        """Return the attributes of the model and the shop that are not among hangtag's own."""
        with self._engine.connect() as connection:
            made = [row.attribute for row in read_own_classes(connection)]
        return [name for name in dict.fromkeys((*self._columns(), *made)) if name not in LABEL_COLUMNS]

    def find_template(self, name: str) -> dict[str, Any]:
        """Return a template as a document. Raises `NotStoredError`."""
        if name in list_templates():
            return read_built_in(name)
        return self.templates.get(name).document

    def find_mapping(self, name: str) -> CategoryMapping:
        """Return a mapping. Raises `NotStoredError`."""
        if name in BUILT_IN:
            return load_mapping(name)
        found = self.mappings.get(name)
        return parse_mapping(found.name, found.document)

    def read_template(
        self,
        given: str | Mapping[str, Any],
        **changes: Any,  # noqa: ANN401 - fields have several types
    ) -> tuple[Template, CategoryMapping | None]:
        """Return the template that a request names or contains, with some fields overridden, and its mapping.

        Raises `InvalidRequestError` for an invalid one. A name is never a path, which would be one on this machine.
        """
        try:
            template = self._read(given).changed(**changes)
            return template, self.find_mapping(template.taxonomy) if template.taxonomy else None
        except NotStoredError as error:
            raise invalid_template(f"{error}; there are {self._list_names(error)}") from None
        except (TableError, UsageError, TypeError, ValueError, AttributeError) as error:
            raise invalid_template(str(error)) from None

    def check_template(self, document: Mapping[str, Any], name: str) -> dict[str, Any]:
        """Return a template as it is stored: complete and valid. Raises `InvalidRequestError`."""
        kept = {key: value for key, value in document.items() if key not in {"name", "template"}}
        kept = {"template": 1, **kept}
        self.read_template({**kept, "name": name})
        return kept

    def check_mapping(self, document: Mapping[str, Any], name: str) -> dict[str, Any]:
        """Return a mapping as it is stored: its rules, and all categories that the rules and the shop name.

        Raises `InvalidRequestError`.
        """
        rules, categories = document.get("rules", ()), document.get("categories", ())
        if len(rules) > MOST_RULES or len(categories) > MOST_CATEGORIES:
            raise invalid_mapping(
                f"a mapping has at most {MOST_RULES:,} rules and {MOST_CATEGORIES:,} categories"
            )
        try:
            mapping = parse_mapping(name, document)
        except TableError as error:
            raise invalid_mapping(str(error)) from None
        known = dict.fromkeys(str(category).strip() for category in categories)
        known |= dict.fromkeys(list_categories(mapping.rules))
        return {
            "categories": [category for category in known if category],
            "rules": describe_rules(mapping.rules),
        }

    def _read(self, given: str | Mapping[str, Any]) -> Template:
        if not isinstance(given, str):
            return parse_template(json.dumps(given), "template", self.list_attributes())
        if given in list_templates():
            return load_template(given)
        found = self.templates.get(given)
        document = json.dumps({**found.document, "name": found.name})
        return parse_template(document, found.name, self.list_attributes())

    def _list_names(self, error: NotStoredError) -> str:
        if "no taxonomy" in str(error):
            return ", ".join((*BUILT_IN, *(mapping.name for mapping in self.mappings.list())))
        return ", ".join((*list_templates(), *(template.name for template in self.templates.list())))


def describe_template(name: str, document: Mapping[str, Any], own: Document | None = None) -> dict[str, Any]:
    """Describe a template for lists."""
    template = parse_template(json.dumps({**document, "name": name}), name, None)
    return {
        "id": name if own is None else own.id,
        "name": name,
        "title": template.title,
        "destination": template.destination,
        "format": template.format,
        "language": template.language,
        "rows": template.rows,
        "doubtful": template.doubtful,
        "taxonomy": template.taxonomy,
        "columns": [column.name or "*" for column in template.columns],
        "built_in": own is None,
        "version": 0 if own is None else own.version,
        "updated": None if own is None else own.updated,
        "updated_by": None if own is None else own.updated_by,
    }


def invalid_template(message: str) -> InvalidRequestError:
    """Return the error for an invalid template."""
    return InvalidRequestError(InvalidValue(field="template", message=message))


def invalid_mapping(message: str) -> InvalidRequestError:
    """Return the error for an invalid mapping."""
    return InvalidRequestError(InvalidValue(field="taxonomy", message=message))
