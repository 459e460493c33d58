"""The models of jobs: on engines of their own, whose threads give way to those that answer requests."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

import numpy as np

from hangtag.inference.model import Model, load_model
from hangtag.server.models import ModelShelf, ShelvedCard
from hangtag.server.settings import Settings

_NICENESS: Final = 10


class JobModels:
    """Loads models for jobs, and keeps the last one.

    A thread has the priority of the one that starts it, and can never be given a higher one. So the engine is started
    by a thread of low priority that ends then. The worker keeps its own: it holds Python's lock now and then, and who
    waits for that would wait for everybody else too.
    """

    def __init__(self, shelf: ModelShelf, settings: Settings) -> None:
        self._shelf = shelf
        self._settings = settings
        self._model: Model | None = None

    def load(self, id_: str) -> Model:
        """Return the model of an id; raises `ModelNotFoundError` or `BundleError`."""
        shelved = self._shelf.card(id_)
        if self._model is None or self._model.sha256 != shelved.sha256:
            with ThreadPoolExecutor(1, "load-for-jobs", _give_way) as threads:
                self._model = threads.submit(self._start, shelved).result()
        return self._model

    def _start(self, shelved: ShelvedCard) -> Model:
        model = load_model(shelved.path, precision=self._settings.precision, threads=self._settings.threads)
        size = model.card.preprocessing
        # The first full batch is what makes the engine start its threads for full batches.
        model.label(np.zeros((model.engine.batch_size, size.height, size.width, 3), np.uint8))
        return model


def _give_way() -> None:
    """Lower the priority of this thread, and of those that it starts. Only Linux has one for each thread."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
