"""Shop models: versions of a model that are adapted to the shop, which can be promoted and rolled back.

At most one version of each base is in use, and labels the batches of that base. The others are candidates, which were
never used, or archived.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy import Row as DatabaseRow

from hangtag.bundle.card import Card
from hangtag.bundle.file import read_bundle
from hangtag.bundle.heads import GraphHeads, HeadShift
from hangtag.domain.durable import sync_folder
from hangtag.domain.errors import BundleError, ConflictError, InvalidField, NotStoredError
from hangtag.store.database import writing
from hangtag.store.folder import hash_file
from hangtag.store.shop_tables import ShopModelRow
from hangtag.store.store import Store, StoredModel, new_id, now
from hangtag.store.tables import BatchRow, ModelRow

MODELS: Final = "models"
"""The folder of the bundles in a data folder."""

CANDIDATE: Final = "candidate"
IN_USE: Final = "in_use"
ARCHIVED: Final = "archived"
_KEPT_VERSIONS: Final = 20
_COLUMNS: Final = ShopModelRow.__table__.columns


class WorseError(ConflictError):
    """A shop model is significantly worse on some classes than the model in use. `fields` lists them."""

    code = "significantly_worse"

    def __init__(self, *fields: InvalidField) -> None:
        self.fields = fields
        named = ", ".join(f"{field.field} ({field.message})" for field in fields)
        super().__init__(
            f"the model is significantly worse at {named}", fix="Give a reason to promote it anyway."
        )


@dataclass(frozen=True, slots=True)
class NewShopModel:
    """A shop model that was just made. The fields are those of its row."""

    base: int
    sha256: str
    size_bytes: int
    card: Card
    created_by: str | None
    automatic: bool
    decision: int
    learnt_from: Mapping[str, Any]
    figures: Mapping[str, Any]
    forgetting: Mapping[str, Any]


class BundleFolder:
    """The bundles of shop models in a data folder: files named by the SHA-256 of their content."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, sha256: str) -> Path:
        """Return the path of a bundle, whether it exists or not."""
        return self.root / f"{sha256}.onnx"

    def draft(self) -> Path:
        """Return a path for a bundle that is being made."""
        self.root.mkdir(parents=True, exist_ok=True)
        return self.root / f".{secrets.token_hex(8)}.onnx"

    def keep(self, draft: Path) -> str:
        """Move a finished bundle into the folder and return its hash."""
        sha256 = hash_file(draft)
        draft.replace(self.path(sha256))
        sync_folder(self.root)
        return sha256

    def clear(self) -> None:
        """Remove bundles that the last process did not finish."""
        for path in self.root.glob(".*.onnx"):
            path.unlink(missing_ok=True)


