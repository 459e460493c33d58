"""Deleting batches and the files that no other batch uses. Works on a full disk, where it is needed most."""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Row as DatabaseRow
from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError

from hangtag.store.database import writing
from hangtag.store.faults import DiskFullError, find_fault
from hangtag.store.sheet_files import StoredSheet
from hangtag.store.store import Store, iter_parts
from hangtag.store.tables import BatchRow, DecisionRow, PhotoRow, ProductRow

_DELETED_AT_A_TIME: Final = 200


def delete_batch(store: Store, batch: DatabaseRow[Any]) -> None:
    """Delete a batch with its products, and the photos that are in no other batch."""
    with store.engine.connect() as connection:
        hashes = set(
            connection.execute(select(PhotoRow.sha256).where(PhotoRow.batch == batch.number)).scalars()
        )
    sheet = None if batch.sheet is None else StoredSheet.from_json(batch.sheet)
    hashes |= {file.sha256 for file in sheet.files} if sheet else set()
    try:
        with writing(store.engine) as connection:
            connection.execute(delete(BatchRow).where(BatchRow.number == batch.number))
    except (OSError, SQLAlchemyError) as error:
        if not isinstance(find_fault(error), DiskFullError):
            raise
        _delete_on_full_disk(store, batch.number)
    remove_unused(store, hashes)
    store.reserve.fill()


def remove_unused(store: Store, hashes: Iterable[str]) -> None:
    """Remove those files that no batch uses. During an upload, they stay until the next start."""
    with store.folder.clearing() as may_remove:
        if not may_remove:
            return
        unused = set(hashes) - {""}
        with store.engine.connect() as connection:
            for part in iter_parts(sorted(unused)):
                kept = select(PhotoRow.sha256).where(PhotoRow.sha256.in_(part))
                unused.difference_update(connection.execute(kept).scalars())
            sheets = connection.execute(select(BatchRow.sheet).where(BatchRow.sheet.is_not(None))).scalars()
            for sheet in sheets:
                unused.difference_update(file.sha256 for file in StoredSheet.from_json(sheet or {}).files)
        store.folder.remove(unused)


def _delete_on_full_disk(store: Store, batch: int) -> None:
    """Delete a batch in small transactions. The reserve gives room for the first, and each one for the next."""
    store.reserve.release()
    for table in (DecisionRow, PhotoRow, ProductRow):
        left = select(table.number).where(table.batch == batch).limit(_DELETED_AT_A_TIME)
        while True:
            with writing(store.engine) as connection:
                numbers = connection.execute(left).scalars().all()
                connection.execute(delete(table).where(table.number.in_(numbers)))
            if not numbers:
                break
    with writing(store.engine) as connection:
        connection.execute(delete(BatchRow).where(BatchRow.number == batch))
