"""The catalogue that the page shows: read once in the background, and cached on disk for the next start."""

import hashlib
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from hangtag import __version__
from hangtag.catalogue.check import check_catalogue
from hangtag.catalogue.describe import describe_catalogue
from hangtag.catalogue.findings import CheckResult
from hangtag.datasets.cleaned import read_cleaned
from hangtag.datasets.opening import Catalogue, open_catalogue
from hangtag.datasets.out_of_fold import OutOfFold, read_out_of_fold
from hangtag.domain.errors import CatalogueError, TableError, UsageError
from hangtag.server.schemas import (
    CatalogueAbsent,
    CatalogueFinding,
    CatalogueStatistics,
    FindingKindCount,
)
from hangtag.server.telemetry import log_event
from hangtag.server.turns import lower_priority
from hangtag.tables.tables import write_json

_log = logging.getLogger(__name__)
_PIECE_BYTES: Final = 1024 * 1024

Kept = TypeVar("Kept", bound=BaseModel)


class StoredFindings(BaseModel):
    """All findings of a check, and the explanations of their kinds."""

    kinds: list[FindingKindCount]
    findings: list[CatalogueFinding]


@dataclass(slots=True)
class Part:
    """One thing that is read from the catalogue: its progress, and why it failed."""

    state: Literal["absent", "reading", "ready", "failed"] = "absent"
    message: str = "no catalogue is loaded"
    done: int = 0
    total: int | None = None

    def describe(self) -> CatalogueAbsent:
        """Return why there is nothing to show."""
        state = "reading" if self.state == "ready" else self.state
        return CatalogueAbsent(state=state, message=self.message, done=self.done, total=self.total)


class _StoppedError(Exception):
    """The service is stopping."""


@dataclass
class ShownCatalogue:
    """A catalogue and what has been read of it so far. `path` is None if there is none.

    `labels` are the out-of-fold predictions with which the check compares the labels.
    """

    path: Path | None
    cache_folder: Path
    labels: Path | None = None
    statistics: CatalogueStatistics | None = None
    findings: StoredFindings | None = None
    describing: Part = field(default_factory=Part)
    checking: Part = field(default_factory=Part)
    source: Catalogue | None = None

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, name="catalogue", daemon=True)

    def start(self) -> None:
        """Start reading in the background. An unreadable catalogue becomes a message on the page."""
        if self.path is None:
            return
        for part, message in ((self.describing, "it is being read"), (self.checking, "it is being checked")):
            part.state, part.message = "reading", message
        self._thread.start()

    def stop(self) -> None:
        """Stop reading and close the catalogue's files."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        if self.source is not None:
            self.source.close()

    def _read(self) -> None:
        lower_priority()
        try:
            assert self.path is not None  # noqa: S101 - for the type checker
            source = self.source = open_catalogue(self.path)
            guesses = None if self.labels is None else read_out_of_fold(self.labels)
            folder = self.cache_folder / _fingerprint(source, self.labels)
            self.statistics = _kept(
                folder / "statistics.json", CatalogueStatistics, lambda: _describe(source)
            )
            self.describing.state = "ready"
            self.findings = _kept(
                folder / "findings.json", StoredFindings, lambda: self._check(source, guesses)
            )
            self.checking.state = "ready"
        except _StoppedError:
            pass
        except (CatalogueError, TableError, UsageError) as error:
            self._fail(error.problem)
            log_event(_log, logging.WARNING, "the catalogue cannot be read", problem=str(error))
        except Exception:  # noqa: BLE001 - logged, and the service goes on without
            self._fail("it cannot be read; see the service's log")
            _log.exception("the catalogue cannot be read")

    def _fail(self, message: str) -> None:
        for part in (self.describing, self.checking):
            if part.state == "reading":
                part.state, part.message = "failed", message

    def _check(self, source: Catalogue, guesses: OutOfFold | None) -> StoredFindings:
        def on_progress(done: int, total: int) -> None:
            if self._stopping.is_set():
                raise _StoppedError
            self.checking.done, self.checking.total = done, total

        return _describe_findings(
            check_catalogue(source, decode=True, guesses=guesses, on_progress=on_progress)
        )


def _describe(source: Catalogue) -> CatalogueStatistics:
    statistics = describe_catalogue(source, read_cleaned(source).table)
    return CatalogueStatistics.model_validate(statistics.to_json())


def _describe_findings(result: CheckResult) -> StoredFindings:
    kinds = [
        FindingKindCount(
            kind=counted.kind.value,
            severity=counted.severity.value,
            explanation=counted.explanation,
            count=counted.count,
        )
        for counted in result.summary()
    ]
    findings = [
        CatalogueFinding(
            kind=found.kind.value,
            severity=found.kind.severity.value,
            message=found.detail,
            id=found.id,
            photo=found.photo,
            group=found.group,
            column=found.column,
        )
        for found in result.findings
    ]
    return StoredFindings(kinds=kinds, findings=findings)


def _kept(path: Path, kind: type[Kept], make: Callable[[], Kept]) -> Kept:
    """Return the content of a cache file. If it is missing or unreadable, compute and store it."""
    with suppress(OSError, ValidationError):
        return kind.model_validate_json(path.read_bytes())
    made = make()
    try:
        write_json(made.model_dump(mode="json"), path)
    except (CatalogueError, TableError) as error:  # it is computed again at the next start
        log_event(_log, logging.WARNING, "the catalogue's cache cannot be written", problem=str(error))
    return made


def _fingerprint(source: Catalogue, labels: Path | None) -> str:
    """Return a cache key: the table, the number of photos, the predictions, and hangtag's version."""
    digest = hashlib.sha256()
    with source.open_table() as table:
        while piece := table.read(_PIECE_BYTES):
            digest.update(piece)
    if labels is not None:
        with labels.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    digest.update(f"{len(source.photo_names())} {__version__}".encode())
    return digest.hexdigest()[:32]
