"""A job: a table that can be interrupted at any moment and resumed.

Its rows are in a folder: the output folder itself or, for an output file, a hidden folder next to it.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from hangtag.domain.columns import FAILED, STATUS
from hangtag.domain.errors import UsageError
from hangtag.labelling.finished import Photo
from hangtag.labelling.outputs import open_table
from hangtag.labelling.part_folder import PartFolder, holds_rows, remove_rows
from hangtag.labelling.plan import Manifest, Plan, Start, has_manifest, read_manifest, remove_manifest
from hangtag.tables.parquet import ParquetWriter
from hangtag.tables.writing import Rows, TableWriter

_WAYS_ON: Final = "Continue with `resume`, start again with `restart`, or choose another `output`."


class Job:
    """A job that is open in this process; a `TableWriter`. `photos_before` were finished when it was opened."""

    def __init__(self, plan: Plan, parts: PartFolder, manifest: Manifest) -> None:
        self._plan = plan
        self._parts = parts
        self._manifest = manifest
        self.photos_before = parts.photos

    @property
    def photos(self) -> int:
        """How many photos are finished."""
        return self._parts.photos

    def iter_unfinished(self, photos: Iterable[Photo]) -> Iterator[Photo]:
        """Yield the photos that have no row yet, in order."""
        return self._parts.read_finished().iter_unfinished(photos)

    def iter_rows(self, columns: Sequence[str] | None = None) -> Iterator[Rows]:
        """Yield the rows of all finished photos in the order they were written, with all columns or some."""
        return self._parts.iter_rows(columns)

    def write(self, rows: Rows) -> None:
        """Add rows. Those of one photo must come together."""
        self._parts.write(rows)

    def finish(self) -> None:
        """Write the output from the rows. The job's own folder stays only if it may be needed again."""
        plan = self._plan
        if plan.output.is_folder:
            self._parts.complete_part()
        else:
            self._parts.make_durable()
            with open_table(plan.output, plan.layout, workplace=plan.folder) as table:
                self._copy_rows(table)
        self._manifest.finish(plan.folder)
        self._parts.close()
        if not (plan.output.is_folder or plan.resumes or self._has_failed()):
            self._remove()

    def discard(self) -> None:
        """Keep the rows, if there are any, for another run."""
        with contextlib.suppress(OSError):  # the disk may be the cause of the failure
            self._parts.make_durable()
        self._parts.close()
        if not holds_rows(self._plan.folder):
            self._remove()

    def _copy_rows(self, table: TableWriter) -> None:
        if isinstance(table, ParquetWriter):
            for batch in self._parts.iter_batches():
                table.write_batch(batch)
        else:
            for rows in self._parts.iter_rows():
                table.write(rows)

    def _has_failed(self) -> bool:
        return any(FAILED in rows[STATUS] for rows in self._parts.iter_rows([STATUS]))

    def _remove(self) -> None:
        remove_rows(self._plan.folder)
        remove_manifest(self._plan.folder)


@contextlib.contextmanager
def open_job(plan: Plan) -> Iterator[Job]:
    """Open a job, finish it at the end of the block, or keep its rows for another run if the block fails.

    Raises `UsageError` if another process works on it, if it cannot be resumed as planned, and if it would lose
    the rows of an earlier one.
    """
    folder = plan.folder
    with _claim(folder):
        manifest = _prepare(plan)
        parts = PartFolder(folder, plan.layout, plan.rows_a_part)
        manifest.write(folder)
        if plan.start is Start.RETRY:
            parts.drop_failed()
        job = Job(plan, parts, manifest)
        try:
            yield job
            job.finish()
        except BaseException:
            job.discard()
            raise


def _prepare(plan: Plan) -> Manifest:
    """Return the job's new manifest. If the job is not resumed, the rows of an earlier one are removed."""
    known = has_manifest(plan.folder)
    if plan.output.is_folder and not known and any(_visible(plan.folder)):
        raise UsageError(
            "this folder holds files that are not labels",
            where=plan.output.path,
            fix="Choose another `output`.",
        )
    manifest = Manifest(plan.fingerprint, plan.inputs)
    if not known or plan.start is Start.RESTART:
        remove_rows(plan.folder)
        return manifest
    earlier = read_manifest(plan.folder)
    if plan.resumes:
        _check_same(plan, earlier)
        return Manifest(plan.fingerprint, tuple(dict.fromkeys([*earlier.inputs, *plan.inputs])))
    if holds_rows(plan.folder) and (plan.output.is_folder or not earlier.is_finished):
        state = "holds labels" if earlier.is_finished else "is not finished"
        raise UsageError(f"an earlier job for this output {state}", where=plan.output.path, fix=_WAYS_ON)
    remove_rows(plan.folder)
    return manifest


def _check_same(plan: Plan, earlier: Manifest) -> None:
    changes = earlier.fingerprint.describe_changes(plan.fingerprint)
    if set(earlier.inputs).isdisjoint(plan.inputs):
        changes.append(f"its photos were {_shorten(earlier.inputs)} and are now {_shorten(plan.inputs)}")
    if changes:
        raise UsageError(
            f"this job was started with different settings: {'; '.join(changes)}",
            where=plan.output.path,
            fix="Use the options that it was started with, start again with `restart`, or choose another `output`.",
        )


def _shorten(inputs: Sequence[str]) -> str:
    return inputs[0] if len(inputs) == 1 else f"{inputs[0]} and {len(inputs) - 1:,} more"


def _visible(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if not path.name.startswith("."))


@contextlib.contextmanager
def _claim(folder: Path) -> Iterator[None]:
    """Create a folder and lock it against other processes. Remove it at the end if it is empty."""
    folder.mkdir(exist_ok=True)
    release = _lock(folder)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()
        release()


def _lock(folder: Path) -> Callable[[], None]:
    """Lock a folder, except on Windows. Return a function to unlock it; the kernel also does if this process dies."""
    if sys.platform == "win32":
        return lambda: None
    import fcntl  # noqa: PLC0415 - Windows has none

    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(opened)
        raise UsageError("another process is working on this job", where=folder) from None
    return lambda: os.close(opened)