class ShopModels:
    """Reads and changes the registry of shop models."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.folder = BundleFolder(store.folder.root / MODELS)

    def add(self, new: NewShopModel, name: str) -> str:
        """Add a candidate as the next version of its base, and return its id."""
        with writing(self._store.engine) as connection:
            base = _read_model(connection, new.base)
            last = select(func.max(ShopModelRow.version)).where(ShopModelRow.base == new.base)
            version = (connection.execute(last).scalar_one() or 0) + 1
            model_id = f"{base.id}-shop-{version}"
            stored = StoredModel(model_id, name, str(version), new.sha256, replace(new.card, name=name))
            model = self._store.keep_model(connection, stored, new.base)
            id_ = new_id()
            values = {
                "id": id_,
                "base": new.base,
                "model": model,
                "version": version,
                "name": name,
                "stage": CANDIDATE,
                "created": now(),
                "created_by": new.created_by,
                "automatic": new.automatic,
                "decision": new.decision,
                "learnt_from": dict(new.learnt_from),
                "figures": dict(new.figures),
                "forgetting": dict(new.forgetting),
                "learnt": {},
                "size_bytes": new.size_bytes,
            }
            connection.execute(insert(ShopModelRow).values(**values))
        return id_

    def list_versions(self, base: str | None = None) -> tuple[list[dict[str, Any]], int]:
        """Return the versions of a base, or of all, the newest first, and their total."""
        with self._store.engine.connect() as connection:
            statement = select(*_COLUMNS).order_by(ShopModelRow.created.desc(), ShopModelRow.number.desc())
            if base is not None:
                bases = select(ModelRow.number).where(ModelRow.id == base)
                statement = statement.where(ShopModelRow.base.in_(bases))
            found = [_describe(connection, row) for row in connection.execute(statement).all()]
        return found, len(found)

    def get(self, id_: str) -> dict[str, Any]:
        """Return a version by its id. Raises `NotStoredError`."""
        with self._store.engine.connect() as connection:
            return _describe(connection, _find(connection, id_))

    def in_use(self) -> dict[str, dict[str, Any] | None]:
        """Return the version in use by the id of each base that has versions; None for the base itself."""
        with self._store.engine.connect() as connection:
            bases = connection.execute(
                select(ModelRow.id, ModelRow.number)
                .where(ModelRow.number.in_(select(ShopModelRow.base)))
                .order_by(ModelRow.number)
            ).all()
            found: dict[str, dict[str, Any] | None] = {}
            for base in bases:
                row = find_in_use(connection, base.number)
                found[base.id] = None if row is None else _describe(connection, row)
        return found

    def promote(self, id_: str, reason: str | None = None) -> dict[str, Any]:
        """Put a version into use. The one in use before is archived, and can be rolled back to.

        Raises `WorseError` if it is significantly worse on a class, unless there is a `reason`, which is stored.
        """
        with writing(self._store.engine) as connection:
            row = _find(connection, id_)
            worse = list_worse(row.figures)
            if worse and not reason:
                raise WorseError(*worse)
            if not self.folder.path(_read_model(connection, row.model).sha256).exists():
                raise ConflictError("the file of this version was removed; use a newer version")
            before = find_in_use(connection, row.base)
            if before is None or before.number != row.number:
                if before is not None:
                    _set(connection, before.number, stage=ARCHIVED)
                values = {"stage": IN_USE, "previous": None if before is None else before.number}
                _set(connection, row.number, **values, override_reason=reason or row.override_reason)
            return _describe(connection, _find(connection, id_))

    def list_waiting(self) -> list[str]:
        """Return automatically learned versions that are the newest of their base and not in use yet."""
        with self._store.engine.connect() as connection:
            newest = select(func.max(ShopModelRow.number)).group_by(ShopModelRow.base)
            rows = connection.execute(
                select(ShopModelRow.id, ShopModelRow.figures).where(
                    ShopModelRow.number.in_(newest), ShopModelRow.automatic, ShopModelRow.stage == CANDIDATE
                )
            )
            return [row.id for row in rows if not list_worse(row.figures)]

    def roll_back(self, base: str | None = None) -> dict[str, Any] | None:
        """Put the previous version back into use, or the base itself: then None is returned.

        Without a `base`, the version that came into use last is rolled back. Raises `ConflictError` if none is in use.
        """
        with writing(self._store.engine) as connection:
            statement = select(*_COLUMNS).where(ShopModelRow.stage == IN_USE)
            if base is not None:
                bases = select(ModelRow.number).where(ModelRow.id == base)
                statement = statement.where(ShopModelRow.base.in_(bases))
            row = connection.execute(statement.order_by(ShopModelRow.number.desc())).first()
            if row is None:
                raise ConflictError("no shop model is in use: there is nothing to roll back")
            _set(connection, row.number, stage=ARCHIVED)
            if row.previous is None:
                return None
            _set(connection, row.previous, stage=IN_USE)
            found = connection.execute(select(*_COLUMNS).where(ShopModelRow.number == row.previous)).one()
            return _describe(connection, found)

    def archive(self, id_: str) -> dict[str, Any]:
        """Archive a candidate. Raises `ConflictError` for the version in use."""
        with writing(self._store.engine) as connection:
            row = _find(connection, id_)
            if row.stage == IN_USE:
                raise ConflictError("the model is in use", fix="Promote another one, or roll back.")
            _set(connection, row.number, stage=ARCHIVED)
            return _describe(connection, _find(connection, id_))

    def bundle(self, id_: str) -> Path:
        """Return the file of a version. Raises `NotStoredError` if it was removed."""
        path = self.folder.path(self.get(id_)["sha256"])
        if not path.exists():
            raise NotStoredError("the file of this version was removed")
        return path

    def list_changed(self, id_: str) -> list[int]:
        """Return the products whose labels or needs changed when a version came into use."""
        with self._store.engine.connect() as connection:
            learnt = _find(connection, id_).learnt
        return [number for counts in learnt.values() for number in counts["products"]]

    def prune(self) -> None:
        """Remove the files of old, automatically learned versions that are not in use."""
        with self._store.engine.connect() as connection:
            rows = connection.execute(
                select(ModelRow.sha256)
                .join(ShopModelRow, ShopModelRow.model == ModelRow.number)
                .where(ShopModelRow.automatic, ShopModelRow.stage == ARCHIVED)
                .order_by(ShopModelRow.number.desc())
                .offset(_KEPT_VERSIONS)
            ).scalars()
            for sha256 in rows:
                self.folder.path(sha256).unlink(missing_ok=True)


def read_shifts(base: Path, adapted: Path, columns: Sequence[str]) -> dict[str, HeadShift]:
    """Return by column the shift of an adapted bundle relative to its base. Raises `BundleError`."""
    bundle = read_bundle(base)
    if bundle.card.embedding is None:
        raise BundleError("the base of an adapted model has no embedding", where=base)
    before = GraphHeads(bundle.model_bytes, bundle.card.embedding.output)
    after = GraphHeads(read_bundle(adapted).model_bytes, bundle.card.embedding.output)
    found = {column: before.find_shift(column, after) for column in columns}
    return {column: shift for column, shift in found.items() if shift is not None}


def find_in_use(connection: Connection, base: int) -> DatabaseRow[Any] | None:
    """Return the row of a base's version in use; None for the base itself."""
    return connection.execute(
        select(*_COLUMNS).where(ShopModelRow.base == base, ShopModelRow.stage == IN_USE)
    ).first()


