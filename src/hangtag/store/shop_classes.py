"""The shop's own classes, which complement those of a model, with names in several languages.

A product can have such a class at once. A model knows it as soon as it has learned enough examples.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, or_, select

from hangtag.domain.columns import ANSWER, ANSWER_LEVEL, FLAGS, PATH, REASON, STATUS
from hangtag.domain.errors import ConflictError, InvalidField, InvalidFieldsError, NotStoredError
from hangtag.store.database import writing
from hangtag.store.exports import CHANGED, DECIDED_BY, NAME, PHOTOS, SKU, STATE, VIEW
from hangtag.store.shop_models import IN_USE
from hangtag.store.shop_settings import read_setting, write_setting
from hangtag.store.shop_tables import ShopClassRow, ShopModelRow
from hangtag.store.store import Store, now, read_own_classes
from hangtag.store.tables import ProductRow
from hangtag.store.vocabulary import Vocabulary

LANGUAGES: Final = ("en", "de", "fr", "es")
_NAMES: Final = "names"
_TAXONOMY: Final = "taxonomy"
_ATTRIBUTE: Final = re.compile(r"[^\W\d_][\w -]{0,49}")
_MOST_CLASSES: Final = 10_000
_TAKEN: Final = frozenset(
    (SKU, NAME, PHOTOS, VIEW, STATE, CHANGED, DECIDED_BY, PATH, STATUS, REASON, FLAGS, ANSWER, ANSWER_LEVEL)
)
"""The names of columns in exported tables, which an attribute cannot have."""


@dataclass(frozen=True, slots=True)
class NewClass:
    """A class to create. For the category, `path` holds the labels above it; otherwise `attribute` is its column.

    `values` are several classes of an attribute at once.
    """

    name: str | None = None
    path: tuple[str, ...] | None = None
    attribute: str | None = None
    values: tuple[str, ...] = ()


class ClassInUseError(ConflictError):
    """A class cannot be removed because products have it or a model has learned it."""

    code = "in_use"


class ShopClasses:
    """Reads and changes the shop's own classes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def describe(self, known: Vocabulary) -> dict[str, Any]:
        """Return the taxonomy of a model with the shop's own classes and names. `known` is what the model knows."""
        with self._store.engine.connect() as connection:
            rows = read_own_classes(connection)
            learnt = self._find_learnt(connection)
            own = [
                {
                    "attribute": row.attribute,
                    "name": row.name,
                    "path": [*row.parents, row.name] if row.parents else None,
                    "products": _count_products(connection, row.attribute, row.name),
                    "learnt": (row.attribute, row.name) in learnt,
                }
                for row in rows
            ]
            version = read_setting(connection, _TAXONOMY).get("version", 0)
            names = read_setting(connection, _NAMES)
        vocabulary = known.extended(rows)
        return {
            "levels": list(vocabulary.taxonomy.levels),
            "paths": [list(path) for path in vocabulary.taxonomy.paths],
            "columns": {column: list(classes) for column, classes in vocabulary.classes.items()},
            "own": own,
            "version": version,
            "names": names,
        }

    def add(self, new: NewClass, known: Vocabulary, who: str | None) -> None:
        """Create classes. Raises `InvalidFieldsError` for existing ones, and for an invalid path or attribute."""
        with writing(self._store.engine) as connection:
            rows = read_own_classes(connection)
            vocabulary = known.extended(rows)
            made = _plan_path(new, vocabulary) if new.path is not None else _plan_values(new, vocabulary)
            if len(rows) + len(made) > _MOST_CLASSES:
                raise InvalidFieldsError(
                    InvalidField("name", f"a shop has at most {_MOST_CLASSES:,} classes")
                )
            values = {"names": {}, "created": now(), "created_by": who}
            connection.execute(insert(ShopClassRow), [entry | values for entry in made])
            _count_up(connection)

    def remove(self, attribute: str, name: str) -> None:
        """Remove a class. Raises `NotStoredError` if there is none, and `ClassInUseError` if it is in use."""
        with writing(self._store.engine) as connection:
            own = (ShopClassRow.attribute == attribute) & (ShopClassRow.name == name)
            if connection.execute(select(ShopClassRow.number).where(own)).first() is None:
                raise NotStoredError(f"{attribute} has no class {name!r} that the shop added")
            products = _count_products(connection, attribute, name)
            if products:
                raise ClassInUseError(
                    f"{products:,} products have {name!r}", fix="Assign them another class first."
                )
            if (attribute, name) in self._find_learnt(connection):
                raise ClassInUseError(f"the model in use has learned {name!r}", fix="Roll back first.")
            connection.execute(delete(ShopClassRow).where(own))
            _count_up(connection)

    def set_name(self, attribute: str, name: str | None, language: str, word: str) -> None:
        """Set a class's name in a language, or its attribute's name if `name` is None. An empty word removes it.

        Raises `InvalidFieldsError` for an unsupported language.
        """
        if language not in LANGUAGES:
            raise InvalidFieldsError(InvalidField("language", "there is no such language", LANGUAGES))
        with writing(self._store.engine) as connection:
            names = read_setting(connection, _NAMES)
            of_attribute = names.setdefault(language, {}).setdefault(attribute, {})
            of_attribute[name or ""] = word
            if not word:
                del of_attribute[name or ""]
            write_setting(connection, _NAMES, names)
            _count_up(connection)

    def read_names(self, language: str) -> Mapping[str, Mapping[str, str]]:
        """Return the names of classes by attribute. The attribute's own name is under the empty class."""
        with self._store.engine.connect() as connection:
            found: dict[str, dict[str, str]] = read_setting(connection, _NAMES).get(
                language.partition("-")[0], {}
            )
            return found

    def _find_learnt(self, connection: Connection) -> set[tuple[str, str]]:
        """Return the classes, with their columns, that the shop models in use have learned."""
        models = (
            connection.execute(select(ShopModelRow.model).where(ShopModelRow.stage == IN_USE)).scalars().all()
        )
        cards = [self._store.labeller(connection, model).card for model in models]
        return {(head.column, name) for card in cards for head in card.heads for name in head.classes}


