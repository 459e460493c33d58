"""The folder of a job: the uploaded files, named by numbers. A client's file name never becomes a path."""

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
"""The number of zip files to keep open, since reading the index of a large one takes time."""

_READABLE_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""Other methods are rare, and could expand a few bytes to gigabytes in one step."""

_ENCRYPTED: Final = 0x1


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """Where a photo is: the number of an upload and, in a zip, the index of an entry. No upload: it was not sent."""

    upload: int | None
    entry: int | None = None


class JobFolders:
    """The folders of all jobs. Thread-safe."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._archives: OrderedDict[Path, zipfile.ZipFile] = OrderedDict()
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
        return read_entry(self._open(path), photo.entry, limits)

    def remove(self, job_id: str) -> None:
        """Remove a job's folder if it exists."""
        folder = self.root / job_id
        with self._lock:
            for path in [path for path in self._archives if path.is_relative_to(folder)]:
                del self._archives[path]  # it is closed when the last reader is done
        shutil.rmtree(folder, ignore_errors=True)

    def remove_others(self, job_ids: set[str]) -> None:
        """Remove folders without a job, left by an upload or a deletion that a crash interrupted."""
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
    """Return the path of an uploaded file in a job's folder."""
    return folder / f"{upload:06}"


def read_entry(archive: zipfile.ZipFile, index: int, limits: DecodeLimits) -> bytes:
    """Return the bytes of a zip's entry, never more than the limit, whatever size the zip states.

    Raises `PhotoError` with the reason if they cannot be read.
    """
    entry = archive.infolist()[index]
    if entry.flag_bits & _ENCRYPTED:
        raise PhotoError(Reason.UNREADABLE, "the photo is encrypted in the zip")
    if entry.compress_type not in _READABLE_METHODS:
        raise PhotoError(Reason.UNREADABLE, "the zip uses a compression method that hangtag does not support")
    try:
        with archive.open(entry) as file:
            data = file.read(limits.max_bytes + 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise PhotoError(Reason.CORRUPT, f"the photo is damaged in the zip ({error})") from None
    except OSError as error:
        raise PhotoError(Reason.UNREADABLE, f"the zip cannot be read ({error.strerror})") from None
    except Exception as error:  # noqa: BLE001 - zlib.error and others; one photo must not stop a job
        raise PhotoError(Reason.CORRUPT, f"the photo is damaged in the zip ({error})") from None
    if len(data) > limits.max_bytes:
        raise PhotoError(Reason.TOO_MANY_BYTES, f"the file is larger than {limits.max_bytes:,} bytes")
    return data


def _open_archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise PhotoError(Reason.UNREADABLE, f"the zip cannot be read ({error})") from None
