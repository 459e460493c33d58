"""The models of the service: their files, their cards, and those that are loaded."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np

from hangtag.bundle.card import Card
from hangtag.bundle.file import FOLDERS_VARIABLE, bundle_folders, find_bundle, list_bundles, read_card
from hangtag.bundle.signatures import OWN, TrustedKeys
from hangtag.domain.errors import BundleError, HangtagError
from hangtag.inference.model import Model, load_model
from hangtag.server.problems import ModelNotFoundError
from hangtag.server.settings import Settings
from hangtag.server.turns import lower_priority

_log = logging.getLogger(__name__)
_SETTLED_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A bundle: its id, its file with size and SHA-256, and its card."""

    id: str
    path: Path
    size_bytes: int
    sha256: str
    card: Card


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What changes when a file is replaced."""

    path: Path
    size: int
    modified_ns: int


class ModelRegistry:
    """The bundles in the folders of the settings and those that come with hangtag. Thread-safe.

    Every call reads the folders, so a new bundle needs no restart. The id of a model is the name of its file.

    Raises `BundleError` if the default model of the settings does not exist.
    """

    def __init__(self, settings: Settings) -> None:
        self._environment = {FOLDERS_VARIABLE: settings.models}
        self._default_path = find_bundle(settings.model, self._environment)
        self._precision = settings.precision
        self._threads = settings.threads
        self._trusted = TrustedKeys.parse(settings.trusted_keys)
        self._cards: dict[_Stamp, RegisteredModel] = {}
        self._models: dict[_Stamp, Model] = {}
        self._broken: dict[_Stamp, str] = {}
        self._lock = Lock()
        self.default_id = self._default_path.stem
        self._shop_paths: dict[str, Path] = {}
        self._in_use: dict[str, str] = {}
        self._named: dict[str, Path] = {}
        self._named_at: list[float] = []

    def use_shop_models(self, paths: Mapping[str, Path], in_use: Mapping[str, str]) -> None:
        """Offer the shop models at these paths, by id, and use those in `in_use` instead of their base models.

        Models that come into use are loaded first, so that no request waits for them. Raises the errors of `load`.
        """
        self._shop_paths = dict(paths)
        if self.default_id in in_use:
            self.load(in_use[self.default_id])
        self._in_use = dict(in_use)
        with self._lock:
            kept = {paths[id_] for id_ in in_use.values()}
            for stamp in [stamp for stamp in self._models if stamp.path in set(paths.values()) - kept]:
                del self._models[stamp]

    @property
    def answering_id(self) -> str:
        """The id of the model that is used by default: the default model, or the shop model adapted from it."""
        return self._in_use.get(self.default_id, self.default_id)

    def cards(self) -> list[RegisteredModel]:
        """Return the cards of all readable bundles, the default one first, then by id.

        Shop models are included only if they are in use.
        """
        found = []
        hidden = self._shop_paths.keys() - self._in_use.values()
        for id_, path in self._paths().items():
            if id_ in hidden:
                continue
            try:
                found.append(self._read(id_, path))
            except (BundleError, OSError):  # `hangtag models` reports what is wrong with it
                continue
        return sorted(found, key=lambda model: (model.id != self.default_id, model.id))

    def card(self, id_: str | None = None) -> RegisteredModel:
        """Return the card of a bundle; of the default one without an id.

        Raises `ModelNotFoundError`, and `BundleError` if the file cannot be read.
        """
        name = self.answering_id if id_ is None else id_
        path = self._paths().get(name)
        if path is None:
            raise ModelNotFoundError(f"there is no model {name!r}", fix="GET /api/v1/models lists them.")
        try:
            return self._read(name, path)
        except OSError:
            raise ModelNotFoundError(f"the file of the model {name!r} was removed") from None

    def load(self, id_: str | None = None) -> Model:
        """Return a model. The first call loads and verifies it, which may take a second; it then stays loaded.

        If the file was removed, or replaced by an unusable one, the loaded model stays in use. Raises as `card` does,
        and `BundleError` if the model fails its golden check.
        """
        name = self.default_id if id_ is None else id_
        path = self._paths().get(name)
        with self._lock:
            loaded = None if path is None else self._find_of(path)
            if loaded is not None:
                return loaded
            old = next((known for known in self._models if known.path == path), None)
            try:
                registered = self.card(id_)
                stamp = _stamp(registered.path)
                model = load_model(
                    registered.path,
                    precision=self._precision,
                    threads=self._threads,
                    trusted=self.trusted(registered.path),
                )
            except (HangtagError, OSError) as error:
                if old is None or path is None:
                    raise
                self._keep_old(path, error)
                return self._models[old]
            if old is not None:
                del self._models[old]
            self._models[stamp] = model
            return model

    def trusted(self, path: Path) -> TrustedKeys:
        """Return the keys that may have signed a bundle: none for bundles that the service itself adapted."""
        return OWN if path in self._shop_paths.values() else self._trusted

    async def get(self, id_: str | None = None) -> Model:
        """Return a model as `load` does, without blocking the event loop."""
        loaded = self.find_loaded(id_)
        return await asyncio.to_thread(self.load, id_) if loaded is None else loaded

    def find_loaded(self, id_: str | None = None) -> Model | None:
        """Return a model if it is loaded, else None."""
        path = self._paths().get(self.answering_id if id_ is None else id_)
        return None if path is None else self._find_of(path)

    def has(self, model: Model) -> bool:
        """Return whether a loaded model still matches its file, which may have been replaced since."""
        return any(loaded is model for loaded in list(self._models.values()))

    def check_default(self) -> BundleError | None:
        """Return what is wrong with the default model's file: after a restart the service would not start."""
        fix = "Put the model's file back. Until then the service keeps the model that it has loaded."
        stamp = _find_stamp(self._default_path)
        if stamp is None:
            return BundleError(f"the file of the model {self.default_id!r} is missing", fix=fix)
        broken = self._broken.get(stamp)
        if broken is None:
            return None
        return BundleError(f"the file of the model {self.default_id!r} cannot be used ({broken})", fix=fix)

    def _find_of(self, path: Path) -> Model | None:
        """Return the model that was loaded from the current file, or from its predecessor if the file is unusable."""
        stamp = _find_stamp(path)
        if stamp is not None and stamp not in self._broken:
            return self._models.get(stamp)
        return next((model for known, model in list(self._models.items()) if known.path == path), None)

    def _keep_old(self, path: Path, error: HangtagError | OSError) -> None:
        """Record that the file of a loaded model is currently unusable, so that not every request tries to load it."""
        problem = error.problem if isinstance(error, HangtagError) else str(error)
        stamp = _find_stamp(path)
        if stamp is not None:
            self._broken[stamp] = problem
        _log.error("%s: %s; keeping the loaded model", path, problem)

    def _paths(self) -> dict[str, Path]:
        return self._find_named() | self._shop_paths | {self.default_id: self._default_path}

    def _find_named(self) -> dict[str, Path]:
        """Return the bundles that have a name. Every request asks, so folders are only listed after a change."""
        changed = [
            folder.stat().st_mtime if folder.exists() else 0.0 for folder in bundle_folders(self._environment)
        ]
        if changed != self._named_at:
            self._named = {path.stem: path for path in list_bundles(self._environment)}
            # Within the file system's clock resolution, another change may have the same timestamp.
            self._named_at = changed if max(changed) < time.time() - _SETTLED_S else []
        return self._named

    def _read(self, id_: str, path: Path) -> RegisteredModel:
        """Return the facts about a file. While its model is loaded, the card of that model is used."""
        stamp = _find_stamp(path)
        old = next((known for known in list(self._models) if known.path == path), None)
        if stamp is None or stamp in self._broken:
            stamp = old or stamp
        if stamp is None:
            raise FileNotFoundError(path)
        if stamp in self._cards:
            return self._cards[stamp]
        try:
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            self._cards[stamp] = RegisteredModel(id_, path, stamp.size, sha256, read_card(path))
        except (BundleError, OSError) as error:
            if old is None:
                raise
            self._keep_old(path, error)
            return self._cards[old]
        return self._cards[stamp]


