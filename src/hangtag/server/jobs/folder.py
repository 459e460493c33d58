"""The folder of a job: the uploaded files, named by numbers. A client's file name never becomes a path."""

import shutil
import struct
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

from hangtag.archives.zips import ZipEntry, iter_entries, read_entry
from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DecodeLimits
from hangtag.imaging.decode import read_photo_bytes

_KNOWN_ARCHIVES: Final = 2
"""The number of zip files whose index is kept, since reading that of a large one takes time."""


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """Where a photo is: the number of an upload and, in a zip, the index of an entry. No upload: it was not sent."""

    upload: int | None
    entry: int | None = None


class JobFolders:
    """The folders of all jobs. Thread-safe."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._archives: OrderedDict[Path, list[ZipEntry]] = OrderedDict()
        self._lock = Lock()

    def make(self, job_id: str) -> Path:
        """Create the folder of a new job and return it."""
        folder = self.root / job_id
        folder.mkdir(parents=True)
        return folder

    def path(self, job_id: str, upload: int) -> Path:
        """Return the path of an uploaded file."""
        return upload_path(self.root / job_id, upload)

    def is_readable(self, job_id: str) -> bool:
        """Return whether the uploaded files of a job can still be read."""
        try:
            return any((self.root / job_id).iterdir())
        except OSError:
            return False

    def read(self, job_id: str, photo: StoredPhoto, limits: DecodeLimits) -> bytes:
        """Return a photo's bytes. Raises `PhotoError` with the reason if they cannot be read."""
        if photo.upload is None:
            raise PhotoError(Reason.NOT_FOUND, "the photo was not sent")
        path = self.path(job_id, photo.upload)
        if photo.entry is None:
            return read_photo_bytes(path, limits)
        return read_entry(path, self._entries(path)[photo.entry], limits)

    def remove(self, job_id: str) -> None:
        """Remove a job's folder if it exists."""
        folder = self.root / job_id
        with self._lock:
            for path in [path for path in self._archives if path.is_relative_to(folder)]:
                del self._archives[path]
        shutil.rmtree(folder, ignore_errors=True)

    def remove_others(self, job_ids: set[str]) -> None:
        """Remove folders without a job, left by an upload or a deletion that a crash interrupted."""
        self.root.mkdir(parents=True, exist_ok=True)
        for folder in self.root.iterdir():
            if folder.is_dir() and folder.name not in job_ids:
                self.remove(folder.name)

    def _entries(self, path: Path) -> list[ZipEntry]:
        with self._lock:
            entries = self._archives.pop(path, None) or _list_entries(path)
            self._archives[path] = entries
            if len(self._archives) > _KNOWN_ARCHIVES:
                self._archives.popitem(last=False)
            return entries


def upload_path(folder: Path, upload: int) -> Path:
    """Return the path of an uploaded file in a job's folder."""
    return folder / f"{upload:06}"


def _list_entries(path: Path) -> list[ZipEntry]:
    try:
        with path.open("rb") as file:
            return list(iter_entries(file))
    except (OSError, zipfile.BadZipFile, struct.error) as error:
        raise PhotoError(Reason.UNREADABLE, f"the zip cannot be read ({error})") from None