def find_labelling(connection: Connection, base: int) -> int:
    """Return the number of the model that labels for a base: the version in use, or else the base itself."""
    row = find_in_use(connection, base)
    return base if row is None else int(row.model)


def note_changes(
    connection: Connection, model: int, batch: int, counts: Mapping[str, int], products: Sequence[int]
) -> None:
    """Record how many labels of a batch changed, and in which products, when a version first came into use."""
    row = connection.execute(select(*_COLUMNS).where(ShopModelRow.model == model)).first()
    if row is not None:
        id_ = connection.execute(select(BatchRow.id).where(BatchRow.number == batch)).scalar_one()
        _set(connection, row.number, learnt={id_: {**counts, "products": list(products)}} | row.learnt)


def read_learnt(connection: Connection, base: int | None = None) -> dict[str, Any] | None:
    """Return what changed when hangtag last learned automatically; None if something else is in use by now."""
    statement = select(*_COLUMNS).where(ShopModelRow.automatic, ShopModelRow.stage == IN_USE)
    if base is not None:
        statement = statement.where(ShopModelRow.base == base)
    row = connection.execute(statement.order_by(ShopModelRow.number.desc())).first()
    if row is None:
        return None
    return {
        "model": row.id,
        "version": row.version,
        "checks": row.learnt_from["checks"],
        "changed": sum(counts["changed"] for counts in row.learnt.values()),
        "settled": sum(counts["settled"] for counts in row.learnt.values()),
        "batches": {
            batch: {"changed": counts["changed"], "settled": counts["settled"]}
            for batch, counts in row.learnt.items()
        },
        "undo": True,
    }


def list_worse(figures: Mapping[str, Any]) -> list[InvalidField]:
    """Return the classes on which a version is significantly worse, by the figures in its row."""
    return [InvalidField(column, name) for column, found in figures.items() for name in found["worse"]]


def _read_model(connection: Connection, number: int) -> DatabaseRow[Any]:
    columns: list[Any] = [ModelRow.id, ModelRow.name, ModelRow.version, ModelRow.sha256]
    return connection.execute(select(*columns).where(ModelRow.number == number)).one()


def _find(connection: Connection, id_: str) -> DatabaseRow[Any]:
    row = connection.execute(select(*_COLUMNS).where(ShopModelRow.id == id_)).first()
    if row is None:
        raise NotStoredError(
            f"there is no shop model {id_!r}",
            fix="`hangtag models versions` and GET /api/v1/shop/models list them.",
        )
    return row


def _set(connection: Connection, number: int, **values: Any) -> None:  # noqa: ANN401 - columns of the row
    connection.execute(update(ShopModelRow).where(ShopModelRow.number == number).values(**values))


def _describe(connection: Connection, row: DatabaseRow[Any]) -> dict[str, Any]:
    base, own = _read_model(connection, row.base), _read_model(connection, row.model)
    return {
        "id": row.id,
        "base": {"id": base.id, "name": base.name, "version": base.version},
        "model": own.id,
        "version": row.version,
        "name": row.name,
        "stage": row.stage,
        "created": row.created,
        "created_by": "hangtag" if row.automatic else row.created_by,
        "learnt_from": row.learnt_from,
        "figures": row.figures,
        "forgetting": row.forgetting,
        "override_reason": row.override_reason,
        "sha256": own.sha256,
        "size_bytes": row.size_bytes,
    }
