"""Photos that a sheet names by address: which are missing, and fetching them in the background.

Once a person confirms the sheet's columns, each address is stored as a photo without content. So nothing is forgotten
however the process ends, and every address that cannot be fetched keeps its reason.
"""

import logging
import threading
from collections.abc import Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import Row as DatabaseRow
from sqlalchemy import delete, select, update

from hangtag.domain.errors import InvalidField, InvalidFieldsError, NotStoredError, PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.fetching import Fetcher, drop_password
from hangtag.store.database import writing
from hangtag.store.faults import find_fault
from hangtag.store.folder import KeptPhoto
from hangtag.store.grouping import find_view
from hangtag.store.intake import NewPhoto, find_duplicates, insert_photos
from hangtag.store.keeping import QuotaError
from hangtag.store.refresh import count_photos, refresh_products, update_state
from hangtag.store.sheets import ColumnMapping, SheetRows, list_addresses
from hangtag.store.store import Change, FetchPolicy, Store, iter_parts, now
from hangtag.store.tables import BatchRow, PhotoRow
from hangtag.tables.matching import Likeness, NameMatcher

_LEASE: Final = timedelta(minutes=10)
"""How long other services leave a photo alone while it is fetched, and this one after a crash."""

_LOOK_S: Final = 2.0
_COMMIT_S: Final = 0.5
_SECONDS_AFTER_A_FAULT: Final = 5.0
_LONGEST_ADDRESS: Final = 1000
_SHOWN_HOSTS: Final = 5
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MissingPhotos:
    """The addresses in a sheet whose photos are missing, each once."""

    addresses: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The names of the photos: their addresses, which match the sheet's cells exactly."""
        return [drop_password(address) for address in self.addresses]

    def extend(self, names: list[str], policy: FetchPolicy | None) -> list[str]:
        """Return the names of photos, followed by those that would be fetched."""
        if policy is None:
            return names
        _, refused = self._sort_hosts(policy)
        fetched = [address for address in self.addresses if _host(address) not in refused]
        return [*names, *map(drop_password, fetched)]

    def describe(self, policy: FetchPolicy | None) -> dict[str, Any]:
        """Return how many photos would be fetched from which hosts, and which hosts are not allowed."""
        allowed, refused = self._sort_hosts(policy)
        count = sum(_host(address) in allowed for address in self.addresses)
        return {
            "is_allowed": policy is not None,
            "addresses": len(self.addresses),
            "to_fetch": count,
            "hosts": list(allowed)[:_SHOWN_HOSTS],
            "refused_hosts": list(refused)[:_SHOWN_HOSTS],
        }

    def _sort_hosts(self, policy: FetchPolicy | None) -> tuple[dict[str, None], dict[str, None]]:
        """Return the allowed and the refused hosts, in the order of the sheet."""
        hosts = dict.fromkeys(_host(address) for address in self.addresses)
        refused = {host: None for host in hosts if policy is None or not _is_allowed(policy, host)}
        return {host: None for host in hosts if host not in refused}, refused


def find_missing(sheet: SheetRows, mapping: ColumnMapping, names: Collection[str]) -> MissingPhotos:
    """Return the addresses of a sheet whose photos were neither uploaded nor scheduled for fetching.

    An uploaded photo belongs to an address that ends with its name.
    """
    known = set(names)
    matcher = NameMatcher([name for name in known if "://" not in name])
    written = [
        address
        for address in list_addresses(sheet, mapping)
        if len(drop_password(address)) <= _LONGEST_ADDRESS
    ]
    matches = matcher.match_all(written, Likeness.OTHER_FOLDER)
    return MissingPhotos(
        tuple(
            address
            for address in written
            if drop_password(address) not in known and not matches[address].photos
        )
    )


