"""Backups: all tables and photos of a store in one tar file. Works across both databases.

The tar begins with a manifest, followed by a JSON Lines file for each table and the photos, named by their hashes. It
is a snapshot of one moment, and the service may keep running meanwhile.
"""

import base64
import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from alembic import command
from alembic.runtime.migration import MigrationContext
from sqlalchemy import (
    JSON,
    Connection,
    DateTime,
    Engine,
    LargeBinary,
    MetaData,
    Table,
    func,
    insert,
    select,
    text,
)

from hangtag import __version__
from hangtag.domain.durable import PRIVATE_FILE, replacing
from hangtag.domain.errors import StoreError
from hangtag.store.database import alembic_config, list_revisions, migrate, writing
from hangtag.store.folder import PhotoFolder, hash_file
from hangtag.store.shop_models import MODELS, BundleFolder

MANIFEST: Final = "hangtag-backup.json"
_FORMAT: Final = 1
_DIGEST: Final = "HANGTAG.sha256"
"""The tar header with the SHA-256 of a stored photo. In older backups, the member's name is that hash."""

_ROWS_AT_A_TIME: Final = 1000
_VERSION_TABLE: Final = "alembic_version"


@dataclass(frozen=True, slots=True)
class BackupSummary:
    """The contents of a backup: rows by table, and photos."""

    rows: Mapping[str, int]
    photos: int


def write_backup(engine: Engine, folder: PhotoFolder, path: Path) -> BackupSummary:
    """Write everything in a store to a tar file, whole or not at all. Raises `OSError` if it cannot be written."""
    with (
        replacing(path) as temporary,
        engine.connect().execution_options(**_snapshot(engine)) as connection,
        connection.begin(),
        _open_private(temporary) as archive,
    ):
        tables = _reflect(connection)
        counts = {table.name: _count(connection, table) for table in tables}
        revision = MigrationContext.configure(connection).get_current_revision()
        manifest = {
            "format": _FORMAT,
            "hangtag": __version__,
            "revision": revision,
            "made": datetime.now(UTC).isoformat(),
            "tables": counts,
        }
        _add_file(archive, MANIFEST, [json.dumps(manifest, indent=2)])
        for table in tables:
            _add_file(archive, f"tables/{table.name}.jsonl", _iter_lines(connection, table))
        for bundle in sorted((folder.root / MODELS).glob("[0-9a-f]*.onnx")):
            archive.add(bundle, f"{MODELS}/{bundle.name}", recursive=False)
        photos = 0
        for sha256 in folder.iter_hashes():
            _add_photo(archive, folder.path(sha256), sha256)
            photos += 1
    return BackupSummary(counts, photos)


def read_backup(path: Path, engine: Engine, folder: PhotoFolder) -> BackupSummary:
    """Restore a backup into an empty database and folder, and migrate it to this version's schema.

    Every photo is checked against its digest. Raises `StoreError` if the file is not a backup, is damaged or from a
    newer version, or if the database is not empty. The database is then unchanged.
    """
    try:
        with tarfile.open(path) as archive, closing(_Members(archive)) as members:
            manifest = members.read_manifest(path)
            with writing(engine) as connection:
                _make_schema(connection, manifest["revision"], path)
                tables = {table.name: table for table in _reflect(connection)}
                counts = {name: _fill(connection, members, tables[name]) for name in manifest["tables"]}
                if counts != manifest["tables"]:
                    raise StoreError("the backup is damaged: rows are missing", where=path)
                _count_on(connection)
                photos = members.restore_photos(folder, path)  # before the rows are committed: all or nothing
    except (tarfile.TarError, KeyError, ValueError, EOFError) as error:
        raise StoreError(f"the backup cannot be read ({error})", where=path) from None
    migrate(engine)
    return BackupSummary(counts, photos)


def _open_private(path: Path) -> tarfile.TarFile:
    """Create a new tar file that only this user can read: it has password hashes and a shop's photos."""
    path.touch(mode=PRIVATE_FILE)
    return tarfile.open(path, "w")


