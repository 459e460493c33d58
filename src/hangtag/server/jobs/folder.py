"""The folder of a job: what was uploaded, under numbers. No name that a client sent becomes a path."""

import shutil
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.decode import DecodeLimits, read_photo_bytes

_OPEN_ARCHIVES: Final = 2
"""How many zips stay open for the next photo: the index of a large one takes a while to read, and some memory."""

_READABLE_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""Others could make gigabytes of a few bytes in one step, and are hardly ever met."""

_ENCRYPTED: Final = 0x1


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """Where a photo lies: the number of an upload and, where that is a zip, the index of an entry; or nowhere."""

    upload: int | None
    entry: int | None = None


class JobFolders:
    """The folders of all jobs, under one. Safe to use from several threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._archives: OrderedDict[Path, zipfile.ZipFile] = OrderedDict()
        self._lock = Lock()

    def make(self, job_id: str) -> Path:
        """Make the folder of a new job and return it."""
        folder = self.root / job_id
        folder.mkdir(parents=True)
        return folder

    def path(self, job_id: str, upload: int) -> Path:
        """Return where an uploaded file lies."""
        return upload_path(self.root / job_id, upload)

    def is_readable(self, job_id: str) -> bool:
        """Tell whether what was uploaded for a job can still be read."""
        try:
            return any((self.root / job_id).iterdir())
        except OSError:
            return False

    def read(self, job_id: str, photo: StoredPhoto, limits: DecodeLimits) -> bytes:
        """Return a photo's bytes; raises `PhotoError` with the reason why they cannot be had."""
        if photo.upload is None:
            raise PhotoError(Reason.NOT_FOUND, "the photo was not sent")
        path = self.path(job_id, photo.upload)
        if photo.entry is None:
            return read_photo_bytes(path, limits)
        return read_entry(self._open(path), photo.entry, limits)

    def remove(self, job_id: str) -> None:
        """Remove a job's folder, if it is there."""
        folder = self.root / job_id
        with self._lock:
            for path in [path for path in self._archives if path.is_relative_to(folder)]:
                del self._archives[path]  # it closes when no one reads from it any more
        shutil.rmtree(folder, ignore_errors=True)

    def remove_others(self, job_ids: set[str]) -> None:
        """Remove the folders of no job: what an upload or a deletion left that a crash interrupted."""
        self.root.mkdir(parents=True, exist_ok=True)
        for folder in self.root.iterdir():
            if folder.is_dir() and folder.name not in job_ids:
                self.remove(folder.name)

    def _open(self, path: Path) -> zipfile.ZipFile:
        with self._lock:
            archive = self._archives.pop(path, None) or _open_archive(path)
            self._archives[path] = archive
            if len(self._archives) > _OPEN_ARCHIVES:
                self._archives.popitem(last=False)
            return archive


def upload_path(folder: Path, upload: int) -> Path:
    """Return where an uploaded file lies in a job's folder."""
    return folder / f"{upload:06}"


def read_entry(archive: zipfile.ZipFile, index: int, limits: DecodeLimits) -> bytes:
    """Return the bytes of a zip's entry, never more than a photo may have, whatever the zip says of its size.

    Raises `PhotoError` with the reason why they cannot be had.
    """
    entry = archive.infolist()[index]
    if entry.flag_bits & _ENCRYPTED:
        raise PhotoError(Reason.UNREADABLE, "the photo is encrypted in the zip")
    if entry.compress_type not in _READABLE_METHODS:
        raise PhotoError(Reason.UNREADABLE, "the zip is compressed in a way that hangtag does not read")
    try:
        with archive.open(entry) as file:
            data = file.read(limits.max_bytes + 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise PhotoError(Reason.CORRUPT, f"the photo is damaged in the zip ({error})") from None
    except OSError as error:
        raise PhotoError(Reason.UNREADABLE, f"the zip cannot be read ({error.strerror})") from None
    except Exception as error:  # noqa: BLE001 - zlib.error is not its only surprise, and one photo may not stop a job
        raise PhotoError(Reason.CORRUPT, f"the photo is damaged in the zip ({error})") from None
    if len(data) > limits.max_bytes:
        raise PhotoError(Reason.TOO_MANY_BYTES, f"the file is larger than {limits.max_bytes:,} bytes")
    return data


def _open_archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise PhotoError(Reason.UNREADABLE, f"the zip cannot be read ({error})") from None