def _find_stamp(path: Path) -> _Stamp | None:
    try:
        return _stamp(path)
    except OSError:
        return None


def _stamp(path: Path) -> _Stamp:
    status = path.stat()
    return _Stamp(path, status.st_size, status.st_mtime_ns)


class BackgroundModels:
    """Loads models for batches on engines whose threads have a low priority, and keeps the last one.

    A thread inherits the priority of the thread that starts it and can never raise it. So a short-lived thread of low
    priority starts the engine. The worker itself keeps the normal priority: it sometimes holds the GIL, and a
    low-priority thread that holds the GIL would block everyone else.
    """

    def __init__(self, registry: ModelRegistry, settings: Settings) -> None:
        self._registry = registry
        self._settings = settings
        self._model: Model | None = None
        self._lock = Lock()

    def load(self, id_: str) -> Model:
        """Return the model with an id. Raises `ModelNotFoundError` or `BundleError`."""
        registered = self._registry.card(id_)
        with self._lock:
            if self._model is None or self._model.sha256 != registered.sha256:
                with ThreadPoolExecutor(1, "load-for-batches", lower_priority) as threads:
                    self._model = threads.submit(self._start, registered).result()
            return self._model

    def _start(self, registered: RegisteredModel) -> Model:
        model = load_model(
            registered.path,
            precision=self._settings.precision,
            threads=self._settings.threads,
            trusted=self._registry.trusted(registered.path),
        )
        size = model.card.preprocessing
        # The engine starts its threads with the first full batch.
        model.run(np.zeros((model.engine.batch_size, size.height, size.width, 3), np.uint8))
        return model
