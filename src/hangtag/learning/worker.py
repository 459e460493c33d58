"""Learning in the background: one thread that learns from new checks, and relabels batches with the version in use.

What to do follows from the database alone, so the next process continues where one ended, and several services do each
thing only once.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from hangtag.domain.errors import HangtagError, NotStoredError
from hangtag.learning.checks import NewChecks, find_new_checks
from hangtag.learning.learner import Learner, LearningRequest
from hangtag.learning.settings import LearningSettings, read_requests, read_settings, remove_request
from hangtag.store.database import writing
from hangtag.store.derived import relabel_batch
from hangtag.store.shop_models import ShopModels, find_labelling
from hangtag.store.store import Store, now
from hangtag.store.tables import BatchRow

QUIET_S: Final = 1.0
"""How long nobody may have decided anything before hangtag learns, so that it does not react to every keystroke."""

BACKLOG_FACTOR: Final = 4
"""With this many times the required checks, it learns even while somebody keeps deciding."""

GROWTH: Final = 50
"""Before the next learning, the checks must grow by one in this many, since learning from many takes longer."""

LOOK_S: Final = 2.0
"""How often the database is polled without a notification: another service may use it, too."""

_SECONDS_AFTER_A_FAULT: Final = 5.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Learning:
    """What is being learned: since when, and from how many new checks."""

    since: datetime
    checks: int


class LearningWorker:
    """Learns on its own thread. `on_use` is called after the labels of batches follow the version in use."""

    def __init__(
        self, learner: Learner, store: Store, models: ShopModels, on_use: Callable[[], object] = lambda: None
    ) -> None:
        self.learning: Learning | None = None
        self._on_use = on_use
        self._learner = learner
        self._store = store
        self._models = models
        self._failed: dict[int, int] = {}
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="learning", daemon=True)

    def start(self) -> None:
        """Clean up after the last process, and start the thread."""
        self._models.folder.clear()
        self._thread.start()

    def wake(self) -> None:
        """Signal that something changed."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread after its current step."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def step(self) -> bool:
        """Do everything that is due, on the caller's thread. Return whether there was something."""
        has_learnt = self._learn_all()
        has_relabelled = self._relabel_all()
        self._on_use()
        return has_learnt or has_relabelled

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                self.step()
            except Exception:  # noqa: BLE001 - whatever fails here, batches are labelled and checked without it
                _log.exception("learning failed")
                self._stopping.wait(_SECONDS_AFTER_A_FAULT)
            if not self._stopping.is_set():
                self._wake.wait(LOOK_S)

    def _learn_all(self) -> bool:
        with self._store.engine.connect() as connection:
            requests = read_requests(connection)
            settings = read_settings(connection)
        for request in requests:
            self._learn(request, 0)
            with writing(self._store.engine) as connection:
                remove_request(connection, request.base)
        done = bool(requests)
        if settings.enabled:
            for base in self._list_bases():
                new = self._find_new(base)
                if self._is_due(base, new, settings):
                    self._learn_by_itself(base, new)
        return self._use_waiting() or done

    def _learn(self, request: LearningRequest, checks: int) -> str | None:
        self.learning = Learning(now(), checks)
        try:
            return self._learner.learn(request)
        except HangtagError as error:
            _log.info("learning failed: %s", error)
        except IntegrityError:
            _log.info("another service has just learned from the same checks")
        finally:
            self.learning = None
        return None

    def _learn_by_itself(self, base: int, new: NewChecks) -> None:
        if self._learn(LearningRequest(base, is_automatic=True), new.count) is None:
            self._failed[base] = new.last
        self._models.prune()

    def _use_waiting(self) -> bool:
        """Use automatically learned versions, including those of an earlier process. Worse ones wait for a person."""
        waiting = self._models.list_waiting()
        for version in waiting:
            self._models.promote(version)
        return bool(waiting)

    def _is_due(self, base: int, new: NewChecks, settings: LearningSettings) -> bool:
        enough = max(settings.learn_after, new.learned // GROWTH)
        if new.count < enough or self._failed.get(base) == new.last:
            return False
        return new.quiet_s >= QUIET_S or new.count >= BACKLOG_FACTOR * enough

    def _list_bases(self) -> list[int]:
        """Return the numbers of the base models that label batches."""
        with self._store.engine.connect() as connection:
            statement = select(BatchRow.model).where(~BatchRow.archived).distinct()
            used = connection.execute(statement).scalars().all()
            return sorted({self._store.base_of(connection, model) for model in used})

    def _find_new(self, base: int) -> NewChecks:
        with self._store.engine.connect() as connection:
            return find_new_checks(connection, base)

    def _relabel_all(self) -> bool:
        done = False
        for batch in self._list_outdated():
            if self._stopping.is_set():
                break
            try:
                done = relabel_batch(self._store, batch) is not None or done
            except (NotStoredError, IntegrityError):
                continue  # it was deleted meanwhile, or another service is working on it
            except HangtagError as error:
                _log.warning("a batch cannot be relabelled with the shop model: %s", error)
        return done

    def _list_outdated(self) -> list[Any]:
        """Return the batches labelled by another version than the one in use, most recently changed first."""
        with self._store.engine.connect() as connection:
            statement = select(BatchRow.model).where(~BatchRow.archived).distinct()
            outdated = [
                model
                for model in connection.execute(statement).scalars().all()
                if find_labelling(connection, self._store.base_of(connection, model)) != model
            ]
            return list(
                connection.execute(
                    select(BatchRow.number)
                    .where(BatchRow.model.in_(outdated), ~BatchRow.archived)
                    .order_by(BatchRow.updated.desc())
                ).scalars()
            )