class _Members:
    """The members of a backup, read in order."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._workplace = tempfile.TemporaryDirectory()

    def close(self) -> None:
        self._workplace.cleanup()

    def read_manifest(self, path: Path) -> dict[str, Any]:
        first = self._archive.next()
        if first is None or first.name != MANIFEST:
            raise StoreError("this is not a hangtag backup", where=path)
        manifest: dict[str, Any] = json.loads(self._open(first).read())
        if manifest["format"] != _FORMAT or manifest["revision"] not in list_revisions():
            problem = f"the backup was written by hangtag {manifest.get('hangtag')}, which is newer"
            raise StoreError(problem, where=path, fix="Install that version or a newer one.")
        return manifest

    def open_table(self, name: str) -> IO[bytes]:
        return self._open(self._archive.getmember(f"tables/{name}.jsonl"))

    def restore_photos(self, folder: PhotoFolder, path: Path) -> int:
        count = 0
        for member in self._archive.getmembers():
            if member.name.startswith(f"{MODELS}/"):
                self._restore_bundle(member, folder, path)
            if not member.name.startswith("photos/"):
                continue
            copy = Path(self._workplace.name) / "photo"
            with self._open(member) as source, copy.open("wb") as file:
                while piece := source.read(1 << 20):
                    file.write(piece)
            sha256 = member.name.removeprefix("photos/")
            if hash_file(copy) != member.pax_headers.get(_DIGEST, sha256):
                raise StoreError(f"the backup is damaged: {member.name} is not what it was", where=path)
            with folder.receiving() as incoming:
                moved = incoming / "photo"
                moved.write_bytes(copy.read_bytes())
                folder.keep(moved, sha256)
            count += 1
        return count

    def _restore_bundle(self, member: tarfile.TarInfo, folder: PhotoFolder, path: Path) -> None:
        bundles = BundleFolder(folder.root / MODELS)
        draft = bundles.draft()
        with self._open(member) as source, draft.open("wb") as file:
            shutil.copyfileobj(source, file)
        if f"{MODELS}/{bundles.keep(draft)}.onnx" != member.name:
            raise StoreError(f"the backup is damaged: {member.name} is not what it was", where=path)

    def _open(self, member: tarfile.TarInfo) -> IO[bytes]:
        opened = self._archive.extractfile(member)
        if opened is None:
            raise KeyError(member.name)
        return opened


def _snapshot(engine: Engine) -> dict[str, str]:
    """Return the connection options for a consistent snapshot."""
    return {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}


def _reflect(connection: Connection) -> list[Table]:
    """Return the tables as they are, ordered by their foreign keys."""
    metadata = MetaData()
    metadata.reflect(connection)
    tables = [table for table in metadata.sorted_tables if table.name != _VERSION_TABLE]
    for column in (column for table in tables for column in table.columns):
        if isinstance(column.type, JSON):
            column.type = JSON(
                none_as_null=True
            )  # store None as NULL, like the store does, not as the JSON text `null`
    return tables


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _iter_lines(connection: Connection, table: Table) -> Iterator[str]:
    rows = connection.execute(select(table), execution_options={"yield_per": _ROWS_AT_A_TIME})
    columns = list(table.columns)
    for row in rows:
        values = [_pack(value) for value in row]
        yield json.dumps(dict(zip((column.name for column in columns), values, strict=True)))


def _pack(value: Any) -> Any:  # noqa: ANN401 - what a database holds
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    return value


def _unpack(value: Any, table: Table, name: str, *, is_sqlite: bool) -> Any:  # noqa: ANN401 - as above
    kind = table.columns[name].type
    if value is None:
        return None
    if isinstance(kind, LargeBinary):
        return base64.b64decode(value)
    if isinstance(kind, DateTime):
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=None) if is_sqlite else moment
    return value


def _add_photo(archive: tarfile.TarFile, path: Path, sha256: str) -> None:
    """Add a photo, named by the hash of the original file. The digest of its stored copy verifies it on restore."""
    info = archive.gettarinfo(path, f"photos/{sha256}")
    info.pax_headers = {_DIGEST: hash_file(path)}
    with path.open("rb") as file:
        archive.addfile(info, file)


def _add_file(archive: tarfile.TarFile, name: str, lines: Iterable[str]) -> None:
    with tempfile.TemporaryFile() as file:
        for line in lines:
            file.write(f"{line}\n".encode())
        info = tarfile.TarInfo(name)
        info.size = file.tell()
        info.mode = 0o600
        file.seek(0)
        archive.addfile(info, file)


def _make_schema(connection: Connection, revision: str, path: Path) -> None:
    """Create the tables of a revision in an empty database. Raises `StoreError` if it is not empty."""
    if any(_count(connection, table) for table in _reflect(connection)):
        fix = "Restore into an empty data folder or database."
        raise StoreError("the database is not empty", where=path, fix=fix)
    config = alembic_config()
    config.attributes["connection"] = connection
    present = MigrationContext.configure(connection).get_current_revision()
    if present is not None and present != revision:
        fix = "Restore into a new data folder or database."
        raise StoreError("the database has tables of another version", where=path, fix=fix)
    command.upgrade(config, revision)


def _fill(connection: Connection, members: _Members, table: Table) -> int:
    is_sqlite = connection.dialect.name == "sqlite"
    count = 0
    rows: list[dict[str, Any]] = []
    with members.open_table(table.name) as file:
        for line in file:
            values = json.loads(line)
            rows.append(
                {key: _unpack(value, table, key, is_sqlite=is_sqlite) for key, value in values.items()}
            )
            if len(rows) == _ROWS_AT_A_TIME:
                connection.execute(insert(table), rows)
                count, rows = count + len(rows), []
    if rows:
        connection.execute(insert(table), rows)
    return count + len(rows)


def _count_on(connection: Connection) -> None:
    """Continue the numbering of new rows after the restored ones; SQLite does so by itself."""
    if connection.dialect.name != "postgresql":
        return
    for table in _reflect(connection):
        for column in table.primary_key:
            statement = text("SELECT pg_get_serial_sequence(:table, :column)")
            sequence = connection.execute(
                statement, {"table": table.name, "column": column.name}
            ).scalar_one()
            if sequence is not None:
                last = connection.execute(select(func.max(column))).scalar_one()
                connection.execute(
                    text("SELECT setval(:sequence, :last, :is_used)"),
                    {"sequence": sequence, "last": last or 1, "is_used": last is not None},
                )
