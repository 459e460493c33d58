"""The batches of a running service, wired together in one place."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from sqlalchemy.exc import SQLAlchemyError

from hangtag.imaging.addresses import AddressRules
from hangtag.learning.decisions import DecisionFiles, read_upload
from hangtag.learning.learner import Learner
from hangtag.learning.shop import Shop
from hangtag.learning.worker import LearningWorker
from hangtag.server.answers import doubt_thresholds
from hangtag.server.batch_events import BatchEvents
from hangtag.server.batch_uploads import DecisionsForm, receive_files, receive_form
from hangtag.server.models import BackgroundModels, ModelRegistry
from hangtag.server.problems import ShuttingDownError
from hangtag.server.settings import Settings
from hangtag.server.shop_documents import ShopDocuments
from hangtag.server.webhooks import WebhookSender, read_hosts
from hangtag.store.batches import Batches
from hangtag.store.database import find_url, open_database
from hangtag.store.decisions import Decisions
from hangtag.store.derived import ShiftReader
from hangtag.store.fetching import FetchWorker
from hangtag.store.first_edition import adopt_jobs
from hangtag.store.folder import FolderClaim, PhotoFolder
from hangtag.store.intake import Intake, IntakeStoppedError, kind_of, take_files
from hangtag.store.keeping import QuotaError, Quotas, Usage
from hangtag.store.notes import Notes
from hangtag.store.products import Products
from hangtag.store.removal import remove_unused
from hangtag.store.shop_classes import ShopClasses
from hangtag.store.shop_models import ShopModels
from hangtag.store.store import FetchPolicy, Store, StoredModel
from hangtag.store.worker import LabellingWorker
from hangtag.tables.sandbox import abort_readers

_log: Final = logging.getLogger(__name__)
_QUICK_UPLOADS: Final = 4
_SLOW_UPLOADS: Final = 2
"""How many uploads of photos, and of zips and tables, are processed at once."""


def open_store(settings: Settings) -> Store:
    """Return the store of the settings, with its tables migrated to this version's schema."""
    engine = open_database(find_url(settings.database_url, settings.data_folder))
    folder = PhotoFolder(settings.data_folder, keep_originals=settings.keep_originals)
    store = Store(engine, folder, settings.decode_limits, lambda card: doubt_thresholds(card, settings))
    store.quotas = Quotas(
        settings.quota_bytes,
        settings.quota_products,
        settings.quota_bytes_per_person,
        settings.quota_products_per_person,
    )
    hosts = read_hosts(settings.fetch_hosts)
    if hosts:
        rules = AddressRules() if "*" in hosts else AddressRules(hosts=hosts)
        store.fetching = FetchPolicy(rules, settings.max_batch_photos)
    return store


def find_model(registry: ModelRegistry, id_: str | None) -> StoredModel:
    """Return a model in the form that batches store; the default one for None. Raises `ModelNotFoundError`."""
    registered = registry.card(id_)
    card = registered.card
    return StoredModel(registered.id, card.name, card.version, registered.sha256, card)