def _plan_path(new: NewClass, vocabulary: Vocabulary) -> list[dict[str, Any]]:
    """Return the rows of a category class, and of its parents that do not exist either."""
    levels = vocabulary.taxonomy.levels
    name, path = _clean("name", new.name), [_clean("path", part) for part in new.path or ()]
    if not levels or len(path) != len(levels) - 1:
        names = ", ".join(levels[:-1]) or "none"
        raise InvalidFieldsError(InvalidField("path", f"name the label of each level above it: {names}"))
    complete = (*path, name)
    if complete in vocabulary.taxonomy.paths:
        raise InvalidFieldsError(InvalidField("name", f"{name!r} exists there already"))
    _refuse_similar(name, vocabulary.taxonomy.labels(levels[-1]), complete, vocabulary)
    made = [
        {"attribute": level, "name": label, "parents": list(path[:depth])}
        for depth, (level, label) in enumerate(zip(levels[:-1], path, strict=True))
        if label not in vocabulary.taxonomy.labels(level)
    ]
    return [*made, {"attribute": levels[-1], "name": name, "parents": path}]


def _refuse_similar(name: str, labels: Sequence[str], path: tuple[str, ...], vocabulary: Vocabulary) -> None:
    """Refuse a class whose name differs from another's only in case; it is most likely the same one."""
    alike = next((label for label in labels if label.casefold() == name.casefold()), None)
    if alike is not None:
        where = [known for known in vocabulary.taxonomy.paths if known[-1] == alike and known != path]
        place = " › ".join(where[0]) if where else alike
        raise InvalidFieldsError(InvalidField("name", f"it exists as {place}"))


def _plan_values(new: NewClass, vocabulary: Vocabulary) -> list[dict[str, Any]]:
    attribute = (new.attribute or "").strip()
    if not _ATTRIBUTE.fullmatch(attribute) or attribute.casefold() in _TAKEN:
        raise InvalidFieldsError(
            InvalidField("attribute", "give the attribute a name that begins with a letter")
        )
    if attribute in vocabulary.taxonomy.levels:
        raise InvalidFieldsError(
            InvalidField("path", f"{attribute} is a level: send the path above the class")
        )
    wanted = [_clean("values", value) for value in ((new.name,) if new.name is not None else new.values)]
    known = {value.casefold() for value in vocabulary.classes.get(attribute, ())}
    twice = [value for value in wanted if value.casefold() in known]
    if twice or not wanted or len({value.casefold() for value in wanted}) != len(wanted):
        message = f"{twice[0]!r} exists already" if twice else "send at least one value, none of them twice"
        raise InvalidFieldsError(InvalidField("name" if new.name is not None else "values", message))
    return [{"attribute": attribute, "name": value, "parents": []} for value in wanted]


def _clean(field: str, text: str | None) -> str:
    cleaned = " ".join((text or "").split())
    if not cleaned or not cleaned.isprintable() or len(cleaned) > 100:  # noqa: PLR2004 - as the page can show
        raise InvalidFieldsError(InvalidField(field, "it must have 1 to 100 printable characters"))
    return cleaned


def _count_products(connection: Connection, attribute: str, name: str) -> int:
    has_it = or_(
        ProductRow.labels[attribute].as_string() == name,
        ProductRow.said[(attribute, "value")].as_string() == name,
    )
    return int(connection.execute(select(func.count()).select_from(ProductRow).where(has_it)).scalar_one())


def _count_up(connection: Connection) -> None:
    version = read_setting(connection, _TAXONOMY).get("version", 0)
    write_setting(connection, _TAXONOMY, {"version": version + 1})