def plan_fetching(store: Store, change: Change, sheet: SheetRows, mapping: ColumnMapping) -> None:
    """Schedule the photos that a batch's sheet names by address for fetching.

    Photos that were scheduled before and failed are tried again, or dropped if the sheet no longer names them. Raises
    `InvalidFieldsError` if a batch would have too many photos.
    """
    if store.fetching is None:
        return
    absent = (PhotoRow.batch == change.batch, PhotoRow.address.is_not(None), PhotoRow.sha256 == "")
    listed = change.connection.execute(select(PhotoRow.number, PhotoRow.name).where(*absent)).all()
    wanted = {drop_password(address) for address in list_addresses(sheet, mapping)}
    refresh_products(store, change, _retry(change, [row.number for row in listed if row.name in wanted]))
    for part in iter_parts([row.number for row in listed if row.name not in wanted]):
        given_up = PhotoRow.number.in_(part) & ~PhotoRow.by_hand
        change.connection.execute(delete(PhotoRow).where(given_up))
    present = select(PhotoRow.name).where(PhotoRow.batch == change.batch)
    missing = find_missing(sheet, mapping, change.connection.execute(present).scalars().all())
    if count_photos(change.connection, change.batch) + len(missing.addresses) > store.fetching.max_photos:
        message = f"a batch takes at most {store.fetching.max_photos:,} photos"
        raise InvalidFieldsError(InvalidField("mapping.addresses", message))
    photos = [
        NewPhoto(name, "", 0, address=address)
        for name, address in zip(missing.names, missing.addresses, strict=True)
    ]
    insert_photos(change, [(photo, None) for photo in photos])
    if photos or listed:
        update_state(change.connection, change.batch, resume=True)


def _retry(change: Change, numbers: Sequence[int]) -> set[int]:
    """Schedule photos for fetching now. Return the products that they show."""
    touched: set[int] = set()
    for part in iter_parts(numbers):
        again = update(PhotoRow).where(PhotoRow.number.in_(part), PhotoRow.sha256 == "")
        again = again.values(fetch_from=now(), reason=None, detail=None)
        touched |= set(change.connection.execute(again.returning(PhotoRow.product)).scalars())
    return touched


@dataclass(frozen=True, slots=True)
class _Fetched:
    """A fetched photo, or why it could not be fetched."""

    photo: DatabaseRow[Any]
    kept: KeptPhoto | None
    size_bytes: int = 0
    error: PhotoError | None = None


class FetchWorker:
    """Fetches photos for batches, several at a time, on its own threads."""

    def __init__(self, store: Store, policy: FetchPolicy) -> None:
        self._store = store
        self._policy = policy
        self._fetcher = Fetcher(policy)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fetching", daemon=True)

    def start(self) -> None:
        """Start the thread. With SQLite, photos that an earlier process was fetching are fetched again."""
        if self._store.engine.dialect.name == "sqlite":
            with writing(self._store.engine) as connection:
                waiting = PhotoRow.fetch_from > now()
                connection.execute(update(PhotoRow).where(waiting).values(fetch_from=now()))
        self._thread.start()

    def wake(self) -> None:
        """Signal that there may be photos to fetch."""
        self._wake.set()

    def begin_stop(self) -> None:
        """Begin no further photo, and abort the requests in progress."""
        self._stopping.set()
        self._wake.set()
        self._fetcher.close()

    def stop(self) -> None:
        """End the thread. The remaining photos are fetched after the next start."""
        self.begin_stop()
        if self._thread.is_alive():
            self._thread.join()

    def fetch_all(self) -> None:
        """Fetch all waiting photos, on the caller's thread and its helpers."""
        with ExitStack() as stack:
            threads = stack.enter_context(ThreadPoolExecutor(self._policy.connections, "fetch"))
            folder: Path | None = None
            pending: set[Future[_Fetched]] = set()
            while not self._stopping.is_set():
                room = 2 * self._policy.connections - len(pending)
                taken = self.take(room) if room > 0 else []
                if taken and folder is None:
                    # From here on, no stored photo is removed that has no row yet.
                    folder = stack.enter_context(self._store.folder.receiving())
                pending |= {threads.submit(self._fetch, photo, folder or Path()) for photo in taken}
                if not pending:
                    return
                done, pending = wait(pending, _COMMIT_S, FIRST_COMPLETED)
                found = [future.result() for future in done]
                hashes = [fetched.kept.sha256 for fetched in found if fetched.kept is not None]
                self._store.folder.settle(folder or Path(), hashes)
                self._store_all(found)
            for future in pending:
                future.cancel()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                self.fetch_all()
            except Exception as error:  # noqa: BLE001 - no error may stop the fetching for good
                fault = find_fault(error)
                _log.error("photos are waiting: %s", fault or "an unexpected error", exc_info=fault is None)
                self._stopping.wait(_SECONDS_AFTER_A_FAULT)
                continue
            if not self._stopping.is_set():
                self._wake.wait(None if self._store.engine.dialect.name == "sqlite" else _LOOK_S)

    def take(self, count: int) -> Sequence[DatabaseRow[Any]]:
        """Return photos to fetch next. Nobody else takes them for a while."""
        columns: tuple[Any, ...] = (PhotoRow.number, PhotoRow.batch, PhotoRow.name, PhotoRow.address)
        waiting = (
            select(*columns)
            .join(BatchRow, BatchRow.number == PhotoRow.batch)
            .where(BatchRow.state == "labelling", PhotoRow.fetch_from <= now())
            .order_by(PhotoRow.batch.desc(), PhotoRow.position)
            .limit(count)
        )
        with self._store.engine.connect() as connection:  # most calls find nothing and need no lock
            if connection.execute(waiting).first() is None:
                return []
        with writing(self._store.engine) as connection:
            locked = waiting.with_for_update(of=PhotoRow, skip_locked=True)
            found = connection.execute(locked).all()
            taken = PhotoRow.number.in_([photo.number for photo in found])
            connection.execute(update(PhotoRow).where(taken).values(fetch_from=now() + _LEASE))
        return found

    def _fetch(self, photo: DatabaseRow[Any], folder: Path) -> _Fetched:
        limits = self._store.limits
        try:
            data = self._fetcher.fetch(str(photo.address), limits)
            return _Fetched(photo, self._store.folder.keep_photo(data, folder, limits), len(data))
        except PhotoError as error:
            return _Fetched(photo, None, error=error)
        except (ValueError, IndexError) as error:
            wrong = PhotoError(Reason.UNREADABLE, f"this is no address that can be fetched ({error})")
            return _Fetched(photo, None, error=wrong)

    def _store_all(self, found: Sequence[_Fetched]) -> None:
        """Store the results, one transaction per batch. Fetches aborted by a stop remain scheduled."""
        if self._stopping.is_set():
            found = [fetched for fetched in found if fetched.kept is not None]
        by_batch: dict[int, list[_Fetched]] = {}
        for fetched in found:
            by_batch.setdefault(fetched.photo.batch, []).append(fetched)
        for batch, own in by_batch.items():
            try:
                with self._store.changing(batch) as change:
                    _settle_photos(self._store, change, own)
            except NotStoredError:
                _log.info("a batch was deleted while its photos were fetched")
            except QuotaError as error:
                self._pause(batch, error, [fetched.photo.number for fetched in own])

    def _pause(self, batch: int, error: QuotaError, numbers: Sequence[int]) -> None:
        """Pause a batch until there is room and someone resumes it. Its photos are fetched again then."""
        with self._store.changing(batch) as change:
            _retry(change, numbers)
            paused = {"state": "failed", "message": error.problem}
            change.connection.execute(update(BatchRow).where(BatchRow.number == batch).values(**paused))