class BatchService:
    """The store with its worker and its events.

    Raises `UsageError` if another service uses the same data folder, or it is not writable.
    """

    def __init__(self, settings: Settings, registry: ModelRegistry) -> None:
        self._settings = settings
        self._registry = registry
        self._find_model = partial(find_model, registry)
        self._claim = FolderClaim(settings.data_folder, is_shared=settings.shares_database)
        self.store = open_store(settings)
        self.products = Products(self.store)
        self.batches = Batches(self.products, self._find_model)
        self.decisions = Decisions(self.products)
        self.notes = Notes(self.store)
        self.documents = ShopDocuments(self.store.engine, lambda: self._find_model(None).card.columns)
        self.events = BatchEvents()
        self._stopping = threading.Event()
        self._quick = ThreadPoolExecutor(_QUICK_UPLOADS, "intake")
        self._slow = ThreadPoolExecutor(_SLOW_UPLOADS, "unpacking")
        self.webhooks = WebhookSender(self.store.engine, read_hosts(settings.webhook_hosts))
        self._worker = LabellingWorker(self.store, BackgroundModels(registry, settings).load)
        policy = self.store.fetching
        self._fetching = None if policy is None else FetchWorker(self.store, policy)
        shop_models = ShopModels(self.store)
        self.store.shifts = ShiftReader(shop_models.folder, self._find_bundle)
        learner = Learner(self.store, shop_models, self._find_bundle)
        self._learning = LearningWorker(learner, self.store, shop_models, self._use_shop_models)
        self.shop = Shop(self.store, shop_models, self._learning)
        self.classes = ShopClasses(self.store)
        self.decision_files = DecisionFiles(self.store, self.decisions)
        self._used: dict[str, Any] = {}
        self.store.on_change = self._on_change

    def start(self) -> None:
        """Clean up after the last process, convert the jobs of hangtag 0.1 to batches, and label what is left."""
        self.store.folder.clear_incoming()
        self.store.reserve.fill()
        adopt_jobs(self.store, self._find_model, _log.info)
        remove_unused(self.store, self.store.folder.iter_hashes())
        self._worker.start()
        if self._fetching is not None:
            self._fetching.start()
        self.webhooks.start()
        self._learning.start()

    def begin_stop(self) -> None:
        """Let the worker begin no further photo, and discard the one in progress."""
        self._worker.begin_stop()
        if self._fetching is not None:
            self._fetching.begin_stop()

    def end_streams(self) -> None:
        """End the event streams. Clients reconnect when the service is back."""
        self.events.close()

    async def close(self) -> None:
        """Store the labels so far, end the worker and release everything."""
        self.end_streams()
        if self._fetching is not None:
            await asyncio.to_thread(self._fetching.stop)
        await asyncio.to_thread(self._worker.stop)
        self._stopping.set()
        abort_readers()
        for threads in (self._quick, self._slow):
            await asyncio.to_thread(threads.shutdown, cancel_futures=True)
        await asyncio.to_thread(self.webhooks.stop)
        await asyncio.to_thread(self._learning.stop)
        self.store.engine.dispose()
        self._claim.release()

    async def receive(self, request: Request, batch_id: str, key: str | None) -> list[dict[str, Any]]:
        """Add the files of a request to a batch, and return the result for each.

        Raises the errors of `receive_files`, `NotStoredError` and `QuotaError`. If an upload fails, for example on a
        full disk, its files are removed.
        """
        batch = await asyncio.to_thread(self._find_with_room, batch_id)
        intake = Intake(self.store, Path(), self._settings.max_batch_photos, stopping=self._stopping)
        try:
            async with self._receiving() as intake.folder:
                form = await receive_files(request, intake.folder, self._settings)

                def take() -> list[dict[str, Any]]:
                    for file in form.files:
                        intake.take(file)
                    return take_files(self.store, batch, intake, key, skip_duplicates=form.skip_duplicates)

                # Plain photos are quick. Files to unpack or parse only hold up others of their kind.
                is_quick = all(kind_of(file.path, file.name) == "photo" for file in form.files)
                threads = self._quick if is_quick else self._slow
                return await asyncio.get_running_loop().run_in_executor(threads, take)
        except IntakeStoppedError:
            raise ShuttingDownError("the service is stopping") from None
        except (OSError, SQLAlchemyError, QuotaError):
            with suppress(SQLAlchemyError):
                await asyncio.to_thread(remove_unused, self.store, {photo.sha256 for photo in intake.photos})
            raise

    async def import_decisions(self, request: Request, who: str | None) -> dict[str, Any]:
        """Apply the decisions of an uploaded file. Raises the errors of `receive_form`, and `InvalidFieldsError`."""
        async with self._receiving() as folder:
            form = await receive_form(request, folder, self._settings, DecisionsForm)
            path = form.file.file.path
            named = path.with_suffix(Path(form.file.file.name).suffix.lower() or ".csv")
            path.rename(named)
            return await asyncio.to_thread(read_upload, named, self.decision_files, who, form.batch or None)

    @asynccontextmanager
    async def _receiving(self) -> AsyncIterator[Path]:
        """Yield a folder for the files of one upload, and remove large ones without blocking the event loop."""
        with ExitStack() as stack:
            try:
                yield await asyncio.to_thread(stack.enter_context, self.store.folder.receiving())
            finally:
                await asyncio.to_thread(stack.close)

    def _find_with_room(self, batch_id: str) -> Any:  # noqa: ANN401 - a row of the database
        """Return a batch that has room for more, before anything is received."""
        with self.store.engine.connect() as connection:
            batch = self.store.find_batch(connection, batch_id)
            self.store.quotas.check(connection, batch.created_by, Usage(1, 1))
            return batch

    def _on_change(self, batch: int) -> None:
        self.events.ring(batch)
        self._worker.wake()
        if self._fetching is not None:
            self._fetching.wake()
        self.webhooks.wake()
        self._learning.wake()

    def _find_bundle(self, id_: str) -> Path:
        return self._registry.card(id_).path

    def _use_shop_models(self) -> None:
        """Tell the registry which versions exist and which are in use, if that has changed."""
        items, _ = self.shop.models.list_versions()
        paths = {item["model"]: self.shop.models.folder.path(item["sha256"]) for item in items}
        paths = {id_: path for id_, path in paths.items() if path.exists()}
        in_use = {
            item["base"]["id"]: item["model"]
            for item in items
            if item["stage"] == "in_use" and item["model"] in paths
        }
        if (present := {**paths, **in_use}) != self._used:
            self._registry.use_shop_models(paths, in_use)
            self._used = present
