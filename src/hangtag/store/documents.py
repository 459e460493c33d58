"""A shop's saved templates and category mappings. Each is a document with a version."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy import Row as DatabaseRow
from sqlalchemy.exc import IntegrityError

from hangtag.domain.errors import ConflictError, InvalidField, InvalidFieldsError, NotStoredError
from hangtag.store.database import writing
from hangtag.store.export_tables import DocumentRow
from hangtag.store.store import new_id, now

Kind = Literal["template", "taxonomy"]
MOST_DOCUMENTS: Final = 500
LONGEST_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class Document:
    """A saved template or mapping, its version, and who changed it last."""

    id: str
    name: str
    document: dict[str, Any]
    version: int
    updated: datetime
    updated_by: str | None


class Documents:
    """Reads and writes the documents of one kind. Thread-safe.

    `reserved` are the names of hangtag's own documents, which cannot be taken.
    """

    def __init__(self, engine: Engine, kind: Kind, reserved: frozenset[str]) -> None:
        self._engine = engine
        self._kind = kind
        self._reserved = reserved
        self._columns = (*DocumentRow.__table__.columns,)

    def list(self) -> list[Document]:
        """Return all documents, by name."""
        statement = select(*self._columns).where(DocumentRow.kind == self._kind).order_by(DocumentRow.key)
        with self._engine.connect() as connection:
            return [_read(row) for row in connection.execute(statement)]

    def find(self, id_or_name: str) -> Document | None:
        """Return the document with an id or a name, ignoring case; None if there is none."""
        given = (DocumentRow.id == id_or_name) | (DocumentRow.key == _key(id_or_name))
        statement = select(*self._columns).where(DocumentRow.kind == self._kind, given)
        with self._engine.connect() as connection:
            row = connection.execute(statement.order_by(DocumentRow.id != id_or_name)).first()
        return None if row is None else _read(row)

    def get(self, id_: str) -> Document:
        """Return the document with an id or a name. Raises `NotStoredError`."""
        found = self.find(id_)
        if found is None:
            raise NotStoredError(f"there is no {self._kind} {id_!r}")
        return found

    def add(self, name: str, document: Mapping[str, Any], who: str | None) -> Document:
        """Save a new document. Raises `InvalidFieldsError` for a name that is taken or invalid."""
        chosen = self._check(name)
        values = {
            "id": new_id(),
            "kind": self._kind,
            "key": _key(chosen),
            "name": chosen,
            "document": dict(document),
            "version": 1,
            "updated": now(),
            "updated_by": who,
        }
        if len(self.list()) >= MOST_DOCUMENTS:
            raise InvalidFieldsError(InvalidField("name", f"there are {MOST_DOCUMENTS} already"))
        try:
            with writing(self._engine) as connection:
                connection.execute(insert(DocumentRow).values(**values))
        except IntegrityError:
            raise _taken(chosen) from None
        return self.get(str(values["id"]))

    def change(
        self, id_: str, changes: tuple[str, Mapping[str, Any]], version: int, who: str | None
    ) -> Document:
        """Save a new name and content. Raises `ConflictError` if someone saved it since that version."""
        name, document = changes
        known, chosen = self.get(id_), self._check(name)
        values = {
            "key": _key(chosen),
            "name": chosen,
            "document": dict(document),
            "version": version + 1,
            "updated": now(),
            "updated_by": who,
        }
        own = (DocumentRow.id == known.id) & (DocumentRow.version == version)
        try:
            with writing(self._engine) as connection:
                changed = connection.execute(update(DocumentRow).where(own).values(**values)).rowcount
        except IntegrityError:
            raise _taken(chosen) from None
        if not changed:
            by = f" by {known.updated_by}" if known.updated_by else ""
            raise ConflictError(
                f"{known.name!r} was saved{by} meanwhile", fix="Load it again and repeat the change."
            )
        return self.get(known.id)

    def remove(self, id_: str) -> None:
        """Delete a document. Raises `NotStoredError`."""
        known = self.get(id_)
        with writing(self._engine) as connection:
            connection.execute(delete(DocumentRow).where(DocumentRow.id == known.id))

    def free_name(self, wanted: str) -> str:
        """Return a free name: the wanted one, with a number added if it is taken."""
        taken = {_key(document.name) for document in self.list()} | self._reserved
        names = (wanted, *(f"{wanted} {number}" for number in range(2, MOST_DOCUMENTS + 3)))
        return next(name for name in names if _key(name) not in taken)

    def _check(self, name: str) -> str:
        chosen = " ".join(name.split())
        if not chosen or len(chosen) > LONGEST_NAME:
            raise InvalidFieldsError(InvalidField("name", f"a name has 1 to {LONGEST_NAME} characters"))
        if _key(chosen) in self._reserved:
            raise InvalidFieldsError(InvalidField("name", f"hangtag's own {self._kind} is called {chosen}"))
        return chosen


def _key(name: str) -> str:
    return " ".join(name.split()).casefold()


def _taken(name: str) -> InvalidFieldsError:
    return InvalidFieldsError(InvalidField("name", f"there is another one called {name}"))


def _read(row: DatabaseRow[Any]) -> Document:
    return Document(row.id, row.name, row.document, row.version, row.updated, row.updated_by)