def _settle_photos(store: Store, change: Change, found: Sequence[_Fetched]) -> None:
    """Store the results for photos of a batch. Raises `QuotaError` if there is no room."""
    connection = change.connection
    came = {fetched.photo.number: fetched for fetched in found if fetched.kept is not None}
    known = find_duplicates(connection, [_describe(fetched) for fetched in came.values()])
    earlier = dict(zip(came, (number for _, number in known), strict=True))
    touched: set[int] = set()
    for fetched in found:
        values = _photo_values(fetched, earlier.get(fetched.photo.number))
        awaited = (PhotoRow.number == fetched.photo.number) & PhotoRow.fetch_from.is_not(None)
        touched |= set(
            connection.execute(
                update(PhotoRow)
                .where(awaited, PhotoRow.batch == change.batch)
                .values(fetch_from=None, **values)
                .returning(PhotoRow.product)
            ).scalars()
        )
    refresh_products(store, change, touched)
    update_state(connection, change.batch)
    creator = select(BatchRow.created_by).where(BatchRow.number == change.batch)
    store.quotas.check(connection, connection.execute(creator).scalar_one())


def _photo_values(fetched: _Fetched, earlier: int | None) -> dict[str, Any]:
    """Return the new values of a photo's row; `earlier` is the number of an identical photo that came before."""
    if fetched.error is not None:
        return {"reason": fetched.error.reason.value, "detail": fetched.error.detail}
    if fetched.kept is None:
        return {}
    return {
        "sha256": fetched.kept.sha256,
        "size_bytes": fetched.size_bytes,
        "width": fetched.kept.width,
        "height": fetched.kept.height,
        "view": find_view(fetched.photo.name),
        "duplicate_of": earlier,
        "todo": True,
    }


def _describe(fetched: _Fetched) -> NewPhoto:
    return NewPhoto(
        fetched.photo.name, "" if fetched.kept is None else fetched.kept.sha256, fetched.size_bytes
    )


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _is_allowed(policy: FetchPolicy, host: str) -> bool:
    try:
        policy.rules.check_host(host)
    except PhotoError:
        return False
    return bool(host)
